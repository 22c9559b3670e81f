"""The route of requests that are meant for a candidate: who comes in, as what, and how it comes and leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.matching import Cookie, Header, Match
from sluice.api.traffic import GatewayRef, Traffic
from sluice.resources.naming import owner_reference
from sluice.traffic import gateway_api, targeted

OWNER = owner_reference(name="birds", uid="0b2c")
TRAFFIC = Traffic(gateway=GatewayRef(name="public", namespace="edge"), path_prefix="/birds")
GROUP = Match(header=Header(name="X-Group", value="early (all)"))
BETA = Match(cookie=Cookie(name="group", value="beta.*"))
MATCHES = (GROUP, BETA)

values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
header_names = st.sampled_from(["x-group", "cookie", "x-sluice-assignment", "x-sluice-parked", "x-sluice-revision"])
requests = st.dictionaries(
    header_names,
    values | st.sampled_from(["random", "targeted", "early (all)", "group=beta.*", "a=1; group=beta.*; b=2", ""]),
)


def step(
    revision: str | None, live: dict[str, Any] | None = None, *, settled: bool = False, who: tuple[Match, ...] = MATCHES
) -> dict[str, Any] | None:  # fmt: skip
    """The next route on the way to one that leads to a revision."""
    rendered = targeted.render(
        targeted.Targeted(who, revision), name="birds", namespace="zoo", owner=OWNER, traffic=TRAFFIC, live=live,
        settled=settled,
    )  # fmt: skip
    return json.loads(json.dumps(rendered))  # type: ignore[no-any-return]


def route_of(revision: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parked and the open route to a revision."""
    parked = step(revision)
    assert parked is not None
    opened = step(revision, parked, settled=True)
    assert opened is not None
    return parked, opened


PARKED, OPEN = route_of("b")
GENERAL = gateway_api.render(name="birds", namespace="zoo", owner=OWNER, traffic=TRAFFIC, split={"a": 90, "b": 10})


def fulfils(headers: Mapping[str, str], match: Mapping[str, Any]) -> bool:
    """Whether a request fulfils all header matches, as a gateway decides it; expressions match the whole value."""
    for one in match.get("headers", ()):
        value = headers.get(one["name"])
        if value is None:
            return False
        if not (value == one["value"] if one["type"] == "Exact" else re.fullmatch(one["value"], value)):
            return False
    return True


def sent(headers: Mapping[str, str], *routes: Mapping[str, Any]) -> tuple[str, set[str]]:
    """What a request counts as, and the Services it may be sent to: more header matches win (Gateway API)."""
    rules = [(len(m.get("headers", ())), r) for one in routes for r in one["spec"]["rules"] for m in r["matches"]
             if fulfils(headers, m)]  # fmt: skip
    _, rule = max(rules, key=lambda found: found[0])
    after = dict(headers)
    for found in rule["filters"]:
        for header in found.get("requestHeaderModifier", {}).get("set", ()):
            after[header["name"]] = header["value"]
    return after["x-sluice-assignment"], {backend["name"] for backend in rule["backendRefs"]}


@pytest.mark.parametrize(
    ("headers", "comes_in"),
    [
        ({}, False),
        ({"x-group": "early (all)"}, True),
        ({"x-group": "early (all) "}, False),
        ({"x-group": "early"}, False),
        ({"group": "beta.*"}, False),
        ({"cookie": "group=beta.*"}, True),
        ({"cookie": "a=1; group=beta.*"}, True),
        ({"cookie": "group=beta.*; a=1"}, True),
        ({"cookie": "a=1;group=beta.*;b=2"}, True),
        ({"cookie": "group=beta.*x"}, False),
        ({"cookie": "group=betaxx"}, False),
        ({"cookie": "xgroup=beta.*"}, False),
        ({"cookie": "a=group=beta.*"}, False),
        ({"cookie": "groupx=beta.*"}, False),
        ({"cookie": "a=1 group=beta.*"}, False),
    ],
    ids=str,
)
def test_only_who_matches_comes_in(headers: dict[str, str], comes_in: bool) -> None:
    expected = ("targeted", {"birds-b"}) if comes_in else ("random", {"birds-a", "birds-b"})
    assert sent(headers, GENERAL, OPEN) == expected
    assert sent(headers, OPEN, GENERAL) == expected, "whichever a gateway has known first"
    assert sent(headers, GENERAL, PARKED) == ("random", {"birds-a", "birds-b"})


@given(requests)
def test_no_header_makes_a_request_count_as_what_it_is_not(
    headers: dict[str, str],
) -> None:
    assignment, services = sent(headers, GENERAL, OPEN)
    asked = headers.get("x-group") == "early (all)"
    asked |= "group=beta.*" in [cookie.strip() for cookie in headers.get("cookie", "").split(";")]
    assert (assignment, services) == (("targeted", {"birds-b"}) if asked else ("random", {"birds-a", "birds-b"}))


