"""The route: all that is rendered, and that it is what is read back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.strategy import Preview
from sluice.api.traffic import GatewayRef, Traffic
from sluice.traffic import gateway_api

from tests.unit.traffic.routes import OWNER, TRAFFIC, backends_of, differing, render

revisions = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    """Percents that sum to 100, zeros allowed, over one to four revisions."""
    names = draw(st.lists(revisions, min_size=1, max_size=4, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1)))
    return dict(zip(names, (b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)), strict=True))


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


def test_a_change_of_weight_changes_nothing_but_weights() -> None:
    before, after = render({"a": 90, "b": 10}), render({"a": 50, "b": 50})
    assert [name for name, _ in backends_of(before)] == ["birds-a", "birds-b", "birds-b"], "the last place is vacant"
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
                    for revision, weight in (("a", 950_000), ("b", 50_000 - 3), ("b", 3))
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


def test_what_is_rendered_does_not_differ_and_a_header_match_added_by_hand_does() -> None:
    desired = render({"a": 100})
    live = copy.deepcopy(desired)
    assert not differing(desired, live)
    live["spec"]["rules"][0]["matches"][0]["headers"] = [{"name": "x-group", "value": "early"}]
    assert differing(desired, live) == ["spec.rules[0].matches[0].headers"]


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
