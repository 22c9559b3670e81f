"""Details of the view that no whole story shows."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console
from sluice.api.spec import parse_spec
from sluice.cli import picking, records
from sluice.cli.advice import advise
from sluice.cli.ending import Ending, ending
from sluice.cli.errors import CliError, Exit
from sluice.cli.kubectl import Object
from sluice.cli.pairs import PairsView
from sluice.cli.render import screen, table
from sluice.cli.states import Tone
from sluice.cli.steps import steps_of, title
from sluice.cli.view import build
from sluice.core.strategies.ab_test import ABTestStrategy
from sluice.core.strategies.blue_green import BlueGreenStrategy
from sluice.core.strategies.canary import CanaryStrategy
from sluice.core.strategies.shadow import ShadowStrategy

from tests.unit.cli.cluster import NOW, ONE, THREE, TWO, model_deployment, rollout


def pod(name: str, *, ready: bool, started: bool, **status: object) -> Object:
    container = {"name": "server", "ready": ready, "started": started, "restartCount": 0, "state": {"running": {}}}
    return {
        "metadata": {"name": name, "uid": name, "labels": {"sluice.dev/revision": "aaaa"},
                     "creationTimestamp": "2030-01-01T11:59:00Z"},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}], "containerStatuses": [container]} | status,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (pod("a", ready=True, started=True), "ready"),
        (pod("a", ready=False, started=False), "starting"),
        (pod("a", ready=False, started=True), "not ready"),
        (pod("a", ready=False, started=False, containerStatuses=[]), "starting"),
    ],
)
def test_a_pod_that_was_up_is_not_said_to_start(given: Object, state: str) -> None:
    stable = build(model_deployment(), [given], NOW).revision("stable")
    assert stable
    assert (stable.pods[0].state, stable.pods[0].age) == (state, "1m")


def test_the_same_model_with_other_settings_is_told_apart() -> None:
    other = rollout() | {"revision": ONE | {"name": "eeee"}}
    found = [build(model_deployment(rollout=one), (), NOW).revision("candidate") for one in (other, rollout())]
    assert ["the same model" in one.note for one in found if one] == [True, False]


def several() -> Object:
    """A test of versions 2 and 3 and one that was dropped."""
    four = THREE | {"name": "dddd", "modelVersion": "4"}
    large: dict[str, Any] = {"name": "large", "revision": THREE, "weight": 20}
    large |= {"evidence": {"harm": 0.1, "safe": 0.5, "test": {"statement": "conversion: 0.2 beside 0.1"}}}
    variants = [
        {"name": "candidate", "revision": TWO, "weight": 30}, large,
        {"name": "small", "revision": four, "weight": 10, "dropped": "HarmProven", "message": "it failed"},
    ]  # fmt: skip
    return model_deployment(rollout=rollout(weight=30) | {"variants": variants})


def test_all_versions_of_a_test_are_shown_with_their_shares() -> None:
    view = build(several(), (), NOW)
    assert [(one.role, one.revision, one.weight) for one in view.revisions] == [
        ("stable", "aaaa", 50), ("candidate", "bbbb", 30), ("candidate", "cccc", 20),
    ]  # fmt: skip
    assert view.evidence
    assert [(one.name, one.version, one.dropped, one.statement) for one in view.evidence.variants] == [
        ("large", "penguins/3", "", "conversion: 0.2 beside 0.1"),
        ("small", "penguins/4", "HarmProven: it failed", ""),
    ]


@pytest.mark.parametrize(
    ("wanted", "revision"),
    [(None, "bbbb"), ("candidate", "bbbb"), ("2", "bbbb"), ("large", "cccc"), ("3", "cccc"), ("penguins/3", "cccc")],
)
def test_a_person_may_mean_any_version_of_a_test(wanted: str | None, revision: str) -> None:
    assert picking.candidate(several(), "promote", wanted) == revision


def test_who_was_dropped_can_not_be_meant() -> None:
    with pytest.raises(CliError, match="the candidate is penguins/2"):
        picking.candidate(several(), "promote", "small")


@pytest.mark.parametrize(("version", "goes_on"), [("2", True), ("3", True), ("4", False)])
def test_any_version_of_a_test_can_be_waited_for(version: str, goes_on: bool) -> None:
    assert (ending(several(), "bbbb", version) is None) is goes_on


def test_a_record_says_what_became_of_each_version() -> None:
    spec: dict[str, Any] = {"modelDeployment": "penguins", "candidate": TWO, "stable": ONE, "strategy": "abTest"}
    spec |= {"variants": [{"name": "candidate", "revision": TWO}, {"name": "large", "revision": THREE}]}
    found = [
        {
            "name": "candidate",
            "revision": "bbbb",
            "outcome": "RolledBack",
            "cause": "HarmProven",
            "message": "it failed",
        },
        {"name": "large", "revision": "cccc", "outcome": "Promoted", "cause": "Completed", "statement": "better by 1"},
    ]
    shown = records.rollout({"metadata": {"name": "p-1"}, "spec": spec, "status": {"variants": found}})
    assert shown.variants == (
        "candidate penguins/2: RolledBack (HarmProven); it failed",
        "large penguins/3: Promoted (Completed); better by 1",
    )


def test_without_a_gateway_pods_say_who_has_which_share() -> None:
    asked = {"weight": 10, "servicePods": {"candidate": 1, "stable": 4}}
    view = build(model_deployment(rollout=rollout() | asked), (), NOW)
    stable, candidate = view.revision("stable"), view.revision("candidate")
    assert stable
    assert candidate
    assert (stable.weight, candidate.weight) == (80, 20)
    assert candidate.note.endswith(", 1 of 5 pods (10 % asked for)")
    assert view.evidence
    assert view.evidence.weight == 20


def test_only_so_many_old_revisions_are_shown() -> None:
    old = [{"revision": TWO | {"name": f"r{n}"}, "scaleDownAt": "2030-01-01T11:00:00Z", "wasStable": True}
           for n in range(6)]  # fmt: skip
    shown = build(model_deployment(retired=old), (), NOW)
    assert [one.revision for one in shown.revisions] == ["aaaa", "r5", "r4", "r3"]
    assert shown.hidden == 3


def test_a_narrow_table_cuts_the_end_of_the_line_only() -> None:
    out = io.StringIO()
    rows = [("1", "penguins/1", "12", "a long message " * 9), ("10", "–", "3", "")]
    Console(file=out, width=40, no_color=True).print(
        table(("#", "TO", "ERRORS", "MESSAGE"), rows, right=("#", "ERRORS"))
    )
    lines = out.getvalue().splitlines()
    assert lines[0] == " #   TO           ERRORS   MESSAGE"
    assert lines[1] == " 1   penguins/1       12   a long message…"[:39] + "…"
    assert lines[2].rstrip() == "10   –                 3"


CANARY: list[Object] = [{"pause": {"duration": "1m"}}, {"setWeight": 10}]
PREVIEWED = {"preview": {"pathPrefix": "/new"}, "pause": {}, "verify": {"maxErrorRate": 0.02}}


@pytest.mark.parametrize(
    ("strategy", "at", "steps"),
    [
        ({"recreate": {}}, 0, ["▶ begin", "stop the old version", "start the new one", "promote"]),
        ({"recreate": {}}, 1, ["✓ begin", "▶ stop the old version", "start the new one", "promote"]),
        ({"recreate": {}}, 2, ["✓ begin", "✓ stop the old version", "▶ start the new one", "promote"]),
        ({"shadow": {"then": "Promote"}}, 1, ["✓ start", "▶ mirror 100", "promote"]),
        ({"shadow": {"percent": 20, "then": "Hold"}}, 2, ["✓ start", "✓ mirror 20", "▶ hold", "promote"]),
        (
            {"shadow": {}},
            2,
            ["✓ start", "✓ mirror 100", "▶ setWeight 10", "analysis", "setWeight 50", "analysis", "promote"],
        ),
        ({"canary": {"steps": [{"mirror": {"percent": 5}}]}}, 0, ["▶ start", "mirror 5", "promote"]),
        ({"canary": {"match": [{}], "steps": CANARY}}, 1, ["✓ match", "▶ pause 1m", "setWeight 10", "promote"]),
        ({"canary": {"steps": CANARY[1:]}}, 0, ["▶ setWeight 10", "promote"]),
        ({"abTest": {"weight": 20}}, 1, ["✓ start", "▶ test 20", "promote"]),
        ({"abTest": {"onWinner": "Hold"}}, 2, ["✓ start", "✓ test 50", "▶ hold", "promote"]),
        ({"blueGreen": {}}, 0, ["▶ switch", "promote"]),
        ({"blueGreen": {"pause": {"duration": "1m"}}}, 1, ["✓ start", "▶ pause 1m", "switch", "promote"]),
        ({"blueGreen": PREVIEWED}, 3, ["✓ preview", "✓ pause until promoted", "✓ switch", "▶ verify", "promote"]),
        ({"blueGreen": PREVIEWED}, 4, ["✓ preview", "✓ pause until promoted", "✓ switch", "✓ verify", "▶ promote"]),
    ],
)
def test_the_steps_of_every_strategy(strategy: Object, at: int, steps: list[str]) -> None:
    raw = model_deployment(rollout=rollout() | {"stepIndex": at})
    raw["spec"]["strategy"] = strategy
    assert [step.text.partition(" (")[0].strip() for step in build(raw, (), NOW).steps] == steps


def test_a_limit_is_shown_in_the_place_of_margins() -> None:
    raw = model_deployment(rollout=rollout())
    raw["spec"]["strategy"] = {"blueGreen": PREVIEWED}
    evidence = build(raw, (), NOW).evidence
    assert evidence
    assert evidence.metrics == ("errors (at most 0.02)",)


with_and_without_gates = pytest.mark.parametrize(
    "gates", [{}, {"gates": {"signature": {}}}], ids=["without gates", "with gates"]
)
MIRRORED: list[Object] = [{"mirror": {"percent": 5}}, {"setWeight": 10}]


@with_and_without_gates
@pytest.mark.parametrize("wants", [{}, {"pause": {}}, {"preview": {"pathPrefix": "/new"}}, PREVIEWED])
def test_the_stages_of_blue_green_are_those_of_the_operator(wants: Object, gates: Object) -> None:
    """The plugin reads what is stored and needs nothing of the operator; so the two have to agree."""
    spec = {"model": {"uri": "models:/penguins/1"}, "strategy": {"blueGreen": wants}} | gates
    stages = BlueGreenStrategy().stages(parse_spec(spec))
    assert [next(iter(step)) for step in steps_of(spec)] == [stage.title for stage in stages]


@with_and_without_gates
@pytest.mark.parametrize("wants", [{}, {"then": "Hold"}, {"then": "Promote", "percent": 20}])
def test_the_stages_of_a_shadow_are_those_of_the_operator(wants: Object, gates: Object) -> None:
    spec = {"model": {"uri": "models:/penguins/1"}, "strategy": {"shadow": wants}} | gates
    stages = ShadowStrategy().stages(parse_spec(spec))
    assert [title(step) for step in steps_of(spec)] == [stage.title for stage in stages]


@with_and_without_gates
@pytest.mark.parametrize("wants", [{}, {"onWinner": "Hold"}, {"onWinner": "Promote", "weight": 20}])
def test_the_stages_of_an_ab_test_are_those_of_the_operator(wants: Object, gates: Object) -> None:
    test = {"primary": {"metric": "conversion"}} | wants
    spec = {"model": {"uri": "models:/penguins/1"}, "strategy": {"abTest": test}} | gates
    stages = ABTestStrategy().stages(parse_spec(spec))
    assert [title(step) for step in steps_of(spec)] == [stage.title for stage in stages]


@with_and_without_gates
@pytest.mark.parametrize("wants", [{"steps": CANARY[1:]}, {"match": [{}], "steps": CANARY}, {"steps": MIRRORED}])
def test_the_stages_of_a_canary_are_those_of_the_operator(wants: Object, gates: Object) -> None:
    spec = {"model": {"uri": "models:/penguins/1"}, "strategy": {"canary": wants}} | gates
    stages = CanaryStrategy().stages(parse_spec(spec))
    assert [next(iter(step)) for step in steps_of(spec)] == [stage.title.split()[0] for stage in stages]


def test_where_requests_are_copied_pairs_are_shown() -> None:
    pairs = {"joined": 300, "different": 12, "candidateFailed": 1}
    raw = model_deployment(rollout=rollout() | {"stepIndex": 1, "evidence": {"pairs": pairs, "safe": 0.5}})
    raw["spec"]["strategy"] = {"shadow": {"maxErrorRate": 0.02, "maxDisagreement": 0.1}}
    view = build(raw, (), NOW)
    assert view.evidence
    assert view.evidence.pairs == PairsView(300, 12, 1, 0)
    assert view.evidence.metrics == (
        "failures of the candidate alone (at most 0.02)",
        "different answers (at most 0.1)",
    )
    out = io.StringIO()
    Console(file=out, width=100, no_color=True).print(screen(view, ()))
    assert re.search(r"answered by both +300 +12 +1 +0", out.getvalue())


def test_the_gates_of_a_canary_come_first() -> None:
    raw = model_deployment(rollout=rollout() | {"stepIndex": 0})
    raw["spec"] |= {"gates": {"signature": {}}, "strategy": {"canary": {"steps": [{"setWeight": 10}]}}}
    view = build(raw, (), NOW)
    assert [step.text.partition(" (")[0].strip() for step in view.steps] == ["▶ gates", "setWeight 10", "promote"]
    assert any("promote" in one.command and "skip this step (gates)" in one.why for one in advise(view, raw))


@pytest.mark.parametrize(
    ("at", "why"), [(1, "skip this step (gates)"), (2, "skip this step (mirror 100)"), (3, "go on to the next step")]
)
def test_a_shadow_can_be_led_on_by_hand(at: int, why: str) -> None:
    raw = model_deployment(rollout=rollout() | {"stepIndex": at})
    raw["spec"] |= {"gates": {"signature": {}}, "strategy": {"shadow": {"then": "Hold"}}}
    (promote,) = (
        one for one in advise(build(raw, (), NOW), raw) if " promote " in one.command and "--full" not in one.command
    )
    assert promote.why == why


def test_no_evidence_is_shown_where_nothing_is_compared() -> None:
    raw = model_deployment(rollout=rollout())
    raw["spec"]["strategy"] = {"recreate": {}}
    assert build(raw, (), NOW).evidence is None


STATEMENT = (
    "conversion: 0.25 beside 0.2 per user; better by 0.05 (at least 0.01 with 95 % confidence at any time), 40 users"
)


def ab_test() -> Object:
    """A test that goes on."""
    counts = {"control": {"units": 60, "matured": 50, "total": 10.0, "squares": 10.0, "crossed": 3},
              "treatment": {"units": 55, "matured": 40, "total": 10.0, "squares": 10.0}}  # fmt: skip
    seen = {"metric": "conversion", "unit": "users by header x-user-id", "counts": counts, "better": 0.05,
            "atLeast": 0.01, "atMost": 0.09, "statement": STATEMENT}  # fmt: skip
    total = {"stableRequests": 60, "candidateRequests": 55, "stableErrors": 1}
    evidence = {"test": seen, "total": total, "harm": 0.0, "safe": 0.5}
    raw = model_deployment(rollout=rollout(weight=50) | {"evidence": evidence})
    raw["spec"]["strategy"] = {"abTest": {"primary": {"metric": "conversion"}, "maxDuration": "2h"}}
    return raw


def test_a_test_is_shown_with_its_units_means_bounds_and_guards() -> None:
    raw, out = ab_test(), io.StringIO()
    view = build(raw, (), NOW)
    advice = advise(view, raw)
    Console(file=out, width=140, no_color=True).print(screen(view, advice))
    shown = out.getvalue()
    for line in (
        r"▶ test 50 \(1m of at most 2h\)",
        r"users by header x-user-id +that count +conversion +seen elsewhere too",
        r"stable +60 +50 +0.2 +3",
        r"candidate +55 +40 +0.25 +0",
        re.escape(STATEMENT),
        r"guards, by users:",
        r"users +errors +rate +errors at 50 %",
        r"stable +60 +1 +1.67 %",
        r"proof of safety .* 50 %",
    ):
        assert re.search(line, shown), (line, shown)
    assert any(one.why == "end the test in its favour" for one in advice)


def test_where_users_stick_to_a_canary_the_counts_are_of_users() -> None:
    raw, out = model_deployment(rollout=rollout(weight=50)), io.StringIO()
    raw["spec"]["traffic"] = {"gateway": {"name": "public"}, "sticky": {"header": "x-user-id"}}
    Console(file=out, width=140, no_color=True).print(screen(build(raw, (), NOW), ()))
    assert re.search(r"users +errors +rate +errors at 50 %", out.getvalue())


def test_an_inconclusive_test_may_have_its_time_again_and_is_no_step_without_a_proof() -> None:
    raw = ab_test()
    raw["status"]["rollout"]["inconclusive"] = True
    said = {one.command.split()[2]: one.why for one in advise(build(raw, (), NOW), raw) if one.command}
    assert said["promote"] == "end the test in its favour without the proof"
    assert said["retry"] == "give the test its time again, or begin another one if its counts can show nothing"


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ({"abTest": {"primary": {"metric": "m"}}}, "test penguins/2 again as it is, on users drawn anew"),
        ({"canary": {}}, "try penguins/2 again as it is"),
    ],
)
def test_who_was_worse_may_be_tried_again_by_the_same_strategy(strategy: Object, why: str) -> None:
    worse = {"revision": TWO, "reason": "ProvenWorse", "message": "below 0", "at": "2030-01-01T11:00:00Z"}
    raw = model_deployment(rejected=[worse], verdict="Failed")
    raw["spec"]["strategy"] = strategy
    assert [one.why for one in advise(build(raw, (), NOW), raw) if "retry" in one.command] == [why]


def test_a_test_without_a_winner_is_no_failure() -> None:
    lost = {"revision": TWO, "reason": "NoWinner", "message": "after 2h", "at": "2030-01-01T11:00:00Z"}
    raw = model_deployment(rejected=[lost], verdict="NoWinner")
    view = build(raw, (), NOW)
    assert (view.state, view.tone) == ("Serving: the test had no winner", Tone.GOOD)
    assert [one.why for one in advise(view, raw) if "retry" in one.command] == [
        "test penguins/2 again, on users drawn anew"
    ]
    ended = ending(raw, "bbbb", None)
    assert ended
    assert ended.text == "penguins/2 did not win its test: after 2h"


def test_a_winner_that_is_not_promoted_waits_for_a_person() -> None:
    won = {"revision": TWO, "reason": "Winner", "message": "better by 0.1", "at": "2030-01-01T11:00:00Z"}
    raw = model_deployment(rejected=[won], verdict="Winner", message="penguins/2 has won")
    view = build(raw, (), NOW)
    assert (view.state, view.tone) == ("Won its test: waits for promotion", Tone.WAITS)
    assert [one.role for one in view.revisions if one.version == "penguins/2"] == ["tested"], "nobody has rejected it"
    advice = advise(view, raw)
    assert advice[0].command == "kubectl sluice promote penguins --revision=bbbb -n shop"
    assert [one.why for one in advice if "retry" in one.command] == ["test penguins/2 again, on users drawn anew"]
    followed = Ending(Exit.WAITS_FOR_A_PERSON, "penguins/2 has won its test and waits for promotion: better by 0.1")
    assert (ending(raw, "bbbb", None), ending(raw, None, "2")) == (followed, followed)
    assert ending(raw, None, None) == Ending(Exit.WAITS_FOR_A_PERSON, "penguins/2 has won")
