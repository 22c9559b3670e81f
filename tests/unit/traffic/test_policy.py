"""The policy by which users stick to a version: what is asked of the gateway, and what it answers."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.traffic import Sticky
from sluice.resources.naming import Manifest, owner_reference
from sluice.traffic import policy

OWNER = owner_reference(name="birds", uid="0b2c")


def rendered(sticky: Sticky) -> Manifest:
    return policy.policy(name="birds", namespace="zoo", owner=OWNER, sticky=sticky)


def test_the_whole_policy() -> None:
    found = rendered(Sticky(header="X-User-ID"))
    assert (found["apiVersion"], found["kind"]) == ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy")
    assert found["metadata"]["name"] == "birds"
    assert found["metadata"]["ownerReferences"] == [OWNER]
    assert found["spec"] == {
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "birds"}],
        "mergeType": "StrategicMerge",
        "loadBalancer": {
            "type": "ConsistentHash",
            "consistentHash": {"type": "Headers", "headers": [{"name": "x-user-id"}]},
        },
    }


def test_a_cookie_has_no_time_to_live_or_the_gateway_would_set_one() -> None:
    hashed = rendered(Sticky(cookie="Session"))["spec"]["loadBalancer"]["consistentHash"]
    assert hashed == {"type": "Cookie", "cookie": {"name": "Session"}}


def condition(kind: str, status: str, *, seen: int = 3, reason: str = "Accepted", message: str = "") -> Manifest:
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": seen}


def answered(*conditions: Manifest, gateway: str = "public") -> Manifest:
    ancestor = {"ancestorRef": {"kind": "Gateway", "name": gateway}, "conditions": list(conditions)}
    found = rendered(Sticky(cookie="session"))
    found["metadata"]["generation"] = 3
    return found | {"status": {"ancestors": [ancestor]}}


ACCEPTED = condition("Accepted", "True")
CONFLICT = condition("Accepted", "False", reason="Conflicted", message="another one has already attached to it")
OVERRIDDEN = condition("Overridden", "True", reason="Overridden", message="overridden for rule 0")


def test_a_policy_that_the_gateway_has_taken_is_no_trouble() -> None:
    live = answered(ACCEPTED, condition("Merged", "True", reason="Merged", message="with edge/all"))
    assert policy.in_force(live, "public") is True
    assert policy.trouble(live, "public") is None


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([CONFLICT], "Conflicted: another one has already attached to it"),
        ([ACCEPTED, OVERRIDDEN], "Overridden: overridden for rule 0"),
        ([ACCEPTED, CONFLICT], "Conflicted"),  # of one of its listeners
    ],
)
def test_a_policy_that_does_nothing_is_trouble_with_the_gateways_words(conditions: list[Manifest], words: str) -> None:
    live = answered(*conditions)
    assert policy.in_force(live, "public") is False
    assert words in str(policy.trouble(live, "public"))


def merged(live: Manifest, **changes: Any) -> Manifest:
    return live | changes


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(None, id="it is not there"),
        pytest.param(answered(), id="nothing was said"),
        pytest.param(merged(answered(), status={}), id="nobody has answered"),
        pytest.param(merged(answered(), status={"ancestors": None}), id="null"),
        pytest.param(answered(condition("Accepted", "True", seen=2)), id="about an older one"),
        pytest.param(answered(condition("Accepted", "False", seen=2)), id="no to an older one"),
        pytest.param(answered(condition("Accepted", "Unknown")), id="unknown"),
        pytest.param(answered(ACCEPTED, gateway="another"), id="by another gateway"),
    ],
)
def test_without_an_answer_about_it_is_waited_for(live: Manifest | None) -> None:
    assert policy.in_force(live, "public") is None
    assert policy.trouble(live, "public") == policy.PENDING
