"""What there is to see of a ModelDeployment: pure, from objects as the API server has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.cli import names, words
from sluice.cli.pairs import PairsView, pairs
from sluice.cli.states import Tone, condition, state_of
from sluice.cli.steps import StepView, step_views, steps_of
from sluice.cli.variants import VariantView, further, name_in_test, variant_views
from sluice.core.observation import Severity
from sluice.kube.pods import read_pod

Object = Mapping[str, Any]

# More would push what matters off the screen.
OLD_SHOWN = 3


@dataclass(frozen=True)
class PodView:
    """One pod; `state` is one word, `trouble` says what is wrong."""

    name: str
    state: str
    tone: Tone
    age: str
    restarts: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class RevisionView:
    """One revision: stable, candidate, retired, rejected or only tested; `weight` in percent of the traffic."""

    role: str
    version: str
    revision: str
    weight: int | None = None
    ready: int = 0
    pods: tuple[PodView, ...] = ()
    note: str = ""
    warm: bool = False


@dataclass(frozen=True)
class ArmView:
    """What one arm answered."""

    requests: int
    errors: int
    requests_at_weight: int
    errors_at_weight: int


@dataclass(frozen=True)
class UnitsView:
    """What an A/B test knows of one version's units; `mean` is of those that count, None without any."""

    units: int
    matured: int
    mean: float | None
    crossed: int


@dataclass(frozen=True)
class TestView:
    """An A/B test: what is assigned, and by how much the candidate is better, with bounds that hold at any time."""

    metric: str
    unit: str
    stable: UnitsView
    candidate: UnitsView
    better: float | None
    at_least: float | None
    at_most: float | None
    statement: str

    @property
    def counts(self) -> str:
        """What is counted: users, or requests."""
        return self.unit.partition(" ")[0]


@dataclass(frozen=True)
class EvidenceView:
    """Counts, and shares of what a proof needs: 1.0 is a proof; None where the operator does not say.

    Where requests are copied, `pairs` is what counts, and `shadow` what came of it afterwards; in an A/B test `test`,
    and the rest guards it. `units` says what the counts are of: users or requests.
    """

    stable: ArmView
    candidate: ArmView
    weight: int
    harm: float | None
    safe: float | None
    metrics: tuple[str, ...] = ()
    pairs: PairsView | None = None
    shadow: str = ""
    test: TestView | None = None
    units: str = "requests"
    variants: tuple[VariantView, ...] = ()


@dataclass(frozen=True)
class View:
    """All of it."""

    namespace: str
    name: str
    strategy: str
    uri: str
    age: str
    state: str
    tone: Tone
    message: str
    seen: bool
    problems: tuple[str, ...]
    revisions: tuple[RevisionView, ...]
    steps: tuple[StepView, ...]
    evidence: EvidenceView | None
    last_action: str
    step: str
    verdict: str
    ready: str
    installed: bool
    paused: bool
    record: str
    hidden: int = 0

    def revision(self, role: str) -> RevisionView | None:
        """Return the first revision in a role."""
        return next((one for one in self.revisions if one.role == role), None)


def build(raw: Object, pods: Iterable[Object], now: datetime) -> View:
    """Put together what there is to see."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    by_revision: dict[str, list[PodView]] = {}
    for pod in sorted(pods, key=lambda one: str(one["metadata"].get("creationTimestamp"))):
        revision = pod["metadata"].get("labels", {}).get(names.LABEL_REVISION, "")
        by_revision.setdefault(revision, []).append(_pod(pod, now))
    state, tone = state_of(raw)
    shown, hidden = _revisions(status, by_revision, now)
    return View(
        namespace=meta["namespace"],
        name=meta["name"],
        strategy=next(iter(spec.get("strategy") or {"canary": {}})),
        uri=spec["model"]["uri"],
        age=words.since(meta.get("creationTimestamp"), now),
        state=state,
        tone=tone,
        message=status.get("message") or "",
        seen=status.get("observedGeneration", 0) >= meta.get("generation", 1),
        problems=_problems(status),
        revisions=shown,
        steps=step_views(spec, status, now),
        evidence=_evidence(spec, status),
        last_action=_last_action(status, now),
        step=status.get("step") or "",
        verdict=status.get("verdict") or "",
        ready=status.get("ready") or "",
        installed="stable" in status,
        paused=bool(spec.get("paused")),
        record=status.get("record") or "",
        hidden=hidden,
    )


def _pod(raw: Object, now: datetime) -> PodView:
    pod = read_pod(dict(raw))
    age = words.since(raw["metadata"].get("creationTimestamp"), now)
    if pod.terminating:
        return PodView(pod.name, "ending", Tone.BUSY, age, pod.restarts)
    trouble = pod.trouble
    if trouble and not pod.ready:
        tone = Tone.BAD if trouble.severity is Severity.FATAL else Tone.WAITS
        return PodView(pod.name, trouble.reason, tone, age, pod.restarts, trouble.message)
    if pod.ready:
        said = f"{trouble.reason} before: {trouble.message}" if trouble else ""
        return PodView(pod.name, "ready", Tone.GOOD, age, pod.restarts, said)
    if _started(raw):
        return PodView(pod.name, "not ready", Tone.WAITS, age, pod.restarts)
    return PodView(pod.name, "starting", Tone.BUSY, age, pod.restarts)


def _started(pod: Object) -> bool:
    """Whether its containers have been up: then it is ready no more, not yet to come."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return bool(containers) and all(one.get("started") for one in containers)


