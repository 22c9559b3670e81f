"""A/B tests with variants: who is tested, who of them still is, and what each of them is compared by.

All challengers stand in `rollout.variants`, in the order in which users are assigned; the first that was not dropped is
the rollout's own revision, so that every rule that knows of one candidate speaks of it. The others are looked at by the
same rules, through a rollout that seems to be theirs: `view`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sluice.analysis import MISMATCH, Arm, Block, SampleRatio, combined
from sluice.api.ab_test import CANDIDATE
from sluice.api.record import Evidence, RolloutRecord
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Revision, Rollout, Variant
from sluice.core.observation import Observation, Unresolved
from sluice.core.revision import changed_digest, wanted_revision


def asked_for(spec: ModelDeploymentSpec) -> bool:
    """Whether more than one version is to be compared with stable."""
    return spec.strategy.ab_test is not None and bool(spec.strategy.ab_test.variants)


def named(
    spec: ModelDeploymentSpec, status: ModelDeploymentStatus, seen: Observation, wanted: Revision | None
) -> Mapping[str, Revision | Unresolved | None]:
    """Return the revision that each name stands for now, or why it stands for none; in the order of the spec.

    Args:
        spec: of the ModelDeployment.
        status: what is known.
        seen: what is seen.
        wanted: the revision that `model` names.
    """
    test = spec.strategy.ab_test
    found: dict[str, Revision | Unresolved | None] = {CANDIDATE: wanted}
    for variant in test.variants if test else ():
        model = seen.variants.get(variant.name)
        if model is not None and not isinstance(model, Unresolved):
            model = changed_digest(status, model) or model
        if model is None or isinstance(model, Unresolved):
            found[variant.name] = model
        else:
            found[variant.name] = wanted_revision(spec, status, model, seen.server_image)
    return found


def to_test(
    spec: ModelDeploymentSpec, status: ModelDeploymentStatus, names: Mapping[str, Revision | Unresolved | None]
) -> tuple[Variant, ...]:
    """Return whom a test would be about: whoever differs from stable and was not sent away before, each once."""
    test, found = spec.strategy.ab_test, dict[str, Variant]()
    if test is None or status.stable is None or status.returning_to:
        return ()
    weights = {CANDIDATE: test.weight} | {variant.name: variant.weight for variant in test.variants}
    known = {status.stable.name, *(entry.revision.name for entry in status.rejected)}
    for name, revision in names.items():
        if isinstance(revision, Revision) and revision.name not in known:
            found.setdefault(revision.name, Variant(name=name, revision=revision, weight=weights[name]))
    return tuple(found.values())


def unresolved(names: Mapping[str, Revision | Unresolved | None]) -> tuple[str, Unresolved] | None:
    """Return the first variant that names no version, and why; the candidate's troubles are told elsewhere."""
    for name, revision in names.items():
        if isinstance(revision, Unresolved):
            return name, revision
    return None


def moved(
    spec: ModelDeploymentSpec, status: ModelDeploymentStatus, names: Mapping[str, Revision | Unresolved | None]
) -> tuple[str, Revision] | None:
    """Return who names another version than when the test began, so that it is another test; None: nobody does.

    Who has no answer at the moment is believed to be what he was. Who was left out comes in with another version.
    """
    rollout = status.rollout
    began = {variant.name: variant.revision for variant in rollout.variants} if rollout else {}
    known = {revision.name for revision in began.values()}
    new = {variant.name for variant in to_test(spec, status, names) if variant.revision.name not in known}
    for name, revision in names.items():
        if isinstance(revision, Revision):
            before = began.get(name)
            if name in new or (before and before.name != revision.name):
                return name, revision
    return None


def living(rollout: Rollout) -> tuple[Variant, ...]:
    """Return who is still in the test."""
    return tuple(variant for variant in rollout.variants if variant.dropped is None)


def others(rollout: Rollout) -> tuple[Variant, ...]:
    """Return who is still in the test, beside the rollout's own revision; nobody in other rollouts."""
    return tuple(variant for variant in living(rollout) if variant.revision.name != rollout.revision.name)


def revisions(rollout: Rollout) -> tuple[Revision, ...]:
    """Return all revisions that a rollout runs beside stable."""
    return rollout.revision, *(variant.revision for variant in others(rollout))


def own(rollout: Rollout) -> Variant | None:
    """Return what the test says of the rollout's own revision; None in other rollouts."""
    return next((one for one in rollout.variants if one.revision.name == rollout.revision.name), None)


def label(rollout: Rollout) -> str:
    """Name the rollout's own revision for people, for example `large penguins/3`."""
    found = own(rollout)
    version = rollout.revision.title
    return f"{found.name} {version}" if found else version


