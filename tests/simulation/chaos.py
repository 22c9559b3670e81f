"""What may go wrong, at random: people, versions, pods, registry, gateway and the controller itself."""

from __future__ import annotations

import random
from collections.abc import Callable

from sluice.core.observation import Unresolved
from sluice.kube.api import Manifest
from sluice.resources.naming import LABEL_REVISION

from tests.simulation.controller import Fault, Mode
from tests.simulation.gated import ALL_GATES, GATES
from tests.simulation.pods import Behaviour, Judgement
from tests.simulation.simulation import Simulation
from tests.simulation.store import copy
from tests.simulation.stories import EARLY_ADOPTERS, SPEC
from tests.simulation.tested import GUARDS, STICKY, WANTS
from tests.simulation.world import NAME, NAMESPACE

NO_STRATEGY: Manifest = {"canary": None, "recreate": None, "blueGreen": None, "shadow": None, "abTest": None}
LAST: tuple[Manifest, ...] = (
    SPEC["strategy"],
    {"recreate": {}},
    {"blueGreen": {"preview": {"pathPrefix": "/preview"}, "pause": {}, "verify": {"maxErrorRate": 0.05}}},
)
LAST_SHADOW: Manifest = {"shadow": {"minPairs": 30, "maxErrorRate": 0.05}}
Action = Callable[[random.Random, Simulation], None]


def push(rng: random.Random, sim: Simulation) -> None:
    number = str(len(sim.world.versions) + 1)
    behaviour = rng.choice([Behaviour.FINE] * 8 + list(Behaviour))
    sim.world.push(number, errors=rng.choice([0.0, 0.0, 0.0, 0.02, 0.5]), behaviour=behaviour)


def go_back(rng: random.Random, sim: Simulation) -> None:
    sim.world.aliases["champion"] = rng.choice(list(sim.world.versions))
    sim.world.poked = True


def wish(rng: random.Random, sim: Simulation) -> None:
    names = [sim.world.revision(number) for number in sim.world.versions]
    candidate = sim.world.status.get("rollout", {}).get("revision", {}).get("name")
    sim.world.wish(
        rng.choice(["abort", "promote", "retry", "promote-full", "rollback"]), candidate or rng.choice(names)
    )


def scale(rng: random.Random, sim: Simulation) -> None:
    sim.world.edit(replicas=rng.choice([0, 1, 2, 2, 3, 4]))


def pause(rng: random.Random, sim: Simulation) -> None:
    sim.world.edit(paused=rng.random() < 0.5)


def change_steps(rng: random.Random, sim: Simulation) -> None:
    weights = sorted(rng.sample(range(1, 101), rng.randint(1, 3)))
    steps = [step for weight in weights for step in ({"setWeight": weight}, {"analysis": {"marginAbsolute": 0.1}})]
    sim.world.edit(strategy=NO_STRATEGY | {"canary": {"steps": steps[: rng.randint(1, len(steps))]}})


def recreate(rng: random.Random, sim: Simulation) -> None:
    sim.world.edit(strategy=NO_STRATEGY | {"recreate": {}})


def blue_green(rng: random.Random, sim: Simulation) -> None:
    wants: dict[str, object] = {"previewReplicas": rng.choice([None, 1, 3])}
    wants["preview"] = rng.choice([None, {"pathPrefix": "/preview"}])
    wants["pause"] = rng.choice([None, {"duration": "5s"}, {}])
    wants["verify"] = rng.choice([None, {"maxErrorRate": 0.05, "minRequests": 20}])
    sim.world.edit(strategy=NO_STRATEGY | {"blueGreen": wants})


def shadow(rng: random.Random, sim: Simulation) -> None:
    wants: dict[str, object] = {"percent": rng.choice([20, 100]), "then": rng.choice(["Canary", "Promote", "Hold"])}
    wants["duration"] = rng.choice([None, "3s"])
    wants["maxDisagreement"] = rng.choice([None, 0.1])
    sim.world.edit(strategy=NO_STRATEGY | {"shadow": wants | {"maxErrorRate": 0.05, "minPairs": 30}})