@given(requests)
def test_nobody_comes_into_a_parked_route(headers: dict[str, str]) -> None:
    assert sent(headers, GENERAL, PARKED)[0] == "random"


cookies = st.builds(
    Cookie,
    name=st.from_regex(r"[A-Za-z0-9._-]{1,8}", fullmatch=True),
    value=st.from_regex(r"[!#$%&()*+./0-9:<=>?@A-Z\[\]^_a-z{|}~-]{1,8}", fullmatch=True),
)


@given(cookies, st.lists(cookies, max_size=4), st.sampled_from(["; ", ";"]))
def test_a_cookie_is_found_by_its_very_name_and_value(wanted: Cookie, there: list[Cookie], sep: str) -> None:
    header = sep.join(f"{one.name}={one.value}" for one in there)
    assert bool(re.fullmatch(targeted.among_cookies(wanted), header)) == (wanted in there)
    with_it = sep.join(part for part in (header, f"{wanted.name}={wanted.value}") if part)
    assert re.fullmatch(targeted.among_cookies(wanted), with_it)


def test_it_comes_parked_and_opens_when_proxies_know_it() -> None:
    assert targeted.read(PARKED).weights == {}
    assert targeted.read(PARKED).parked == {"b"}
    assert step("b", PARKED) == PARKED
    assert targeted.read(OPEN).weights == {"b": 100}
    assert targeted.read(OPEN).parked == frozenset()
    assert step("b", OPEN) == OPEN, "who is open stays so"


def test_it_leaves_parked_and_is_taken_away_when_no_proxy_sends_anybody() -> None:
    assert step(None, OPEN, settled=True) == PARKED
    assert step(None, PARKED) == PARKED
    assert step(None, PARKED, settled=True) is None
    assert step(None) is None


def test_from_one_candidate_to_the_next_nobody_is_sent_to_a_cluster_that_changes() -> None:
    parked, _ = route_of("c")
    assert step("c", OPEN, settled=True) == PARKED
    assert step("c", PARKED) == PARKED
    assert step("c", PARKED, settled=True) == parked


def test_who_matches_may_change_at_once_and_no_cluster_goes() -> None:
    fewer = step("b", OPEN, who=(BETA,))
    assert fewer is not None
    assert targeted.read(fewer).weights == {"b": 100}
    assert len(fewer["spec"]["rules"]) == len(OPEN["spec"]["rules"])
    assert sent({"x-group": "early (all)"}, GENERAL, fewer)[0] == "random"
    assert sent({"cookie": "group=beta.*"}, GENERAL, fewer)[0] == "targeted"
    assert step("b", fewer) == OPEN


def test_more_matches_than_there_are_rules_come_parked() -> None:
    more = (*MATCHES, Match(header=Header(name="x-new", value="1")))
    parked = step("b", OPEN, who=more, settled=True)
    assert parked is not None
    assert targeted.read(parked).parked == {"b"}
    assert step("b", parked, who=more) == parked
    opened = step("b", parked, who=more, settled=True)
    assert opened is not None
    assert sent({"x-new": "1"}, GENERAL, opened) == ("targeted", {"birds-b"})


def test_each_match_has_a_rule_of_its_own() -> None:
    assert [len(rule["matches"]) for rule in OPEN["spec"]["rules"]] == [1, 1]
    assert [rule["matches"][0]["headers"] for rule in PARKED["spec"]["rules"]] == [[targeted.NOBODY]] * 2


def refused(route: dict[str, Any]) -> dict[str, Any]:
    conditions = [{"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "observedGeneration": 1}]
    status = {"parents": [{"parentRef": {"name": "public"}, "conditions": conditions}]}
    return route | {"metadata": route["metadata"] | {"generation": 1}, "status": status}


def test_a_refused_route_is_taken_away_at_once_and_never_opened() -> None:
    assert step(None, refused(PARKED)) is None
    opened = step("b", refused(PARKED))
    assert opened is not None
    assert targeted.read(opened).weights == {}


@pytest.mark.parametrize("broken", [{}, {"spec": {}}, {"spec": {"rules": [{}]}}, {"spec": {"rules": "x"}}], ids=str)
def test_what_somebody_has_made_of_it_is_made_anew(broken: dict[str, Any]) -> None:
    live = {"metadata": {"name": "birds.targeted"}} | broken
    assert step("b", live, settled=True) == PARKED
    assert step(None, live) is None


def test_it_is_a_route_of_its_own_beside_the_general_one() -> None:
    assert PARKED["metadata"]["name"] == "birds.targeted"
    (general,) = GENERAL["spec"]["rules"]
    for rule in OPEN["spec"]["rules"]:
        assert rule["matches"][0]["path"] == general["matches"][0]["path"]
        assert rule["filters"][1:] == general["filters"][1:], "the prefix is removed for all"
    assert OPEN["spec"]["parentRefs"] == GENERAL["spec"]["parentRefs"]
