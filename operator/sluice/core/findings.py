"""What the evidence says so far, in sentences."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sluice.analysis import Slowness
from sluice.analysis.latency import ENOUGH
from sluice.api.base import format_duration
from sluice.api.record import Evidence
from sluice.api.status import Rollout
from sluice.api.strategy import Mirror, Verify
from sluice.core import variants
from sluice.core.evidence import DISAGREEMENT, Judgement
from sluice.core.experiments import Comparison, of_units, statement
from sluice.core.gates import at_gates, undecided
from sluice.core.pairs import agreement, difference
from sluice.core.words import counts, unreachable, way_in

if TYPE_CHECKING:
    from sluice.core.situation import Situation


def waiting_for_evidence(situation: Situation) -> str:
    """Say what an analysis step still lacks; no data, too little and unreadable are different things."""
    rollout, judgement = situation.rollout, situation.judgement
    if rollout is None or judgement is None:
        return "no analysis"
    stage = situation.stage
    if silent := unreachable(situation):
        return silent
    if stage and stage.verify:
        return _waiting_for_limit(situation, judgement, stage.verify)
    if stage and stage.mirror:
        return _waiting_for_pairs(situation, judgement, stage.mirror)
    if judgement.test:
        return _waiting_for_winner(situation, judgement, judgement.test)
    return _waiting_to_compare(situation, rollout, judgement)


def _waiting_to_compare(situation: Situation, rollout: Rollout, judgement: Judgement) -> str:
    evidence, units = situation.evidence, of_units(situation.spec)
    if nothing := _nothing_to_compare(evidence, rollout.weight, way_in(situation)):
        return nothing
    if judgement.mismatch and evidence.window is not None:
        return (
            f"users do not come to the versions as the weight of {rollout.weight} % says (sample-ratio mismatch), so "
            "nothing can be concluded: do they stay with their version, and does the same id come with all requests of "
            f"a user? {counts(evidence.at_weight, units)}"
        )
    if judgement.mismatch:
        return (
            f"{way_in(situation)} does not split the traffic as the {'pods' if situation.spec.by_pods else 'weights'} "
            f"say (sample-ratio mismatch), so nothing can be concluded; {counts(evidence.total)}"
        )
    progress = f"harm {percent(judgement.harm)}, safe {_safe(judgement)} of a proof"
    if judgement.safe < 1 and (missing := _durations_missing(situation)):
        progress += f"; {missing}"
    if judgement.requests < judgement.min_requests:
        return (
            f"too little traffic yet: {judgement.requests} of at least {judgement.min_requests} candidate {units} "
            f"at {rollout.weight} %; {progress}; {counts(evidence.at_weight, units)}"
        )
    # Users of one weight come again at the next.
    shown = evidence.total if evidence.window is None else evidence.at_weight
    return f"analyzing at {rollout.weight} %: {progress}; {counts(shown, units)}"


def harm(situation: Situation, judgement: Judgement) -> str:
    """Say what is worse by how much: of the metric for which there is most evidence."""
    stage = situation.stage
    if stage and stage.verify:
        return f"error rate: {limited(situation)}; tolerated: {_share(stage.verify.max_error_rate)}"
    worst = max(judgement.metrics, key=lambda standing: standing.harm)
    if stage and stage.mirror:
        return _mirrored_harm(situation, worst.name, stage.mirror)
    metric = next(metric for metric in situation.spec.analysis.metrics if metric.name == worst.name)
    if metric.latency and worst.slower:
        slack = metric.latency.margin_absolute
        late = worst.slower.canary <= worst.slower.stable + slack  # it became slow after many that were not
        return (
            f"slower{' of late; in total' if late else ':'} {slowness(worst.slower)}; tolerated: {points(slack)} more"
        )
    rate = metric.error_rate
    tolerated = (
        f"; tolerated: {rate.margin_ratio:g} x stable's rate, or {rate.margin_absolute:g} above it" if rate else ""
    )
    return f"error rate: {counts(situation.evidence.total, of_units(situation.spec))}{tolerated}"


def slowness(seen: Slowness) -> str:
    """Say how many of the candidate's answers take longer than tolerated, beside stable's."""
    return (
        f"{_share(seen.canary)} of the candidate's answers took longer than {seen.ratio:g} x {duration(seen.seconds)}, "
        f"{_share(seen.stable)} of stable's longer than {duration(seen.seconds)}"
    )


def duration(seconds: float) -> str:
    """Return a duration as people write it."""
    number, unit = (seconds, "s") if seconds >= 1 else (seconds * 1000, "ms")
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.2g} {unit}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points."""
    return f"{100 * share:g} points"


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _safe(judgement: Judgement) -> str:
    """Say how much of a proof there is, of each metric when there are several."""
    if len(judgement.metrics) < 2:
        return percent(judgement.safe)
    return ", ".join(f"{one.name} {percent(one.safe)}" for one in judgement.metrics)


