"""What is read of a route: the gateway's answer, edits by hand; nothing in one breaks the reader."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.traffic import gateway_api
from sluice.traffic.slots import Slot, written

from tests.unit.traffic.routes import TRAFFIC, backends_of, differing, json_values, render


def answered(
    accepted: str = "True", resolved: str = "True", *, seen: int = 3, generation: int = 3, gateway: str = "public"
) -> dict[str, Any]:
    route = render({"a": 90, "b": 10})
    route["metadata"]["generation"] = generation
    conditions = [
        {"type": "Accepted", "status": accepted, "reason": "NotAllowed", "message": "no listener takes it"},
        {"type": "ResolvedRefs", "status": resolved, "reason": "BackendNotFound", "message": "no Service birds-b"},
    ]
    parent = {
        "parentRef": {"name": gateway, "namespace": "edge"},
        "controllerName": "example.test/gateway",
        "conditions": [condition | {"observedGeneration": seen} for condition in conditions],
    }
    return {**route, "status": {"parents": [parent]}}


def test_an_accepted_route() -> None:
    state = gateway_api.read(answered())
    assert (state.accepted, state.reason, state.message) == (True, "", "")
    assert state.weights == {"a": 90, "b": 10}


def test_a_route_that_no_listener_takes_says_so() -> None:
    state = gateway_api.read(answered(accepted="False"))
    assert (state.accepted, state.reason, state.message) == (False, "NotAllowed", "no listener takes it")


def test_a_route_whose_service_is_missing_says_so() -> None:
    state = gateway_api.read(answered(resolved="False"))
    assert (state.accepted, state.reason, state.message) == (False, "BackendNotFound", "no Service birds-b")


@pytest.mark.parametrize(
    "route",
    [
        answered(seen=2),  # about an older route
        answered(accepted="False", seen=2),
        answered(accepted="Unknown"),
        answered(gateway="another"),  # of a gateway it was attached to before
        render({"a": 100}) | {"status": {"parents": []}},
        render({"a": 100}),
    ],
)
def test_no_answer_about_this_route_yet(route: dict[str, Any]) -> None:
    assert gateway_api.read(route).accepted is None


def test_what_an_earlier_controller_left_behind_does_not_hide_the_answer() -> None:
    route, old = answered(), answered(seen=1)
    route["status"]["parents"] += old["status"]["parents"]
    assert gateway_api.read(route).accepted is True


def test_a_half_given_answer_is_none() -> None:
    route = answered()
    route["status"]["parents"][0]["conditions"].pop()
    assert gateway_api.read(route).accepted is None


def edited(*backends: object) -> dict[str, Any]:
    route = render({"a": 100})
    route["spec"]["rules"][0]["backendRefs"] = list(backends)
    return route


@pytest.mark.parametrize(
    ("backends", "weights"),
    [
        ([{"name": "birds-a", "weight": 9}, {"name": "birds-b"}], {"a": 90, "b": 10}),
        ([{"name": "birds-a", "weight": 999}, {"name": "birds-b", "weight": 1}], {"a": 100, "b": 1}),
        ([{"name": "birds-a", "weight": 50}, {"name": "birds-a", "weight": 50}], {"a": 100}),
        ([{"name": "birds-a", "weight": 97}, {"name": "birds-b", "weight": 3}], {"a": 97, "b": 3}),
        ([{"name": "birds-a", "weight": 5}, {"name": "birds-a", "weight": 3}], {"a": 100}),
        (
            [{"name": "birds-a", "weight": 7}, {"name": "birds-b", "weight": 3}, {"name": "birds-a", "weight": 3}],
            {"a": 77, "b": 23},
        ),
        ([{"name": "mine", "weight": 100}], {"service/mine": 100}),
        ([{"name": "birds-a", "weight": "half"}, {"weight": True}, None, 7], {}),
        ([{"name": "birds-a", "weight": 0}], {}),
        ([{}], {"service/": 100}),
    ],
)
def test_hand_edited_weights_are_read_for_what_they_do(backends: list[object], weights: dict[str, int]) -> None:
    assert gateway_api.read(edited(*backends)).weights == weights


def test_a_vacant_place_is_known_for_one_whatever_becomes_of_the_weights() -> None:
    route = render({"a": 100})
    route["spec"]["rules"][0]["backendRefs"][0]["weight"] = 40
    assert [slot.share > 0 for slot in gateway_api.read_slots(route)] == [True, False, False]


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 8), min_size=1), st.lists(st.integers(0, 4), max_size=2))
def test_a_route_is_read_as_it_was_meant(parts: dict[str, int], vacant: list[int]) -> None:
    whole = sum(parts.values())
    meant = [Slot(one, 1_000_000 * part // whole) for one, part in parts.items()]
    meant[0] = Slot(meant[0].revision, 1_000_000 - sum(slot.share for slot in meant[1:]))
    for index in vacant:
        meant.insert(index, Slot(meant[0].revision, 0))
    stands = [{"name": f"birds-{slot.revision}", "weight": slot.share} for slot in written(meant)]
    found = gateway_api.read_slots(edited(*stands))
    assert [slot for slot in found if slot.share] == [slot for slot in meant if slot.share]


def test_a_route_with_vacant_places_stays_as_it_is_until_it_has_settled() -> None:
    shares = [("a", 159_994), ("a", 3), ("a", 3), ("b", 840_000)]
    live = edited(*({"name": f"birds-{one}", "weight": weight} for one, weight in shares))
    first = render({"c": 100}, live=live)
    assert backends_of(first)[1] == ("birds-c", 1)
    assert backends_of(render({"c": 100}, live=first)) == backends_of(first)


def paths(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document."""
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [path for key, inner in items for path in paths(inner, (*at, key))]


@given(st.sampled_from(paths(answered())), json_values)
def test_no_edit_breaks_the_reader_or_goes_unseen(path: tuple[Any, ...], value: object) -> None:
    route = copy.deepcopy(answered())
    place: Any = route
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    gateway_api.read(route)
    desired = render({"a": 90, "b": 10})
    if path[0] == "spec" and route["spec"] != desired["spec"] and value:
        assert differing(desired, route)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), json_values))
def test_garbage_is_a_route_without_weights(route: dict[str, Any]) -> None:
    assert gateway_api.read(route).weights == {}


def test_hosts_that_somebody_added_to_a_route_for_all_are_an_addition() -> None:
    desired = render({"a": 100}, TRAFFIC.model_copy(update={"hostnames": ()}))
    assert gateway_api.additions(desired, desired) == ()
    assert gateway_api.additions(desired, render({"a": 100})) == ("hostnames",)
