"""The metrics of a rollout: what each has to prove, and its running evidence, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from sluice.analysis import Answers, Block, ErrorEvidence, LatencyEvidence, Margin, Slowness
from sluice.api.record import Evidence, MetricEvidence
from sluice.api.spec import ErrorRate, Latency, Metric, ModelDeploymentSpec
from sluice.api.strategy import Step, StepAnalysis

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


def observe(spec: ModelDeploymentSpec, evidence: Evidence, new: Increment) -> tuple[MetricEvidence, ...]:
    """Return every metric's evidence, at each of its margins, with what has come in."""
    return tuple(
        MetricEvidence(metric=metric.name, state=_add(state, new).dump())
        for metric in spec.analysis.metrics
        for state in _states(metric, evidence, margins(_kind(metric), spec.strategy.steps))
    )


def standings(spec: ModelDeploymentSpec, evidence: Evidence, wish: StepAnalysis | None) -> tuple[Standing, ...]:
    """Say how each metric stands for an analysis step."""
    return tuple(_standing(metric, evidence, wish) for metric in spec.analysis.metrics)


def _standing(metric: Metric, evidence: Evidence, wish: StepAnalysis | None) -> Standing:
    kind = _kind(metric)
    states = tuple(_states(metric, evidence, (own_margin(kind), step_margin(kind, wish))))
    if not states:
        return Standing(metric.name, harm=0.0, safe=0.0)
    own, asked = states
    if isinstance(own, LatencyEvidence) and isinstance(asked, LatencyEvidence):
        return Standing(metric.name, own.harm, asked.safe, own.most_harmful, asked.least_safe)
    return Standing(metric.name, own.harm, asked.safe)


def _kind(metric: Metric) -> ErrorRate | Latency:
    return metric.latency or metric.error_rate or ErrorRate()


def _states(metric: Metric, evidence: Evidence, wanted: Iterable[Margin]) -> Iterator[State]:
    """Yield the evidence at these margins as it was stored; none at all for durations without cut points.

    What another version of the operator wrote in its own form, or at other cut points, begins anew.
    """
    read = LatencyEvidence.load if metric.latency else ErrorEvidence.load
    stored = {state.margin: state for state in _read(metric.name, evidence, read)}
    for margin in wanted:
        state = stored.get(margin)
        if not metric.latency:
            yield state or ErrorEvidence.start(margin)
        elif isinstance(state, LatencyEvidence) and state.edges == evidence.cuts:
            yield state
        elif evidence.cuts:
            yield LatencyEvidence.start(margin, evidence.cuts)


def _read(name: str, evidence: Evidence, read: Callable[[object], State]) -> Iterator[State]:
    for stored in evidence.metrics:
        if stored.metric == name:
            with suppress(ValueError):
                yield read(stored.state)


def _add(state: State, new: Increment) -> State:
    if isinstance(state, ErrorEvidence):
        return state.observe(new.block)
    if new.durations is None:
        return state
    stable, canary = new.durations
    return state.observe(stable=stable, canary=canary)