def _revisions(
    status: Object, pods: Mapping[str, list[PodView]], now: datetime
) -> tuple[tuple[RevisionView, ...], int]:
    rollout, stable = status.get("rollout"), status.get("stable")
    weight = _weight(rollout) if rollout else 0
    beside = further(rollout) if rollout else ()
    shares = {one["revision"]["name"]: one["weight"] if weight else 0 for one in beside}
    found = []
    if stable:
        found.append(_revision("stable", stable, pods, weight=100 - weight - sum(shares.values())))
    if rollout:
        same = (
            ", the same model with other settings"
            if words.version(rollout["revision"]) == words.version(stable)
            else ""
        )
        note = f"since {words.since(rollout.get('startedAt'), now)}{same}{_as_pods(rollout)}"
        called = f"{named_so}, " if (named_so := name_in_test(rollout)) else ""
        found.append(
            _revision("candidate", rollout["revision"], pods, weight=weight if stable else None, note=called + note)
        )
        for one in beside:
            share = shares[one["revision"]["name"]]
            found.append(_revision("candidate", one["revision"], pods, weight=share, note=one["name"]))
    retired = [_retired(entry, pods, now) for entry in reversed(status.get("retired", ()))]
    rejected = [_rejected(entry, pods, now) for entry in reversed(rejected_entries(status))]
    kept = {one.revision for one in rejected}
    retired = [one for one in retired if one.revision not in kept]
    shown = (*found, *retired[:OLD_SHOWN], *rejected[:OLD_SHOWN])
    return shown, len(retired) + len(rejected) + len(found) - len(shown)


def _weight(rollout: Object) -> int:
    """Return the percent of the traffic that the candidate has, without a gateway by pods."""
    weight, mine, all_pods = int(rollout.get("weight", 0)), *_pods_behind(rollout)
    return round(100 * mine / all_pods) if 0 < weight < 100 and all_pods else weight


def _as_pods(rollout: Object) -> str:
    """Say by how many pods, and what was asked for, where pods split the traffic."""
    mine, all_pods = _pods_behind(rollout)
    asked = rollout.get("weight", 0)
    return f", {mine} of {all_pods} pods ({asked} % asked for)" if 0 < asked < 100 and all_pods else ""


def _pods_behind(rollout: Object) -> tuple[int, int]:
    pods = rollout.get("servicePods") or {}
    mine = int(pods.get("candidate", 0))
    return mine, mine + int(pods.get("stable", 0))


def rejected_entries(status: Object) -> tuple[Object, ...]:
    """Return the revisions that were rejected, newest last."""
    found = status.get("rejected") or ()
    return (found,) if isinstance(found, Mapping) else tuple(found)


def _revision(
    role: str, raw: Object, pods: Mapping[str, list[PodView]], *, weight: int | None = None, note: str = "",
    warm: bool = False,
) -> RevisionView:  # fmt: skip
    mine = tuple(pods.get(raw["name"], ()))
    ready = sum(pod.state == "ready" for pod in mine)
    return RevisionView(role, words.version(raw), raw["name"], weight, ready, mine, note, warm)


def _retired(entry: Object, pods: Mapping[str, list[PodView]], now: datetime) -> RevisionView:
    until = words.moment(entry["scaleDownAt"])
    warm = until is not None and until > now
    left = f"for another {words.span(until - now)}" if until and warm else ""
    was_stable = entry.get("wasStable", True)
    note = f"warm {left}" if warm and was_stable else f"ends {left}" if warm else "scaled down"
    return _revision("retired" if was_stable else "given up", entry["revision"], pods, note=note, warm=warm)