def mirror_first(rng: random.Random, sim: Simulation) -> None:
    steps = [{"mirror": {"percent": rng.choice([20, 100]), "minPairs": 30}}, *SPEC["strategy"]["canary"]["steps"]]
    sim.world.edit(strategy=NO_STRATEGY | {"canary": {"match": None, "steps": steps}})


def ab_test(rng: random.Random, sim: Simulation) -> None:
    for version in sim.world.versions.values():
        version.converts = rng.choice([0.0, 0.1, 0.5])
    wants: Manifest = {"weight": rng.choice([20, 50, 80]), "onWinner": rng.choice(["Promote", "Hold", "Notify"])}
    wants["variants"] = []
    wants["primary"] = {"metric": "conversion", "window": rng.choice(["1s", "3s"])}
    wants["maxDuration"] = rng.choice(["15s", "1h"])
    sim.world.edit(
        strategy=NO_STRATEGY | {"abTest": WANTS | wants},
        traffic=rng.choice([{"sticky": None}, STICKY]),
        analysis=GUARDS,
    )


def collector(rng: random.Random, sim: Simulation) -> None:
    sim.world.collector_away = rng.random() < 0.5
    if rng.random() < 0.3:
        sim.world.pairs.clear()  # its volume is lost
        sim.world.exposed.clear()


def early_adopters(rng: random.Random, sim: Simulation) -> None:
    """Somebody asks for early adopters, for others, or for none any more; those there send requests all the time."""
    sim.world.targeted_rate = 20.0
    wants: Manifest = {"match": rng.choice([None, EARLY_ADOPTERS, EARLY_ADOPTERS[:1], EARLY_ADOPTERS[1:]])}
    pauses: list[Manifest] = rng.choice([[], [{"pause": {"duration": "5s"}}], [{"pause": {}}]])
    wants["steps"] = [*(pauses if wants["match"] else []), {"setWeight": rng.randint(1, 100)}]
    sim.world.edit(strategy=NO_STRATEGY | {"canary": wants})


def gates(rng: random.Random, sim: Simulation) -> None:
    sim.world.edit(gates=rng.choice([None, GATES, GATES | {"goldenSet": {"minAccuracy": rng.random()}}]))


def judge(rng: random.Random, sim: Simulation) -> None:
    """Decide what gates say about the newest version; those that have answered do not change their mind."""
    often = [Judgement.PASS] * 8 + list(Judgement)
    version = sim.world.versions[str(len(sim.world.versions))]
    version.gates = {name: rng.choice(often) for name in ALL_GATES}


def kill_pod(rng: random.Random, sim: Simulation) -> None:
    if serving := [life for life in sim.world.lives.values() if life.serving]:
        sim.world.end(rng.choice(serving))


def restart_container(rng: random.Random, sim: Simulation) -> None:
    if serving := [life for life in sim.world.lives.values() if life.serving]:
        life = rng.choice(serving)
        life.restart()
        life.loads = 0


def evict_pod(rng: random.Random, sim: Simulation) -> None:
    if serving := [life for life in sim.world.lives.values() if life.serving]:
        rng.choice(serving).evicted = True


def hide_pod(rng: random.Random, sim: Simulation) -> None:
    for life in sim.world.lives.values():
        life.reachable = rng.random() < 0.7


def registry(rng: random.Random, sim: Simulation) -> None:
    outages = (Unresolved("RegistryUnreachable", "down"), Unresolved("RegistryInvalid", "answered in HTML"))
    sim.world.outage = rng.choice((*outages, None, None))
    sim.world.poked = True


def flap(rng: random.Random, sim: Simulation) -> None:
    sim.world.flapping_until = sim.world.time + rng.uniform(1, 20)


