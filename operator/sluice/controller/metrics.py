"""The operator's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sluice.api.ab_test import CANDIDATE
from sluice.api.status import ModelDeploymentStatus, Rollout
from sluice.controller.observer import Observer
from sluice.core import variants
from sluice.core.ending import end_of
from sluice.core.observation import ResolvedModel, Unresolved
from sluice.registry.watch import Registry

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
LABELS = ("namespace", "name", "variant")


class Rollouts(Collector):
    """How the rollouts in progress stand, computed when asked: a resource at rest costs nothing."""

    def __init__(self) -> None:
        self.going_on: dict[tuple[str, str], Rollout] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        weight = GaugeMetricFamily(
            "sluice_rollout_weight_percent", "Traffic that the route gives a candidate.", labels=LABELS
        )
        requests = GaugeMetricFamily(
            "sluice_rollout_requests", "Requests taken into the evidence.", labels=(*LABELS, "arm")
        )
        errors = GaugeMetricFamily("sluice_rollout_errors", "Those among them that failed.", labels=(*LABELS, "arm"))
        proof = GaugeMetricFamily(
            "sluice_rollout_proof_ratio",
            "Share of a proof of harm, or of safety; 1 is a proof.",
            labels=(*LABELS, "of"),
        )
        for key, variant, rollout in self._standing():
            labels, total = (*key, variant), rollout.evidence.total
            weight.add_metric(labels, rollout.percent)
            requests.add_metric((*labels, "stable"), total.stable_requests)
            requests.add_metric((*labels, "candidate"), total.candidate_requests)
            errors.add_metric((*labels, "stable"), total.stable_errors)
            errors.add_metric((*labels, "candidate"), total.candidate_errors)
            for of, share in (("harm", rollout.evidence.harm), ("safety", rollout.evidence.safe)):
                if share is not None:
                    proof.add_metric((*labels, of), share)
        yield from (weight, requests, errors, proof)

    def _standing(self) -> Iterator[tuple[tuple[str, str], str, Rollout]]:
        """Yield each version that is tried, by the name that it has in its test; `candidate` where there is no test."""
        for key, rollout in self.going_on.items():
            mine = variants.own(rollout)
            yield key, mine.name if mine else CANDIDATE, rollout
            for one in variants.others(rollout):
                yield key, one.name, variants.view(rollout, one)


class Metrics(Observer):
    """Counts along; a registry of its own, so that two in one process do not meet."""

    def __init__(self, leads: Callable[[], bool]) -> None:
        self.registry = CollectorRegistry()
        self._rollouts = Rollouts()
        self.registry.register(self._rollouts)
        ProcessCollector(registry=self.registry)
        self._ended = Counter(
            "sluice_rollouts", "Rollouts that came to an end.", ("outcome", "cause"), registry=self.registry
        )
        self._seconds = Histogram(
            "sluice_reconcile_duration_seconds", "One look at one ModelDeployment.", buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._errors = Counter(
            "sluice_reconcile_errors", "Looks that failed, by class of the error.", ("kind",), registry=self.registry
        )
        self._unresolved = Counter(
            "sluice_registry_poll_errors", "Answers of the model registry that name no version.", ("reason",),
            registry=self.registry,
        )  # fmt: skip
        self._notices = Counter(
            "sluice_notices", "Notices to people, by what came of them.", ("outcome",), registry=self.registry
        )
        leader = Gauge("sluice_leader", "1 on the operator that leads.", registry=self.registry)
        leader.set_function(lambda: float(leads()))

    def looked(self, seconds: float) -> None:
        """Note how long a look took."""
        self._seconds.observe(seconds)

    def failed(self, kind: str) -> None:
        """Count an error."""
        self._errors.labels(kind).inc()

    def stored(self, namespace: str, name: str, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> None:
        """Count a rollout that ended."""
        if end := end_of(before, after):
            self._ended.labels(*end).inc()

    def stands(self, namespace: str, name: str, status: ModelDeploymentStatus) -> None:
        """Note how the rollout in progress stands."""
        if status.rollout:
            self._rollouts.going_on[namespace, name] = status.rollout
        else:
            self.gone(namespace, name)

    def gone(self, namespace: str, name: str) -> None:
        """Forget a ModelDeployment."""
        self._rollouts.going_on.pop((namespace, name), None)

    def noticed(self, outcome: str) -> None:
        """Count a notice that was sent, failed or dropped."""
        self._notices.labels(outcome).inc()

    def unresolved(self, reason: str) -> None:
        """Count an answer of the model registry that names no version."""
        self._unresolved.labels(reason).inc()


class Counted(Registry):
    """A model registry whose refusals are counted."""

    def __init__(self, registry: Registry, metrics: Metrics) -> None:
        self._registry = registry
        self._metrics = metrics

    async def resolve(self, uri: str) -> ResolvedModel | Unresolved:
        """Find the version that a URI names now."""
        answer = await self._registry.resolve(uri)
        if isinstance(answer, Unresolved):
            self._metrics.unresolved(answer.reason)
        return answer
