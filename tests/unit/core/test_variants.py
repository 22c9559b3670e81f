"""A/B tests with variants: who is tested, who wins, and who leaves."""

from __future__ import annotations

from dataclasses import replace

from sluice.api.status import Verdict
from sluice.core import observation
from sluice.core.plan import Experiment

from tests.unit.core.moments import NOW, SERVING, Moment, model, name, revision
from tests.unit.core.varied import HOLD, LARGE, LIVE, START, WANTS, at, best, even, promoted, results, safe, wanting


def arms(moment: Moment) -> list[tuple[str, str | None]]:
    """Who is, or was, in the test, and why he left it."""
    rollout = moment.status.rollout
    return [(one.name, one.dropped) for one in rollout.variants] if rollout else []


def split(moment: Moment) -> dict[str, int]:
    versions = {name(number): number for number in "1234"}
    return {versions[one]: share for one, share in (moment.plan.split or {}).items()}


def test_all_get_their_users_in_one_write_and_keep_them() -> None:
    begun = at(1, "2", "3", live=False, age=1)
    assert split(begun) == {"1": 50, "2": 30, "3": 20}
    assert split(even(LIVE)) == {"1": 50, "2": 30, "3": 20}
    assert dict(LIVE.plan.scale) == {name("1"): 4, name("2"): 4, name("3"): 1}, "who is warm keeps what he has"


def test_who_has_no_pods_gets_no_requests_and_nobody_else_more_than_his() -> None:
    lost = even(LIVE).running("3", 0)
    assert split(lost) == {"1": 70, "2": 30}
    assert lost.outcome.reason == "Analyzing"
    after = lost.next()
    rollout = after.status.rollout
    assert rollout
    assert rollout.variants[1].lost_at == NOW
    assert after.later(500).outcome.reason == "Analyzing"
    assert "ProgressDeadlineExceeded" in after.later(700).outcome.message
    back = after.running("3", 4)
    assert split(back) == {"1": 50, "2": 30, "3": 20}
    assert back.next().later(700).outcome.reason == "Analyzing"


def test_who_is_worse_leaves_and_only_his_users_move() -> None:
    worse = safe(results(LIVE, v1=(500, 5000), v2=(300, 3000), v3=(50, 2000)))
    assert split(worse) == {"1": 70, "2": 30}
    after = worse.next()
    assert arms(after) == [("candidate", None), ("large", "ProvenWorse")]
    assert after.plan.status.rejected[-1].revision == revision("3")
    assert worse.plan.experiment == Experiment(name("2"), 30, challengers=((name("2"), 30), (None, 20)))
    assert after.outcome.reason == "Analyzing"


def test_when_the_candidate_leaves_the_next_one_is_what_the_rollout_is_about() -> None:
    after = safe(results(LIVE, v1=(500, 5000), v2=(50, 3000), v3=(200, 2000))).next()
    assert after.status.rollout
    assert after.status.rollout.revision == revision("3")
    assert (after.status.rollout.weight, after.status.challengers) == (20, "3")
    assert split(after) == {"1": 80, "3": 20}
    assert after.situation.evidence.total.candidate_requests == 2000, "what was counted for it stays"
    assert after.outcome.reason == "Analyzing", after.outcome.message
    won = safe(results(after, v1=(500, 5000), v2=(50, 3000), v3=(600, 2000)))
    assert "large penguins/3: it has won" in won.outcome.message or "it has won" in won.outcome.message


def test_the_last_one_is_rolled_back() -> None:
    first = safe(results(LIVE, v1=(500, 5000), v2=(50, 3000), v3=(20, 2000))).next()
    assert first.outcome.reason == "RolledBack"
    after = first.next()
    assert after.status.rollout is None
    assert {one.revision.model_version: one.reason for one in after.status.rejected} == {
        "2": "ProvenWorse", "3": "ProvenWorse",
    }  # fmt: skip
    assert split(first) == {"1": 100}


def test_a_variant_that_wins_is_stable_and_what_the_model_names_is_not_rolled_out_over_it() -> None:
    after = promoted(best(LIVE))
    assert after.status.stable == revision("3")
    lost = {one.revision.model_version: one for one in after.status.rejected}
    assert lost["2"].reason == "NoWinner"
    assert "large penguins/3 was preferred; conversion: 0.15 beside 0.1" in lost["2"].message
    assert after.outcome.reason == "NoWinner"
    assert after.plan.status.rollout is None
    says = {one.type: str(one.status) for one in after.plan.status.conditions}
    assert (says["Ready"], says["Degraded"]) == ("True", "False")


