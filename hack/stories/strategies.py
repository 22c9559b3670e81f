"""One story for each way of bringing a version to its users."""

from __future__ import annotations

import time

from hack.stories.teller import BETTER, FAILING, FIRST, NAME, NAMESPACE, SLOW, STICKY, VARIANT, Teller
from hack.users import METRIC

ERRORS = {"metrics": [{"name": "errors", "errorRate": {"marginAbsolute": 0.05}}]}


def blue_green(tell: Teller) -> None:
    """A switch, with a look at it before."""
    tell.story("Blue-green: tested on the idle environment, then switched")
    wants = {"preview": {"pathPrefix": f"/{NAMESPACE}-preview"}, "previewReplicas": 1, "pause": {}}
    tell.begin(strategy={"blueGreen": wants | {"verify": {"maxErrorRate": 0.02}}})
    with tell.traffic(30):
        tell.alias(BETTER)
        tell.says("until somebody promotes")
        tell.moment("The new version waits at an address of its own.")
        tell.plugin("promote", NAME)
        tell.says("verifying")
        time.sleep(2)
        tell.moment("She has tested it: all traffic was switched, and has to prove itself.")
        tell.serves(BETTER)
        tell.moment("Done; going back is one write for as long as the old one is warm.")


def recreate(tell: Teller) -> None:
    """One after the other, there and back."""
    tell.story("Recreate: no room for two")
    tell.begin(strategy={"recreate": {}}, replicas=1)
    with tell.traffic(20):
        tell.alias(BETTER)
        tell.says("waiting for", "to end")
        tell.moment("The old version stops first; the outage is said aloud.")
        tell.says("0 of 1 pods ready")
        tell.moment("Then the new one starts.")
        tell.serves(BETTER)
        tell.until(lambda s: "downSince" not in s, "the outage is over")
        events = f"kubectl get events -n {NAMESPACE} --field-selector reason=ServesAgain"
        tell.moment("How long nobody served stands in the events.", f"{events} -o custom-columns=MESSAGE:.message")
        tell.apply(strategy={"recreate": {}}, replicas=1, server={"image": "example.invalid/no/such:image"})
        tell.until(lambda s: s.get("verdict") == "Failed", "it is rolled back")
        tell.moment("The next one can't start: it makes room for the old one again.")


def shadow(tell: Teller) -> None:
    """Copies of real requests, compared."""
    tell.story("Shadow: the new version answers copies, and users never see it")
    wants = {"duration": "20s", "maxErrorRate": 0.02, "maxDisagreement": 0.3, "then": "Hold"}
    tell.begin(strategy={"shadow": wants})
    with tell.traffic(40):
        tell.alias(BETTER)
        tell.until(lambda s: s.get("rollout", {}).get("evidence", {}).get("pairs", {}).get("joined", 0) > 50, "pairs")
        tell.moment("Each request is answered twice; the collector compares the answers.")
        tell.says("until somebody promotes")
        tell.moment("Enough is proven; it waits for a person, still without users.")
        tell.plugin("promote", NAME)
        tell.serves(BETTER)
        tell.alias(FAILING)
        tell.until(lambda s: s.get("verdict") == "Failed", "it is rolled back")
        tell.moment("The next one fails where the old one answers. No user has met it.")


def ab_test(tell: Teller) -> None:
    """Users decide."""
    tell.story("A/B test: what users do decides")
    primary = {"metric": METRIC, "window": "5s"}
    wants = {"primary": primary, "minUnits": 60, "minDuration": "20s", "maxDuration": "1h", "onWinner": "Hold"}
    tell.begin(traffic=STICKY, strategy={"abTest": wants}, analysis=ERRORS)
    with tell.users({FIRST: 0.1, BETTER: 0.6}):
        tell.alias(BETTER)
        tell.until(lambda s: s.get("rollout", {}).get("weight") == 50, "the test begins")
        time.sleep(12)
        tell.moment("Half of the users get the new version and stay with it; nobody knows yet which one is better.")
        tell.says("until somebody promotes")
        tell.moment("It is better, whenever one looks; and it is safe. `onWinner: Hold` waits for a person.")
        tell.plugin("promote", NAME)
        tell.serves(BETTER)
        tell.moment("Done.")
    with tell.users({BETTER: 0.6, SLOW: 0.6}):
        tell.apply(traffic=STICKY, strategy={"abTest": wants | {"minDuration": "5s", "maxDuration": "30s"}},
                   analysis=ERRORS, scaleDownDelaySeconds=0)  # fmt: skip
        tell.alias(SLOW)
        tell.until(lambda s: s.get("verdict") == "NoWinner", "nobody wins")
        tell.moment("Another test, and no winner: what has served goes on serving, and nothing is wrong.")