def shares(rollout: Rollout) -> Mapping[str, int]:
    """Return the percent of the traffic by revision that everybody beside stable is to have.

    Users come to all challengers at once, and stay with them while the rollout's own revision has a weight.
    """
    beside = {one.revision.name: one.weight if rollout.weight else 0 for one in others(rollout)}
    return {rollout.revision.name: rollout.weight} | beside


def view(rollout: Rollout, variant: Variant) -> Rollout:
    """Return the rollout as if it were about another challenger."""
    weight = variant.weight if rollout.weight else 0
    return rollout.model_copy(update={"revision": variant.revision, "weight": weight, "evidence": variant.evidence})


def noted(spec: ModelDeploymentSpec, rollout: Rollout, seen: Observation, now: datetime) -> tuple[Variant, ...]:
    """Return the challengers with the times since when those who are in a test that goes on have no ready pod."""
    counts = rollout.weight > 0 and rollout.paused_at is None and spec.desired_replicas > 0
    return tuple(
        one.model_copy(
            update={
                "lost_at": min(one.lost_at or now, now)
                if counts and one.dropped is None and not seen.revision(one.revision.name).ready
                else None
            }
        )
        for one in rollout.variants
    )


def left_before(rollout: Rollout, moment: datetime) -> int:
    """Return how many have left the test before a moment."""
    return sum(one.dropped_at is not None and one.dropped_at < moment for one in rollout.variants)


def without(rollout: Rollout, revision: str, reason: str, message: str, now: datetime) -> Rollout:
    """Drop one of several: who is first now is what the rollout is about.

    By which weights requests were split meanwhile is not known for sure; nobody else has another weight by it.
    """
    after = tuple(
        one.model_copy(update={"dropped": reason, "message": message, "dropped_at": now})
        if one.revision.name == revision
        else one
        for one in rollout.variants
    )
    rest = rollout.model_copy(update={"variants": after})
    first = living(rest)[0]
    before = {"weight_live_at": None, "weights_before": (0, *sorted({*rollout.weights_before, rollout.weight} - {0}))}
    return view(rest, first).model_copy(update=before if rollout.weight else {})


def share(rollout: Rollout | None) -> float | None:
    """Return the share of a challenger among the users of stable and himself, as it was settled."""
    mine = own(rollout) if rollout else None
    if mine is None or rollout is None:
        return None
    return mine.weight / (mine.weight + _left_to_stable(rollout))


def split_range(rollout: Rollout, stable: int | None, weights: set[int]) -> tuple[float, float]:
    """Return the smallest and the largest share of a challenger among the requests of stable and himself.

    Args:
        rollout: about the challenger.
        stable: percent that stable has on the route, if there is one.
        weights: percent that the challenger may have.
    """
    controls = {100 - sum(shares(rollout).values()), *([stable] if stable else [])}
    if len(weights) > 1:
        controls.add(_left_to_stable(rollout))
    lowest, highest = min(weights), max(weights)
    return lowest / max(1, lowest + max(controls)), highest / max(1, highest + min(controls))


def mismatch(rollout: Rollout, stable: int, units: Mapping[str, int]) -> bool:
    """Whether users do not come to all versions as the weights say.

    The average of one test for each version, against all others together. A challenger's share of all who come is the
    same, whoever else was dropped; who was dropped had it until then, and stable since. (docs/statistics.md)

    Args:
        rollout: with all challengers.
        stable: how many came first to stable.
        units: how many came first to each challenger.
    """
    gone = sum(one.weight for one in rollout.variants if one.dropped)
    rest = _left_to_stable(rollout)
    arms = [(rest, rest + gone, stable)]
    for one in rollout.variants:
        arms.append((0 if one.dropped else one.weight, one.weight, units.get(one.revision.name, 0)))
    total = sum(number for _, _, number in arms)
    blocks = (
        Block(most / 100, Arm(total - number, 0), Arm(number, 0), weight_before=least / 100)
        for least, most, number in arms
    )
    return combined([SampleRatio.start().observe(block).log_e for block in blocks]) >= MISMATCH


def stored(record: RolloutRecord | None) -> Mapping[str, Evidence]:
    """Return what a record holds for and against each challenger, by revision."""
    if record is None:
        return {}
    further = {one.revision: one.evidence for one in record.status.variants if one.evidence}
    return further | {record.spec.candidate.name: record.status.evidence}


def list_of(variants: Iterable[Variant]) -> str:
    """Name them for people: `candidate penguins/2 (30 %), large penguins/3 (20 %)`."""
    return ", ".join(f"{one.name} {one.revision.title} ({one.weight} %)" for one in variants)


def _left_to_stable(rollout: Rollout) -> int:
    return 100 - sum(one.weight for one in rollout.variants)