def overload(rng: random.Random, sim: Simulation) -> None:
    sim.world.overloaded_until = sim.world.time + rng.uniform(1, 15)


def lag(rng: random.Random, sim: Simulation) -> None:
    sim.world.lag(rng.uniform(0.5, 8))


def set_clock(rng: random.Random, sim: Simulation) -> None:
    sim.world.skew = rng.choice([0.0, 0.0, 3600.0, -3600.0, rng.uniform(-30, 30)])


def kill_operator(rng: random.Random, sim: Simulation) -> None:
    sim.kill(rng.uniform(0, 15))


def lose_node(rng: random.Random, sim: Simulation) -> None:
    lost = rng.random() < 0.4
    for life in sim.world.lives.values():
        life.lost = lost


def gateway(rng: random.Random, sim: Simulation) -> None:
    sim.world.gateway_delay = rng.choice([0.0, 0.5, 3.0, 15.0])
    sim.world.gateway_refuses = rng.choice(["", "", "no such listener"])


def edit_route(rng: random.Random, sim: Simulation) -> None:
    sim.world.tampered = True
    for route in sim.world.store.of_kind("HTTPRoute"):
        if rng.random() < 0.5:
            sim.world.store.delete("HTTPRoute", route["metadata"]["namespace"], route["metadata"]["name"])
        else:
            rule = route["spec"]["rules"][0]
            backends = [backend | {"weight": rng.randint(1, 100)} for backend in rule["backendRefs"]]
            spec = route["spec"] | {"rules": [rule | {"backendRefs": backends}]}
            sim.world.store.write(route | {"metadata": dict(route["metadata"]), "spec": spec})


def edit_deployment(rng: random.Random, sim: Simulation) -> None:
    for deployment in sim.world.store.of_kind("Deployment"):
        changed = copy(deployment)
        if rng.random() < 0.2:
            sim.world.store.delete("Deployment", deployment["metadata"]["namespace"], deployment["metadata"]["name"])
            continue
        changed["spec"]["replicas"] = rng.randint(0, 4)
        if rng.random() < 0.3:
            changed["spec"]["template"]["spec"]["containers"][0]["image"] = "another:1"
        sim.world.store.write(changed)


def edit_service(rng: random.Random, sim: Simulation) -> None:
    for service in sim.world.store.of_kind("Service"):
        changed = copy(service)
        if rng.random() < 0.3:
            sim.world.store.delete("Service", service["metadata"]["namespace"], service["metadata"]["name"])
            continue
        changed["metadata"]["labels"][rng.choice(sorted(changed["metadata"]["labels"]))] = "mine"
        sim.world.store.write(changed)


def switch(rng: random.Random, sim: Simulation) -> None:
    """Somebody asks for a blue-green that needs no gateway."""
    wants: dict[str, object] = {"previewReplicas": rng.choice([None, 1, 3]), "preview": None}
    wants["pause"] = rng.choice([None, {"duration": "5s"}, {}])
    wants["verify"] = rng.choice([None, {"maxErrorRate": 0.05, "minRequests": 20}])
    sim.world.edit(strategy=NO_STRATEGY | {"blueGreen": wants})


def edit_selector(rng: random.Random, sim: Simulation) -> None:
    """Somebody leads the Service of all versions elsewhere."""
    sim.world.tampered = True
    service = sim.world.store.objects.get(("Service", NAMESPACE, NAME))
    if service:
        changed = copy(service)
        picks = changed["spec"]["selector"]
        changed["spec"]["selector"] = rng.choice([{"app": "mine"}, picks | {LABEL_REVISION: "none"}])
        sim.world.store.write(changed)


def fail_write(rng: random.Random, sim: Simulation) -> None:
    api = sim.controller.api
    api.fault = Fault(api.writes + rng.randint(0, 3), rng.choice(list(Mode)))


