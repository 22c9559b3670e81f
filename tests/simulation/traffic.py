"""What clients do in the simulated cluster: requests by what is live, copies of them, and users of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.api.pairs import Pairs

from tests.simulation import users
from tests.simulation.comparing import joined
from tests.simulation.gateway import mirrored
from tests.simulation.pods import Life

if TYPE_CHECKING:
    from tests.simulation.world import World


def send(world: World, seconds: float) -> None:
    """Send the requests of so many seconds, by what is live."""
    if world.status.get("downSince"):
        world.gap_until = world.time + seconds + world.gateway_delay + world.proxy_delay
    if world.service.known is not None:
        _through_service(world, round(world.rate * seconds))
    if not world.live or world.service.known is not None:
        return
    _send_targeted(world, seconds)
    assigned, random = _assigned(world, round(world.rate * seconds)), world.rng.random
    serving = {name: [life for life in world.pods_of(name) if life.serving] for name in {*assigned}}
    for name in assigned:
        if ready := serving[name]:
            life = ready[int(random() * len(ready))]
            failed = random() < life.version.errors
            life.answer(world.time, error=failed)
            _copy(world, failed=failed)
            _expose(world, life)
        elif world.time > world.gap_until:
            world.unserved += 1


def _through_service(world: World, requests: int) -> None:
    """Lead each request to one of the pods, as the nodes know the Service; each has as many as any other."""
    ready = [life for life in world.lives.values() if life.serving and world.service.leads_to(life)]
    for _ in range(requests):
        if ready:
            life = ready[int(world.rng.random() * len(ready))]
            life.answer(world.time, error=world.rng.random() < life.version.errors)
        elif world.time > world.gap_until:
            world.unserved += 1


def _assigned(world: World, requests: int) -> list[str]:
    """The revision of each request: drawn anew, or that of the user who sends it."""
    if not world.users:
        return world.rng.choices(list(world.live), list(world.live.values()), k=requests)
    test, sent = users.experiment_of(world.proxied), []
    for user in world.rng.choices(range(world.users), k=requests):
        position = users.position(user) if world.sticks else world.rng.randrange(users.WHOLE)
        name = users.revision_at(world.proxied, position)
        sent.append(name)
        met = world.met.setdefault((test, user), [])
        if test and met[-1:] != [name]:
            met.append(name)
    return sent


def _expose(world: World, life: Life) -> None:
    """Let the collector learn of another user of an A/B test, and of what he does."""
    md = world.md
    if md is None or not world.status.get("rollout") or "abTest" not in md["spec"]["strategy"] or len(world.live) < 2:
        return
    test = f"{md['metadata']['namespace']}/{world.status['record']}"
    seen = world.exposed.setdefault(test, {}).setdefault(life.revision, {})
    came, converted = seen.get(world.time, (0, 0))
    seen[world.time] = (came + 1, converted + (world.rng.random() < life.version.converts))


def _copy(world: World, *, failed: bool) -> None:
    """Send a copy of a request that stable has answered where the route says, and let the answers be compared."""
    mirror = mirrored(world.proxied)
    copies = [life for life in world.pods_of(mirror[0]) if life.serving] if mirror else []
    if mirror is None or not copies or world.rng.random() * 100 >= mirror[1]:
        return
    life = world.rng.choice(copies)
    life.mirrored += 1
    fails = world.rng.random() < life.version.errors
    differs = fails is failed and world.rng.random() < life.version.differs
    before, seconds = world.pairs.get(mirror[2], Pairs()), life.version.seconds
    world.pairs[mirror[2]] = joined(before, failed=failed, fails=fails, differs=differs, seconds=seconds)


def _send_targeted(world: World, seconds: float) -> None:
    """Requests that match; where no route is for them, they are some of all the others."""
    if world.targeted is None or not world.targeted_rate:
        return
    serving = [life for life in world.pods_of(world.targeted) if life.serving]
    for _ in range(round(world.targeted_rate * seconds)):
        if serving:
            life = serving[int(world.rng.random() * len(serving))]
            life.answer_targeted(error=world.rng.random() < life.version.errors)
        else:
            world.unserved += 1
