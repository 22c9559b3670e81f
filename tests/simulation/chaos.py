"""What may go wrong, at random: people, versions, pods, registry, gateway and the controller itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from sluice.core.observation import Unresolved

from tests.simulation.controller import Fault, Mode
from tests.simulation.pods import Behaviour
from tests.simulation.simulation import Simulation
from tests.simulation.stories import SPEC

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
    sim.world.wish(rng.choice(["abort", "promote", "retry"]), candidate or rng.choice(names))


def scale(rng: random.Random, sim: Simulation) -> None:
    sim.world.edit(replicas=rng.choice([0, 1, 2, 2, 3, 4]))


def pause(rng: random.Random, sim: Simulation) -> None:
    sim.world.edit(paused=rng.random() < 0.5)


def change_steps(rng: random.Random, sim: Simulation) -> None:
    weights = sorted(rng.sample(range(1, 101), rng.randint(1, 3)))
    steps = [step for weight in weights for step in ({"setWeight": weight}, {"analysis": {"marginAbsolute": 0.1}})]
    sim.world.edit(strategy={"canary": {"steps": steps[: rng.randint(1, len(steps))]}})


def kill_pod(rng: random.Random, sim: Simulation) -> None:
    if serving := [life for life in sim.world.lives.values() if life.serving]:
        sim.world.end(rng.choice(serving))


def restart_container(rng: random.Random, sim: Simulation) -> None:
    if serving := [life for life in sim.world.lives.values() if life.serving]:
        life = rng.choice(serving)
        life.restart()
        life.loads = 0


def hide_pod(rng: random.Random, sim: Simulation) -> None:
    for life in sim.world.lives.values():
        life.reachable = rng.random() < 0.7


def registry(rng: random.Random, sim: Simulation) -> None:
    sim.world.outage = Unresolved("RegistryUnreachable", "down") if rng.random() < 0.5 else None


def gateway(rng: random.Random, sim: Simulation) -> None:
    sim.world.gateway_delay = rng.choice([0.0, 0.5, 3.0, 15.0])
    sim.world.gateway_refuses = rng.choice(["", "", "no such listener"])


def edit_route(rng: random.Random, sim: Simulation) -> None:
    for route in sim.world.store.of_kind("HTTPRoute"):
        if rng.random() < 0.5:
            sim.world.store.delete("HTTPRoute", route["metadata"]["namespace"], route["metadata"]["name"])
        else:
            rule = route["spec"]["rules"][0]
            backends = [backend | {"weight": rng.randint(1, 100)} for backend in rule["backendRefs"]]
            spec = route["spec"] | {"rules": [rule | {"backendRefs": backends}]}
            sim.world.store.write(route | {"metadata": dict(route["metadata"]), "spec": spec})


def fail_write(rng: random.Random, sim: Simulation) -> None:
    api = sim.controller.api
    api.fault = Fault(api.writes + rng.randint(0, 3), rng.choice(list(Mode)))


ACTIONS: Mapping[Action, int] = {
    push: 5, go_back: 2, wish: 4, scale: 2, pause: 2, change_steps: 1, kill_pod: 3, restart_container: 1, hide_pod: 2,
    registry: 1, gateway: 2, edit_route: 1, fail_write: 10,
}  # fmt: skip


def heal(sim: Simulation) -> str:
    """Mend everything and ask for a version that is fine; return its number."""
    world = sim.world
    world.outage, world.gateway_delay, world.gateway_refuses = None, 0.5, ""
    sim.controller.api.fault = None
    for life in world.lives.values():
        life.reachable = True
    world.edit(replicas=2, paused=False, strategy=SPEC["strategy"])
    number = str(len(world.versions) + 1)
    world.push(number)
    return number
