"""The route where users stick to a version, or are tested: whose they are, and who is told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.traffic import Sticky, Traffic
from sluice.traffic import gateway_api

from tests.unit.traffic.routes import OWNER, STICKY, TRAFFIC, backends_of, headers_of, json_values, render

TRIAL = gateway_api.Trial("zoo/birds-1", control="a", challengers=(gateway_api.Challenger("b", 50),))


def tried(split: dict[str, int], traffic: Traffic = STICKY, live: dict[str, Any] | None = None) -> dict[str, Any]:
    return gateway_api.render(
        name="birds", namespace="zoo", owner=OWNER, traffic=traffic, split=split, live=live, settled=True, trial=TRIAL
    )


def test_in_a_test_with_sticky_users_the_order_of_the_backends_says_whose_users_they_are() -> None:
    backends = backends_of(tried({"a": 50, "b": 50}))
    assert len(backends) == 12
    assert sum(weight for _, weight in backends) == 1_000_000
    assert sum(weight for name, weight in backends if name == "birds-b") == 500_000
    assert gateway_api.read(tried({"a": 50, "b": 50})).weights == {"a": 50, "b": 50}
    assert gateway_api.read(tried({"a": 100})).weights == {"a": 100}
    assert gateway_api.read(tried({"a": 100})).parked == {"b"}


def test_without_a_ready_pod_of_the_treatment_there_is_no_test() -> None:
    without = replace(TRIAL, challengers=(gateway_api.Challenger("b", 50, ready=False),))
    route = gateway_api.render(
        name="birds", namespace="zoo", owner=OWNER, traffic=STICKY, split={"a": 100}, trial=without
    )
    assert {name for name, _ in backends_of(route)} == {"birds-a"}
    assert "x-sluice-experiment" in headers_of(route)[1]


@pytest.mark.parametrize(("split", "counts"), [({"a": 100}, False), ({"a": 50, "b": 50}, True), ({"b": 100}, False)])
def test_users_are_counted_only_while_both_versions_get_some(split: dict[str, int], counts: bool) -> None:
    told, untold = headers_of(tried(split))
    assert ("x-sluice-experiment" in told) == counts
    assert ("x-sluice-experiment" in untold) == (not counts)


@pytest.mark.parametrize("traffic", [STICKY, TRAFFIC], ids=["sticky", "requests"])
@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("split", [{"a": 100}, {"a": 50, "b": 50}, {"b": 100}], ids=str)
def test_outcomes_are_taken_as_long_as_the_test_runs(split: dict[str, int], ready: bool, traffic: Traffic) -> None:
    route = gateway_api.render(
        name="birds", namespace="zoo", owner=OWNER, traffic=traffic, split=split, settled=True,
        trial=replace(TRIAL, challengers=(gateway_api.Challenger("b", 50, ready),)),
    )  # fmt: skip
    assert headers_of(route)[0]["x-sluice-outcomes"] == "zoo/birds-1"
    assert "x-sluice-outcomes" in headers_of(render(split, traffic))[1], "without a test nobody writes himself into one"


def test_the_way_into_a_test_keeps_what_is_there() -> None:
    live = render({"a": 100}, STICKY)
    assert backends_of(live) == [("birds-a", 999_994), ("birds-a", 3), ("birds-a", 3)], "the whole never changes"
    backends = backends_of(tried({"a": 50, "b": 50}, live=live))
    assert sum(weight for name, weight in backends if name == "birds-b") < 10


@pytest.mark.parametrize("name", ["zoo/birds-2", "zoo/birds-8", "zoo/birds-16"])
def test_the_way_into_a_test_from_a_canary_that_has_just_been_given_up(name: str) -> None:
    live = render({"a": 100}, STICKY)
    (backend, *_) = live["spec"]["rules"][0]["backendRefs"]
    stands = [("birds-b", 2), ("birds-a", 999_994), ("birds-b", 2), ("birds-a", 2)]
    live["spec"]["rules"][0]["backendRefs"] = [backend | {"name": one, "weight": weight} for one, weight in stands]
    trial = gateway_api.Trial(name, control="a", challengers=(gateway_api.Challenger("c", 20),))
    route = gateway_api.render(
        name="birds", namespace="zoo", owner=OWNER, traffic=STICKY, split={"a": 80, "c": 20}, live=live, trial=trial
    )
    weights = [weight for _, weight in backends_of(route)]
    assert sum(weights) == 1_000_000
    assert min(weights) > 0, "who is leaving has nothing to give to those who come"


@pytest.mark.parametrize("split", [{"a": 40, "b": 60}, {"b": 100}, {"c": 100}, {"a": 90, "c": 10}])
def test_a_split_that_is_none_of_the_test_is_a_split_like_any(split: dict[str, int]) -> None:
    assert backends_of(tried(split)) == backends_of(render(split, STICKY))


def test_without_sticky_users_a_test_is_a_split_with_a_name() -> None:
    route = tried({"a": 50, "b": 50}, TRAFFIC)
    assert backends_of(route) == backends_of(render({"a": 50, "b": 50}))
    told, untold = headers_of(route)
    named = {"x-sluice-experiment": "zoo/birds-1", "x-sluice-outcomes": "zoo/birds-1"}
    assert told == {"x-sluice-assignment": "random"} | named
    assert untold == ["x-sluice-compare", "x-sluice-unit", "x-sluice-window"]


GROWING = gateway_api.Trial("zoo/birds-1", control="a", challengers=(gateway_api.Challenger("b", 99),), window=2)


def grown(split: dict[str, int], trial: gateway_api.Trial = GROWING) -> dict[str, Any]:
    return gateway_api.render(
        name="birds", namespace="zoo", owner=OWNER, traffic=STICKY, split=split, settled=True, trial=trial
    )


@pytest.mark.parametrize("weight", [1, 50, 99])
def test_a_canary_with_sticky_users_has_four_backends_and_its_users_are_counted_in_a_window(weight: int) -> None:
    route = grown({"a": 100 - weight, "b": weight})
    assert [name for name, _ in backends_of(route)] == ["birds-b", "birds-a", "birds-b", "birds-a"]
    assert sum(share for name, share in backends_of(route) if name == "birds-b") == 10_000 * weight
    told, untold = headers_of(route)
    assert told["x-sluice-window"] == "zoo/birds-1/2"
    assert told["x-sluice-unit"] == "header:x-user-id"
    assert {"x-sluice-experiment", "x-sluice-outcomes"} <= set(untold), "the collector is told nothing"


@pytest.mark.parametrize("split", [{"a": 100}, {"b": 100}])
def test_while_one_version_has_all_users_nobody_is_counted(split: dict[str, int]) -> None:
    assert "x-sluice-window" in headers_of(grown(split))[1]


def test_before_the_first_weight_there_are_places_and_no_window() -> None:
    route = grown({"a": 100}, replace(GROWING, window=0))
    assert len(backends_of(route)) == 4
    assert gateway_api.read(route).parked == {"b"}
    assert "x-sluice-window" in headers_of(route)[1]


@pytest.mark.parametrize(
    ("sticky", "unit"),
    [(Sticky(header="X-User-ID"), "header:x-user-id"), (Sticky(cookie="Session"), "cookie:Session")],
)
def test_the_route_says_where_a_users_id_is_as_long_as_users_are_sticky(sticky: Sticky, unit: str) -> None:
    route = render({"a": 100}, TRAFFIC.model_copy(update={"sticky": sticky}))
    told, untold = headers_of(route)
    assert told["x-sluice-unit"] == unit
    assert untold == ["x-sluice-compare", "x-sluice-experiment", "x-sluice-window", "x-sluice-outcomes"]
    assert gateway_api.names_users(route)
    assert not gateway_api.names_users(render({"a": 100}))
    assert not gateway_api.names_users(None)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), json_values))
def test_garbage_names_no_users(route: dict[str, Any]) -> None:
    assert not gateway_api.names_users(route)