def _durations_missing(situation: Situation) -> str | None:
    """Say why durations are not compared yet, if so."""
    if not any(metric.latency for metric in situation.spec.analysis.metrics):
        return None
    names = {pod.uid: pod.name for state in (situation.stable, situation.candidate) for pod in state.pods}
    counters = situation.seen.scrape.counters
    for uid, name in names.items():
        if uid in counters and counters[uid].durations is None:
            return f"pod {name} tells no durations: its model server is of another version"
    if not situation.evidence.cuts:
        return f"durations are compared when stable has answered {ENOUGH} requests; a pod's first seconds do not count"
    judgement = situation.judgement
    if judgement and any(one.lacks and one.lacks.answers == 0 for one in judgement.metrics):
        return "no durations of the candidate yet; a pod's first seconds do not count"
    return None


def _waiting_for_limit(situation: Situation, judgement: Judgement, verify: Verify) -> str:
    if judgement.requests == 0:
        return f"no data: no request came through {way_in(situation)} since the switch"
    few = ""
    if judgement.requests < judgement.min_requests:
        few = f"too little traffic yet: {judgement.requests} of at least {judgement.min_requests} requests; "
    return (
        f"{few}verifying that less than {_share(verify.max_error_rate)} fail: harm {percent(judgement.harm)}, safe "
        f"{percent(judgement.safe)} of a proof; {limited(situation)}"
    )


def _waiting_for_pairs(situation: Situation, judgement: Judgement, mirror: Mirror) -> str:
    if judgement.requests == 0:
        return (
            "no data: the collector has not joined any request that both versions have answered; pods send it their "
            "answers only if they were started while the collector was installed, and requests must come through the "
            "gateway"
        )
    few = ""
    if judgement.requests < judgement.min_requests:
        few = f"too little traffic yet: {judgement.requests} of at least {judgement.min_requests} pairs; "
    left = mirror.duration and mirror.duration - situation.step_age
    time = f"; for another {left.total_seconds():.0f} s at least" if left and left.total_seconds() > 0 else ""
    return (
        f"{few}comparing answers to {mirror.percent} % of the requests: harm {percent(judgement.harm)}, safe "
        f"{_safe(judgement)} of a proof; {agreement(situation.spec, situation.evidence.pairs)}{time}"
    )


def _waiting_for_winner(situation: Situation, judgement: Judgement, compared: Comparison) -> str:
    test, counted, units = compared.test, compared.counts, compared.units
    came = f"{counted.treatment.units:,} and {counted.control.units:,} {units}"
    if not counted.treatment.units or not counted.control.units:
        return (
            f"no data: candidate and stable have {came}, as far as the collector knows; they are told of by pods that "
            f"were started while it was installed, and come through the gateway{_left(situation)}"
        )
    if compared.mismatch:
        return (
            f"{units} do not come to the versions as {_weights(situation, test.weight)} (sample-ratio mismatch), so "
            f"nothing is concluded from them; candidate and stable have {came}{_left(situation)}"
        )
    if not compared.enough:
        return (
            f"too few {units} yet: of candidate and stable {counted.treatment.matured:,} and "
            f"{counted.control.matured:,} count of at least {test.min_units:,}; {came} came{_left(situation)}"
        )
    guards = f"guards: harm {percent(judgement.harm)}, safe {_safe(judgement)} of a proof"
    if judgement.requests < judgement.min_requests:
        guards += f", {judgement.requests} of at least {judgement.min_requests} candidate {units}"
    return f"{statement(compared)}; {guards}{_left(situation)}"


def _weights(situation: Situation, weight: int) -> str:
    several = situation.rollout is not None and bool(situation.rollout.variants)
    return "their weights say" if several else f"the weight of {weight} % says"


