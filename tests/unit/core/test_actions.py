"""What people ask for by annotation, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluice.api.status import ModelDeploymentStatus

from tests.unit.core.moments import ANALYZING, AT_20, DOWN, PROMOTING, SERVING, Moment, name

KEPT = SERVING.wanting("1").retired("0", due=60).running("0", 4)
GONE_COLD = SERVING.retired("0", due=-60)


def versions(status: ModelDeploymentStatus) -> tuple[list[str], list[str]]:
    """The rejected and the retired versions."""
    rejected = [entry.revision.model_version for entry in status.rejected]
    return rejected, [entry.revision.model_version for entry in status.retired]


def answered(moment: Moment) -> Moment:
    """The wish is answered, and its annotation gone."""
    return replace(moment.next(), wish=None).next()


def test_promote_full_skips_all_steps_that_are_left() -> None:
    after = answered(AT_20.asking("promote-full", "2"))
    assert after.plan.status.step == "promoting"
    assert after.plan.split == {name("2"): 100}


def test_a_candidate_whose_harm_is_proven_is_rolled_back_although_all_steps_were_skipped() -> None:
    skipped = answered(ANALYZING.asking("promote-full", "2"))
    assert skipped.counting({"1": (80, 0), "2": (20, 20)}).outcome.reason == "RolledBack"


def test_promote_full_of_what_is_being_promoted_is_refused() -> None:
    direct = answered(AT_20.asking("promote-full", "2"))
    assert "refused" in direct.asking("promote-full", "2").outcome.message


def test_a_rollback_goes_to_a_warm_revision_at_once() -> None:
    back = answered(KEPT.asking("rollback", "0")).next()
    assert back.status.rollout is not None
    assert back.status.rollout.direct
    assert back.plan.split == {name("0"): 100}
    assert versions(back.status)[0] == ["1"], "what it goes back from is not rolled out again by itself"


def test_a_rollback_to_a_cold_revision_starts_its_pods_first() -> None:
    back = answered(GONE_COLD.asking("rollback", "0")).next()
    assert back.plan.scale[name("0")] == 4
    assert back.plan.split == {name("1"): 100}
    assert back.running("0", 4).plan.split == {name("0"): 100}


def test_a_rollback_needs_no_registry() -> None:
    back = answered(replace(KEPT, model=DOWN).asking("rollback", "0")).next()
    assert back.plan.split == {name("0"): 100}


def test_after_a_rollback_the_uri_changes_nothing_until_it_names_something_else() -> None:
    back = answered(KEPT.asking("rollback", "0")).next().next()
    over = back.gateway_at({"0": 100}).next().next()
    assert over.status.stable is not None
    assert over.status.stable.model_version == "0"
    assert over.outcome.reason == "RolledBack"
    assert "RolledBackByPerson" in over.outcome.message
    assert over.wanting("2").outcome.reason == "RolloutStarted"


def test_what_a_person_went_back_from_has_to_prove_itself_when_it_is_tried_again() -> None:
    over = answered(KEPT.asking("rollback", "0")).next().next().gateway_at({"0": 100}).next().next()
    again = answered(over.asking("retry", "1")).next()
    assert again.status.rollout is not None
    assert not again.status.rollout.direct


def test_a_rollback_in_mid_rollout_takes_the_candidate_away() -> None:
    rolling = ANALYZING.retired("0", due=60).running("0", 4)
    after = rolling.asking("rollback", "0").next()
    assert after.status.rollout is None
    assert versions(after.status)[0] == ["2", "1"]


def test_a_candidate_that_was_given_up_is_nothing_to_go_back_to() -> None:
    never_stable = SERVING.retired("0", due=60, was_stable=False)
    assert "never stable" in never_stable.asking("rollback", "0").outcome.message


@pytest.mark.parametrize(
    ("moment", "says"),
    [(SERVING.asking("rollback", "1"), "is the stable revision"), (KEPT.asking("rollback", "7"), "kept: ")],
    ids=["stable", "unknown"],
)
def test_a_rollback_that_can_not_be_is_refused_with_what_can(moment: Moment, says: str) -> None:
    plan = moment.plan
    assert plan.status.last_action is not None
    assert says in plan.status.last_action.outcome
    assert plan.events[0].reason == "ActionRefused"


def test_a_warm_revision_that_is_wanted_again_returns_without_steps() -> None:
    back = KEPT.wanting("0").next()
    assert back.status.rollout is not None
    assert back.status.rollout.direct


@pytest.mark.parametrize("pods", [0, 3], ids=["cold", "not all ready"])
def test_one_that_is_not_warm_goes_through_the_steps(pods: int) -> None:
    back = KEPT.running("0", pods).wanting("0").next()
    assert back.status.rollout is not None
    assert not back.status.rollout.direct


def test_the_answer_says_who_asked() -> None:
    wish = AT_20.asking("abort", "2").wish
    assert wish is not None
    plan = replace(AT_20, wish=replace(wish, actor="ada (kubectl-sluice)")).plan
    assert plan.status.last_action is not None
    assert plan.status.last_action.actor == "ada (kubectl-sluice)"
    assert plan.entry is not None
    assert plan.entry.record.status.decisions[-1].actor == "ada (kubectl-sluice)"


def test_a_failed_way_back_leaves_stable_and_forgets_the_wish() -> None:
    back = answered(GONE_COLD.asking("rollback", "0")).next().later(601)
    assert back.outcome.reason == "RolledBack"
    assert back.plan.status.returning_to is None
    assert PROMOTING.status.returning_to is None
