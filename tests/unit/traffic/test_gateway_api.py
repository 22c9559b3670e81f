"""The route: what is rendered is what is read back, and nothing in a hand-edited route breaks the reader."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.strategy import Preview
from sluice.api.traffic import GatewayRef, Sticky, Traffic
from sluice.resources.differences import differences
from sluice.resources.naming import owner_reference
from sluice.traffic import gateway_api

OWNER = owner_reference(name="birds", uid="0b2c")
TRAFFIC = Traffic(
    gateway=GatewayRef(name="public", namespace="edge"), hostnames=("birds.example.test",), path_prefix="/birds"
)

revisions = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    """Percents that sum to 100, zeros allowed, over one to four revisions."""
    names = draw(st.lists(revisions, min_size=1, max_size=4, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1)))
    return dict(zip(names, (b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)), strict=True))


def render(split: dict[str, int], traffic: Traffic = TRAFFIC) -> dict[str, Any]:
    return gateway_api.render(name="birds", namespace="zoo", owner=OWNER, traffic=traffic, split=split)


@given(splits())
def test_what_is_rendered_is_what_is_read(split: dict[str, int]) -> None:
    state = gateway_api.read(json.loads(json.dumps(render(split))))
    assert state.weights == {revision: weight for revision, weight in split.items() if weight}
    assert list(state.weights) == [revision for revision, weight in split.items() if weight], "in the given order"
    assert state.accepted is None


@given(splits())
def test_every_backend_has_its_own_filter_even_a_single_one(split: dict[str, int]) -> None:
    (rule,) = render(split)["spec"]["rules"]
    for backend in rule["backendRefs"]:
        assert backend["weight"] > 0
        (own,) = backend["filters"]
        (header,) = own["responseHeaderModifier"]["set"]
        assert backend["name"] == f"birds-{header['value']}"


def differing(desired: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return [path for path, *_ in differences("spec", desired["spec"], live.get("spec"))]


def test_a_change_of_weight_changes_nothing_but_weights() -> None:
    before, after = render({"a": 90, "b": 10}), render({"a": 50, "b": 50})
    assert differing(after, before) == ["spec.rules[0].backendRefs[0].weight", "spec.rules[0].backendRefs[1].weight"]


def test_the_whole_route() -> None:
    assert render({"a": 95, "b": 5, "c": 0})["spec"] == {
        "parentRefs": [
            {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "edge"}
        ],
        "hostnames": ["birds.example.test"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/birds"}}],
                "filters": [
                    {
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {
                            "set": [{"name": "x-sluice-assignment", "value": "random"}],
                            "remove": [
                                "x-sluice-compare",
                                "x-sluice-unit",
                                "x-sluice-experiment",
                                "x-sluice-window",
                                "x-sluice-outcomes",
                            ],
                        },
                    },
                    {
                        "type": "URLRewrite",
                        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
                    },
                ],
                "backendRefs": [
                    {
                        "group": "",
                        "kind": "Service",
                        "name": f"birds-{revision}",
                        "port": 80,
                        "weight": weight,
                        "filters": [
                            {
                                "type": "ResponseHeaderModifier",
                                "responseHeaderModifier": {"set": [{"name": "x-sluice-revision", "value": revision}]},
                            }
                        ],
                    }
                    for revision, weight in (("a", 95), ("b", 5))
                ],
            }
        ],
    }


def test_copies_go_to_a_port_of_their_own_and_say_what_is_compared() -> None:
    mirror = gateway_api.Mirror("b", 20, "zoo/birds-1;50")
    live = render({"a": 100})
    route = gateway_api.render(
        name="birds", namespace="zoo", owner=OWNER, traffic=TRAFFIC, split={"a": 100}, live=live, mirror=mirror
    )
    (rule,) = route["spec"]["rules"]
    headers, _, copies = rule["filters"]
    assert headers["requestHeaderModifier"] == {
        "set": [
            {"name": "x-sluice-assignment", "value": "random"}, {"name": "x-sluice-compare", "value": "zoo/birds-1;50"},
        ],
        "remove": ["x-sluice-unit", "x-sluice-experiment", "x-sluice-window", "x-sluice-outcomes"],
    }  # fmt: skip
    backend = {"group": "", "kind": "Service", "name": "birds-b", "port": 8081}
    assert copies == {"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": 20}}
    assert gateway_api.read(route).weights == {"a": 100}, "copies are no traffic"
    assert rule["backendRefs"] == live["spec"]["rules"][0]["backendRefs"]


@pytest.mark.parametrize(
    ("prefix", "path", "rewritten"),
    [("/", "/", False), ("/birds", "/birds", True), ("/birds/", "/birds", True), ("/a/b", "/a/b", True)],
)
def test_the_prefix_is_removed_before_the_model_server(prefix: str, path: str, rewritten: bool) -> None:
    (rule,) = render({"a": 100}, TRAFFIC.model_copy(update={"path_prefix": prefix}))["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": path}}]
    assert any(found["type"] == "URLRewrite" for found in rule["filters"]) is rewritten


def test_a_gateway_in_the_same_namespace_and_no_hostnames_are_left_to_the_gateway() -> None:
    spec = render({"a": 100}, Traffic(gateway=GatewayRef(name="public")))["spec"]
    assert "namespace" not in spec["parentRefs"][0]
    assert "hostnames" not in spec


@pytest.mark.parametrize("split", [{}, {"a": 0}])
def test_a_route_to_nowhere_is_never_rendered(split: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="weight above zero"):
        render(split)


def test_a_route_without_a_gateway_is_never_rendered() -> None:
    with pytest.raises(ValueError, match=r"traffic\.gateway\.name"):
        render({"a": 100}, Traffic())


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
        ([{"name": "mine", "weight": 100}], {"service/mine": 100}),
        ([{"name": "birds-a", "weight": "half"}, {"weight": True}, None, 7], {}),
        ([{"name": "birds-a", "weight": 0}], {}),
        ([{}], {"service/": 100}),
    ],
)
def test_hand_edited_weights_are_read_for_what_they_do(backends: list[object], weights: dict[str, int]) -> None:
    assert gateway_api.read(edited(*backends)).weights == weights


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


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


def test_what_is_rendered_does_not_differ_and_a_header_match_added_by_hand_does() -> None:
    desired = render({"a": 100})
    live = copy.deepcopy(desired)
    assert not differing(desired, live)
    live["spec"]["rules"][0]["matches"][0]["headers"] = [{"name": "x-group", "value": "early"}]
    assert differing(desired, live) == ["spec.rules[0].matches[0].headers"]


def test_hosts_that_somebody_added_to_a_route_for_all_are_an_addition() -> None:
    desired = render({"a": 100}, TRAFFIC.model_copy(update={"hostnames": ()}))
    assert gateway_api.additions(desired, desired) == ()
    assert gateway_api.additions(desired, render({"a": 100})) == ("hostnames",)


def preview(preview: Preview) -> dict[str, Any]:
    route = gateway_api.render_preview(
        name="birds", namespace="zoo", owner=OWNER, traffic=TRAFFIC, preview=preview, revision="b"
    )
    assert route["metadata"]["name"] == "birds.preview"
    assert gateway_api.read(route).weights == {"b": 100}
    spec: dict[str, Any] = route["spec"]
    return spec


def test_a_preview_at_a_path_of_its_own_keeps_the_hosts_of_the_traffic() -> None:
    spec = preview(Preview(path_prefix="/new/"))
    assert spec["hostnames"] == ["birds.example.test"]
    assert spec["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/new"}}]
    assert spec["parentRefs"] == render({"a": 100})["spec"]["parentRefs"]


def test_a_preview_at_hosts_of_its_own_keeps_the_path_of_the_traffic() -> None:
    spec = preview(Preview(hostnames=("new.example.test",)))
    assert spec["hostnames"] == ["new.example.test"]
    assert spec["rules"][0]["matches"] == render({"a": 100})["spec"]["rules"][0]["matches"]


def test_what_comes_through_a_preview_is_marked_as_no_evidence() -> None:
    (first, _) = preview(Preview(path_prefix="/new"))["rules"][0]["filters"]
    assert first["requestHeaderModifier"]["set"] == [{"name": "x-sluice-assignment", "value": "probe"}]


STICKY = TRAFFIC.model_copy(update={"sticky": Sticky(header="X-User-ID")})
TRIAL = gateway_api.Trial("zoo/birds-1", control="a", challengers=(gateway_api.Challenger("b", 50),))


def tried(split: dict[str, int], traffic: Traffic = STICKY, live: dict[str, Any] | None = None) -> dict[str, Any]:
    return gateway_api.render(
        name="birds", namespace="zoo", owner=OWNER, traffic=traffic, split=split, live=live, settled=True, trial=TRIAL
    )


def headers_of(route: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    headers = route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]
    return {entry["name"]: entry["value"] for entry in headers["set"]}, headers.get("remove", [])


def backends_of(route: dict[str, Any]) -> list[tuple[str, int]]:
    return [(backend["name"], backend["weight"]) for backend in route["spec"]["rules"][0]["backendRefs"]]


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
    assert backends_of(route) == [("birds-a", 1_000_000)]
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
    assert backends_of(live) == [("birds-a", 1_000_000)], "the whole never changes"
    backends = backends_of(tried({"a": 50, "b": 50}, live=live))
    assert sum(weight for name, weight in backends if name == "birds-b") < 10


@pytest.mark.parametrize("split", [{"a": 40, "b": 60}, {"b": 100}, {"c": 100}, {"a": 90, "c": 10}])
def test_a_split_that_is_none_of_the_test_is_a_split_like_any(split: dict[str, int]) -> None:
    assert len(backends_of(tried(split))) == len(split)


def test_without_sticky_users_a_test_is_a_split_with_a_name() -> None:
    route = tried({"a": 50, "b": 50}, TRAFFIC)
    assert backends_of(route) == [("birds-a", 50), ("birds-b", 50)]
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
