"""Objects are written when they are not as they should be, and only then."""

from __future__ import annotations

from tests.simulation.invariants import weights
from tests.unit.controller.bench import Bench


async def test_a_second_look_writes_nothing(bench: Bench) -> None:
    await bench.look()
    bench.api.written.clear()
    await bench.look()
    assert bench.api.written == []


async def test_a_hand_edit_of_the_route_is_repaired(bench: Bench) -> None:
    await bench.look()
    route = bench.world.store.of_kind("HTTPRoute")[0]
    rule = route["spec"]["rules"][0]
    changed = route["spec"] | {"rules": [rule | {"backendRefs": [rule["backendRefs"][0] | {"weight": 7}]}]}
    bench.world.store.write(route | {"metadata": dict(route["metadata"]), "spec": changed})
    await bench.look()
    assert weights(bench.world) == {bench.world.revision("1"): 100}