def variants(tell: Teller) -> None:
    """Three versions at once, of which one fails."""
    tell.story("A/B test of three versions: one fails, one wins")
    tell.alias(FIRST, VARIANT)
    variant = {"name": "large", "model": {"uri": f"models:/penguins@{VARIANT}"}, "weight": 30}
    wants = {
        "weight": 30, "variants": [variant], "primary": {"metric": METRIC, "window": "5s"}, "minUnits": 60,
        "minDuration": "60s", "maxDuration": "1h", "onWinner": "Notify",
    }  # fmt: skip
    tell.begin(traffic=STICKY, strategy={"abTest": wants}, analysis=ERRORS, scaleDownDelaySeconds=0)
    with tell.users({FIRST: 0.1, BETTER: 0.6, FAILING: 0.2}):
        tell.alias(FAILING, VARIANT)
        tell.alias(BETTER)
        tell.until(lambda s: s.get("rollout", {}).get("weight") == 30, "the test begins")
        tell.says("large")
        tell.moment("Each user has one of three versions.")
        tell.until(lambda s: any("dropped" in one for one in s["rollout"]["variants"]), "one leaves")
        tell.moment("The variant fails on some rows: it leaves, and its users go back to the old version.")
        tell.until(lambda s: s.get("verdict") == "Winner", "the other one wins")
        tell.moment("The candidate has won. `onWinner: Notify` says so, and leaves it to a person.")
        tell.plugin("promote", NAME, "--revision", tell.rejected())
        tell.serves(BETTER)
        tell.moment("Done, without another test.")


def sticky_canary(tell: Teller) -> None:
    """A percentage of users instead of requests."""
    tell.story("Canary for a percentage of the users")
    steps = [{"setWeight": 20}, {"analysis": {"marginAbsolute": 0.1}}, {"setWeight": 50}, {"pause": {}}]
    tell.begin(traffic=STICKY, strategy={"canary": {"steps": steps}}, analysis={"minRequests": 30})
    with tell.users({}):
        tell.alias(BETTER)
        tell.until(lambda s: s.get("rollout", {}).get("weight") == 20, "its first users come")
        time.sleep(8)
        tell.moment("One in five users is with the new version and stays there; each counts once.")
        tell.says("until somebody promotes")
        tell.moment("The same users and more, half of all.")


def gates(tell: Teller) -> None:
    """Questions that a version has to answer before it gets traffic."""
    tell.story("Gates: a version that is wrong too often on the rows it was judged by")
    wants = {"signature": {}, "goldenSet": {"minAccuracy": 0.9, "notWorseThanStable": {"marginAbsolute": 0.02}}}
    tell.begin(BETTER, gates=wants)
    tell.alias(FIRST)
    tell.until(lambda s: s.get("verdict") == "Failed", "it does not pass")
    tell.moment("It was asked before any user was.")


def without_gateway(tell: Teller) -> None:
    """The numbers of pods are the weight."""
    tell.story("Without a gateway")
    steps = [{"setWeight": 20}, {"pause": {}}]
    tell.begin(traffic=None, replicas=4, strategy={"canary": {"steps": steps}})
    tell.alias(BETTER)
    tell.says("until somebody promotes")
    tell.moment("A plain Service leads to all pods: one in five is new.")
    wants = '{"spec":{"strategy":{"canary":null,"shadow":{}}}}'
    patch = f"kubectl patch md {NAME} -n {NAMESPACE} --type=merge -p '{wants}'"
    tell.moment("What can't be done there is refused, with the way out.", patch)