def _rejected(entry: Object, pods: Mapping[str, list[PodView]], now: datetime) -> RevisionView:
    note = f"{entry['reason']} {words.since(entry['at'], now)} ago: {entry['message']}"
    role = "tested" if entry["reason"] in ("NoWinner", "Winner") else "rejected"
    return _revision(role, entry["revision"], pods, note=note)


def _problems(status: Object) -> tuple[str, ...]:
    """What is wrong whatever the rollout does."""
    degraded = condition(status, "Degraded")
    if degraded.get("status") == "True" and degraded.get("reason") != "RolledBack":
        return (f"{degraded.get('reason')}: {degraded.get('message')}",)
    return ()


def _evidence(spec: Object, status: Object) -> EvidenceView | None:
    rollout = status.get("rollout")
    if not rollout or "stable" not in status:
        return None
    seen = rollout.get("evidence") or {}
    metrics, strategy = spec.get("analysis", {}).get("metrics") or (), spec.get("strategy") or {}
    if "recreate" in strategy:
        return None  # nothing is compared
    if (mirror := _mirror(spec, rollout)) is not None:
        return EvidenceView(
            _arm(seen, "stable"), _arm(seen, "candidate"), 0, seen.get("harm"), seen.get("safe"), _limits(mirror),
            pairs(seen.get("pairs") or {}, seen.get("disagreement") or {}),
        )  # fmt: skip
    verify = (strategy.get("blueGreen") or {}).get("verify") or {}
    test = _test(seen["test"]) if seen.get("test") else None
    sticky = "canary" in strategy and (spec.get("traffic") or {}).get("sticky")
    return EvidenceView(
        stable=_arm(seen, "stable"),
        candidate=_arm(seen, "candidate"),
        weight=_weight(rollout),
        harm=seen.get("harm"),
        safe=seen.get("safe"),
        metrics=(f"errors (at most {verify['maxErrorRate']:g})",) if verify else tuple(_metric(one) for one in metrics),
        shadow=(seen.get("disagreement") or {}).get("statement", ""),
        test=test,
        units=test.counts if test else "users" if sticky else "requests",
        variants=variant_views(rollout),
    )


def _test(seen: Object) -> TestView:
    counts = seen.get("counts") or {}
    return TestView(
        metric=seen["metric"],
        unit=seen["unit"],
        stable=_units(counts.get("control") or {}),
        candidate=_units(counts.get("treatment") or {}),
        better=seen.get("better"),
        at_least=seen.get("atLeast"),
        at_most=seen.get("atMost"),
        statement=seen.get("statement") or "",
    )


def _units(seen: Object) -> UnitsView:
    matured = seen.get("matured", 0)
    mean = seen.get("total", 0.0) / matured if matured else None
    return UnitsView(seen.get("units", 0), matured, mean, seen.get("crossed", 0))


def _mirror(spec: Object, rollout: Object) -> Object | None:
    """Return what the present step says of copies, if it does."""
    steps, at = steps_of(spec), rollout.get("stepIndex", 0)
    if rollout.get("direct") or at >= len(steps) or "mirror" not in steps[at]:
        return None
    return steps[at]["mirror"] or {}


def _limits(mirror: Object) -> tuple[str, ...]:
    limits = (("failures of the candidate alone", "maxErrorRate"), ("different answers", "maxDisagreement"))
    return tuple(f"{what} (at most {mirror[key]:g})" for what, key in limits if key in mirror)


def _arm(evidence: Object, arm: str) -> ArmView:
    total, here = evidence.get("total") or {}, evidence.get("atWeight") or {}
    requests, errors = f"{arm}Requests", f"{arm}Errors"
    return ArmView(total.get(requests, 0), total.get(errors, 0), here.get(requests, 0), here.get(errors, 0))


def _metric(metric: Object) -> str:
    kind = next((key for key in metric if key != "name"), "")
    margins = metric.get(kind) or {}
    parts = [f"x {margins['marginRatio']:g}"] if "marginRatio" in margins else []
    if "marginAbsolute" in margins:
        parts.append(f"+ {margins['marginAbsolute']:g}")
    both = " " if kind == "latency" else " or "  # a scale shift, and a slack beside it
    return f"{metric.get('name', kind)} ({kind}: stable {both.join(parts)})" if parts else metric.get("name", kind)


def _last_action(status: Object, now: datetime) -> str:
    last = status.get("lastAction")
    if not last:
        return ""
    by = f" by {last['actor']}" if last.get("actor") else ""
    return f"{last['action']} {words.since(last['at'], now)} ago{by}: {last['outcome']}"