def _left(situation: Situation) -> str:
    """Say how long a test goes on."""
    test, age = situation.stage.test if situation.stage else None, situation.step_age
    if test is None:
        return ""
    least, most = (format_duration(max(timedelta(0), time - age)) for time in (test.min_duration, test.max_duration))
    return f"; for another {least} at least, {most} at most" if age < test.min_duration else f"; {most} left"


def no_winner(situation: Situation) -> str:
    """Say why a test has no winner."""
    if not situation.rivals:
        return _did_not_win(situation)
    each = ((variants.label(one.rollout), _did_not_win(one)) for one in situation.challengers if one.rollout)
    return "; ".join(f"{name}: {why}" for name, why in each)


def _did_not_win(situation: Situation) -> str:
    judgement, stage = situation.judgement, situation.stage
    if judgement is None or judgement.test is None or stage is None or stage.test is None:
        return "no test"
    compared, units = judgement.test, judgement.test.units
    why = "it is not proven to be better"
    if not compared.enough:
        counted = f"{compared.counts.treatment.matured:,} and {compared.counts.control.matured:,}"
        why = f"too few {units}: {counted} count of at least {compared.test.min_units:,}"
    elif compared.better:
        why = f"it is better, and not proven to be safe (safe {_safe(judgement)} of a proof)"
    return f"after {format_duration(stage.test.max_duration)} {why}; {statement(compared)}"


def won(situation: Situation) -> str:
    """Say by how much a candidate has won."""
    judgement = situation.judgement
    return statement(judgement.test) if judgement and judgement.test else "no test"


def _mirrored_harm(situation: Situation, metric: str, mirror: Mirror) -> str:
    seen = difference(situation.spec, situation.evidence.pairs)
    if metric == DISAGREEMENT and mirror.max_disagreement is not None:
        return f"{seen}; tolerated: {_share(mirror.max_disagreement)} different"
    return f"error rate: {seen}; tolerated: {_share(mirror.max_error_rate)} that the candidate alone fails"


def _nothing_to_compare(evidence: Evidence, weight: int, way_in: str) -> str | None:
    seen = evidence.at_weight
    if seen.candidate_requests == 0 and seen.stable_requests == 0:
        return f"no data: no request came through {way_in} since the weight became {weight} %"
    if seen.stable_requests == 0:
        return f"nothing to compare with: stable has answered no request since the weight became {weight} %"
    if weight == 100:
        return "at 100 % there is nothing to compare with: analyze at a smaller weight"
    return None


def inconclusive(situation: Situation) -> str:
    """Say why nothing was proven, and what a person can do."""
    name = situation.rollout.revision.name if situation.rollout else ""
    if gates := at_gates(situation):
        why = f"held: {undecided(situation, gates).rstrip('.')}"
    elif situation.stage and situation.stage.test:
        longest = format_duration(situation.stage.test.max_duration)
        why = f"nothing could be concluded within {longest}; held. {_capital(waiting_for_evidence(situation))}"
    else:
        why = (
            f"neither harm nor safety proven within {situation.spec.progress_deadline_seconds} s; held. "
            f"{_capital(waiting_for_evidence(situation))}"
        )
    return (
        f"{why}. Annotate with sluice.dev/promote={name} to go on, "
        f"sluice.dev/retry={name} for another try, sluice.dev/abort={name} to roll back"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def proven(situation: Situation) -> str:
    """Say what was proven."""
    stage, rollout = situation.stage, situation.rollout
    if stage and stage.verify:
        return f"less than {_share(stage.verify.max_error_rate)} fail: {limited(situation)}"
    if stage and stage.mirror:
        return agreement(situation.spec, situation.evidence.pairs)
    if situation.judgement and situation.judgement.test:
        who = "it" if rollout and rollout.variants else "the candidate"
        return f"{who} has won; {won(situation)}"
    units = of_units(situation.spec)
    return f"safe at {rollout.weight if rollout else 0} %: {counts(situation.evidence.at_weight, units)}"


def limited(situation: Situation) -> str:
    """Say what was counted where there is nothing to compare with."""
    total = situation.evidence.total
    return f"{total.candidate_errors} errors in {total.candidate_requests} requests"


def percent(share: float) -> str:
    """Write a share of a proof; a proof is 100 %."""
    return f"{min(100, int(100 * share))} %"
