"""The metrics of a rollout: what each has to prove, and its running evidence, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from sluice.analysis import Answers, Block, ErrorEvidence, LatencyEvidence, Margin, Slowness, combined
from sluice.api.record import Evidence, MetricEvidence
from sluice.api.spec import ErrorRate, Latency, Metric, ModelDeploymentSpec
from sluice.api.strategy import Step, StepAnalysis
from sluice.core.experiments import windows

State = ErrorEvidence | LatencyEvidence


@dataclass(frozen=True)
class Increment:
    """What has come in since the last look: requests, and durations where both arms have some that can be compared."""

    block: Block
    durations: tuple[Answers, Answers] | None = None


@dataclass(frozen=True)
class Standing:
    """How one metric stands: log e-values that its own margin is exceeded, and that the step's margin is kept.

    For durations, what was seen where there is most evidence of harm, and where there is least of safety.
    """

    name: str
    harm: float
    safe: float
    slower: Slowness | None = None
    lacks: Slowness | None = None


def own_margin(kind: ErrorRate | Latency) -> Margin:
    """Return the margin that harm is judged by, at every step."""
    return Margin(ratio=kind.margin_ratio, absolute=kind.margin_absolute)


def step_margin(kind: ErrorRate | Latency, wish: StepAnalysis | None) -> Margin:
    """Return the margin that an analysis step has to prove."""
    return Margin(
        ratio=(wish and wish.margin_ratio) or kind.margin_ratio,
        absolute=(wish and wish.margin_absolute) or kind.margin_absolute,
    )


def margins(kind: ErrorRate | Latency, steps: Iterable[Step]) -> tuple[Margin, ...]:
    """Return all margins of a rollout: each collects evidence from the first request on."""
    asked = (step_margin(kind, step.analysis) for step in steps if step.analysis)
    return tuple(dict.fromkeys((own_margin(kind), *asked)))


def latency_margins(spec: ModelDeploymentSpec) -> tuple[Margin, ...]:
    """Return the margins of all latency metrics; none where durations do not matter."""
    found = (margins(metric.latency, spec.strategy.steps) for metric in spec.analysis.metrics if metric.latency)
    return tuple(dict.fromkeys(margin for each in found for margin in each))


def in_window(evidence: Evidence, window: int | None) -> Evidence:
    """Return the evidence as it counts in a window: of those before stays what they have proven of harm.

    A user's side follows from his position, in every window: blocks of two of them are no independent draws, and must
    not be multiplied. So each begins at one.
    """
    if evidence.window == window:
        return evidence
    metrics = tuple(_closed(one) for one in evidence.metrics)
    fresh = {"window": window, "sample_ratio": None, "sample_pods": None}
    return evidence.model_copy(update={"metrics": tuple(one for one in metrics if one), **fresh})


def observe(spec: ModelDeploymentSpec, evidence: Evidence, new: Increment) -> tuple[MetricEvidence, ...]:
    """Return every metric's evidence, at each of its margins, with what has come in."""
    return tuple(
        MetricEvidence(metric=metric.name, state=_add(state, new).dump(), closed=closed)
        for metric in spec.analysis.metrics
        for state, closed in _states(metric, evidence, margins(_kind(metric), spec.strategy.steps))
    )


def standings(spec: ModelDeploymentSpec, evidence: Evidence, wish: StepAnalysis | None) -> tuple[Standing, ...]:
    """Say how each metric stands for an analysis step."""
    planned = len(windows(spec))
    return tuple(_standing(metric, evidence, wish, planned) for metric in spec.analysis.metrics)


def _standing(metric: Metric, evidence: Evidence, wish: StepAnalysis | None, planned: int) -> Standing:
    kind = _kind(metric)
    states = tuple(_states(metric, evidence, (own_margin(kind), step_margin(kind, wish))))
    if not states:
        return Standing(metric.name, harm=0.0, safe=0.0)
    (own, closed), (asked, _) = states
    harm = over_windows((*closed, own.harm), planned)
    if isinstance(own, LatencyEvidence) and isinstance(asked, LatencyEvidence):
        return Standing(metric.name, harm, asked.safe, own.most_harmful, asked.least_safe)
    return Standing(metric.name, harm, asked.safe)


def over_windows(logs: tuple[float, ...], planned: int) -> float:
    """Return the log of the average of the windows' e-values; of one that has not begun it is 1.

    An average is an e-value however its parts depend on each other (statistics, section (e)).
    """
    return combined([*logs, *[0.0] * (planned - len(logs))])


def _kind(metric: Metric) -> ErrorRate | Latency:
    return metric.latency or metric.error_rate or ErrorRate()


def _states(metric: Metric, evidence: Evidence, wanted: Iterable[Margin]) -> Iterator[tuple[State, tuple[float, ...]]]:
    """Yield the evidence at these margins as it was stored, and that of closed windows; none without cut points.

    What another version of the operator wrote in its own form, or at other cut points, begins anew.
    """
    read = LatencyEvidence.load if metric.latency else ErrorEvidence.load
    stored = {state.margin: (state, closed) for state, closed in _read(metric.name, evidence, read)}
    for margin in wanted:
        state, closed = stored.get(margin, (None, ()))
        if not metric.latency:
            yield state or ErrorEvidence.start(margin), closed
        elif isinstance(state, LatencyEvidence) and state.edges == evidence.cuts:
            yield state, closed
        elif evidence.cuts:
            yield LatencyEvidence.start(margin, evidence.cuts), closed


def _read(name: str, evidence: Evidence, read: Callable[[object], State]) -> Iterator[tuple[State, tuple[float, ...]]]:
    for stored in evidence.metrics:
        if stored.metric == name:
            with suppress(ValueError):
                yield read(stored.state), stored.closed


def _closed(stored: MetricEvidence) -> MetricEvidence | None:
    """Close a window; what another version of the operator wrote in its own form is nothing."""
    state = _errors(stored) or _latency(stored)
    if state is None:
        return None
    fresh = state.start(state.margin, state.edges) if isinstance(state, LatencyEvidence) else state.start(state.margin)
    return MetricEvidence(metric=stored.metric, state=fresh.dump(), closed=(*stored.closed, state.harm))


def _errors(stored: MetricEvidence) -> ErrorEvidence | None:
    with suppress(ValueError):
        return ErrorEvidence.load(stored.state)
    return None


def _latency(stored: MetricEvidence) -> LatencyEvidence | None:
    with suppress(ValueError):
        return LatencyEvidence.load(stored.state)
    return None


def _add(state: State, new: Increment) -> State:
    if isinstance(state, ErrorEvidence):
        return state.observe(new.block)
    if new.durations is None:
        return state
    stable, canary = new.durations
    return state.observe(stable=stable, canary=canary)