ACTIONS: dict[Action, int] = {
    push: 5, go_back: 2, wish: 4, scale: 2, pause: 2, change_steps: 1, kill_pod: 3, restart_container: 1, hide_pod: 2,
    registry: 2, gateway: 2, edit_route: 2, edit_deployment: 1, edit_service: 1, fail_write: 8, flap: 1, overload: 2,
    set_clock: 2, kill_operator: 2, lose_node: 1,
}  # fmt: skip
STRATEGIES: dict[Action, int] = {recreate: 3, blue_green: 4, evict_pod: 2, lag: 3}
TARGETED: dict[Action, int] = {early_adopters: 12}


WITHOUT_GATEWAY: dict[Action, int] = {
    recreate: 3, switch: 4, evict_pod: 2, lag: 3, edit_selector: 2, gates: 2, judge: 2,
}  # fmt: skip
LAST_WITHOUT_GATEWAY: tuple[Manifest, ...] = (
    SPEC["strategy"],
    {"recreate": {}},
    {"blueGreen": {"pause": {}, "verify": {"maxErrorRate": 0.05}, "preview": None}},
)


SHADOWS: dict[Action, int] = {shadow: 6, mirror_first: 3, collector: 3}


TESTS: dict[Action, int] = {ab_test: 10}


def variants(rng: random.Random, sim: Simulation) -> None:
    """Somebody asks for a test of several versions, whose aliases name any."""
    names = rng.sample(["large", "small", "other"], rng.randint(1, 3))
    for name in names:
        if rng.random() < 0.8:
            _release(rng, sim, name)
        else:
            sim.world.aliases[name] = rng.choice(list(sim.world.versions))
    tested = [{"name": one, "model": {"uri": f"models:/{NAME}@{one}"}, "weight": rng.choice([10, 20])} for one in names]
    wants = WANTS | {"weight": rng.choice([20, 30]), "variants": tested, "onWinner": rng.choice(["Promote", "Hold"])}
    wants["minDuration"] = rng.choice(["5s", "30s"])
    sim.world.edit(
        strategy=NO_STRATEGY | {"abTest": wants}, analysis=GUARDS, traffic=rng.choice([STICKY, {}]), gates=None
    )


def _release(rng: random.Random, sim: Simulation, alias: str) -> None:
    number, behaviour = str(len(sim.world.versions) + 1), rng.choice([Behaviour.FINE] * 15 + list(Behaviour))
    converts = rng.choice([0.1, 0.3, 0.7])
    sim.world.push(number, errors=rng.choice([0.0, 0.0, 0.0, 0.5]), converts=converts, behaviour=behaviour, alias=False)
    sim.world.aliases[alias] = number


def move_variant(rng: random.Random, sim: Simulation) -> None:
    """The alias of a variant is moved, to a version that is new or not, or taken away."""
    world = sim.world
    alias = rng.choice(["large", "small", "other"])
    if rng.random() < 0.6:
        _release(rng, sim, alias)
    elif rng.random() < 0.5:
        world.aliases[alias] = rng.choice(list(world.versions))
    else:
        world.aliases.pop(alias, None)
    world.poked = True


VARIANTS: dict[Action, int] = {variants: 12, move_variant: 3}


WITH_GATES: dict[Action, int] = {gates: 8, judge: 6}


def heal(sim: Simulation, strategy: Manifest) -> str:
    """Mend everything and ask for a version that is fine; return its number."""
    world = sim.world
    world.outage, world.gateway_delay, world.gateway_refuses = None, 0.5, ""
    world.flapping_until, world.overloaded_until = min(world.flapping_until, world.time), 0.0
    world.collector_away = False
    world.lagging_until = min(world.lagging_until, world.time)
    sim.controller.api.fault = None
    for life in world.lives.values():
        life.reachable, life.lost = True, False
    world.edit(replicas=2, paused=False, strategy=NO_STRATEGY | strategy)
    number = str(len(world.versions) + 1)
    world.push(number)
    return number