def test_nor_is_the_old_version_if_that_is_what_the_model_names() -> None:
    single = at(1, "2", "3")
    moment = replace(best(single), model=model("1"))
    assert moment.outcome.reason == "Superseded", "who was tested as the candidate is so no more"
    alone = wanting("1", "3").next()
    assert alone.status.rollout
    assert [one.name for one in alone.status.rollout.variants] == ["large"]
    direct = replace(alone.running("3", 4), wish=observation.Wish("promote-full", name("3")))
    after = promoted(replace(direct.next(), wish=None))
    assert after.status.stable == revision("3")
    assert (after.status.rejected[-1].revision, after.status.rejected[-1].reason) == (revision("1"), "NoWinner")
    assert after.outcome.reason == "NoWinner"


def test_a_variant_that_has_won_waits_for_a_person_where_nobody_is_promoted_unasked() -> None:
    told = best(at(1, "2", "3", onWinner="Notify"))
    assert told.outcome.reason == "Winner"
    assert split(told) == {"1": 100}
    after = replace(told.next(), route=SERVING.route)
    assert {one.revision.model_version: one.reason for one in after.status.rejected} == {"2": "NoWinner", "3": "Winner"}
    said = after.plan.status
    assert (said.rollout, said.verdict) == (None, Verdict.WINNER)
    assert "penguins/3 has won its test and is not promoted" in (said.message or "")
    assert f"sluice.dev/promote={name('3')}" in (said.message or "")
    asked = after.asking("promote", "3")
    assert asked.outcome.message == "penguins/3 has won its test, and is promoted by a person"
    done = promoted(replace(asked.next(), wish=None).next().running("3", 4))
    assert done.status.stable == revision("3")
    assert done.plan.status.rollout is None


def test_what_a_person_prefers_ends_the_test_for_all_others() -> None:
    moment = even(LIVE).asking("promote", "3").next()
    assert arms(moment) == [("candidate", "NoWinner"), ("large", None)]
    assert moment.status.rollout
    assert moment.status.rollout.direct
    refused = START.asking("promote", "3").next()
    assert arms(refused) == [("candidate", None), ("large", None)]


def test_an_abort_leaves_nobody() -> None:
    moment = even(LIVE).asking("abort", "2")
    assert split(moment) == {"1": 100}
    after = moment.next()
    assert {one.revision.model_version: one.reason for one in after.status.rejected} == {"2": "Aborted", "3": "Aborted"}
    assert {one.revision.model_version for one in after.status.retired} >= {"2", "3"}
    assert after.status.rollout is None


def test_a_held_winner_has_his_share_and_the_others_none() -> None:
    moment = best(HOLD)
    assert split(moment) == {"1": 80, "3": 20}
    held = moment.next()
    assert held.status.step == "3/3 hold"
    route = observation.RouteState({name("1"): 80, name("3"): 20}, accepted=True, settled=True)
    assert replace(held, route=route).outcome.reason == "AwaitingPromotion"


def test_whoever_changes_a_variant_begins_another_test() -> None:
    changed = even(LIVE).edited(strategy={"abTest": WANTS | {"variants": [LARGE | {"weight": 15}]}})
    assert changed.outcome.reason == "StepsChanged"
    assert changed.next().status.rollout is None
    other = even(LIVE).edited(strategy={"canary": {}})
    assert other.outcome.reason == "StepsChanged"
    assert other.next().status.rollout is None


def test_an_alias_of_another_model_is_never_written() -> None:
    wants = {"model": {"uri": "models:/penguins@champion", "promotedAlias": "live"}}
    moment = wanting("2", "3").edited(**wants)
    other = revision("3").model_copy(update={"model_name": "whales"})
    status = SERVING.status.model_copy(update={"stable": other})
    held = replace(
        moment.rejected("2"), status=status.model_copy(update={"rejected": moment.rejected("2").status.rejected})
    )
    assert replace(held, variants={"large": model("2")}).plan.write_back is None
