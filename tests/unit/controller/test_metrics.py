"""What is counted, and forgotten in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client.exposition import generate_latest
from sluice.api.status import Counts, ModelDeploymentStatus, Rejected, Variant
from sluice.controller.metrics import Counted, Metrics
from sluice.core.observation import ResolvedModel, Unresolved

from tests.unit.core.moments import ANALYZING, NOW

GOING = ANALYZING.plan.status
assert GOING.rollout
CANDIDATE = GOING.rollout.revision
OVER = GOING.model_copy(update={"rollout": None})
PROMOTED = OVER.model_copy(update={"stable": CANDIDATE})
REJECTED = Rejected(revision=CANDIDATE, reason="HarmProven", message="", at=NOW)
ROLLED_BACK = OVER.model_copy(update={"rejected": (REJECTED,)})
AGAIN = GOING.rollout.model_copy(update={"started_at": GOING.rollout.started_at + timedelta(minutes=1)})
LATER = GOING.model_copy(update={"rollout": GOING.rollout.model_copy(update={"weight": 77})})


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(lambda: True)


def series(metrics: Metrics, name: str) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(name) and "_created" not in line)
    return {key.removeprefix(name): float(value) for key, value in pairs}


@pytest.mark.parametrize(
    ("after", "outcome", "cause"),
    [
        (PROMOTED, "Promoted", "Completed"),
        (ROLLED_BACK, "RolledBack", "HarmProven"),
        (OVER, "Superseded", "NewerRevision"),
        (GOING.model_copy(update={"rollout": AGAIN}), "Superseded", "NewerRevision"),
    ],
    ids=["promoted", "rolled back", "given up for stable", "begun again"],
)
def test_a_rollout_is_counted_when_it_ends(
    metrics: Metrics, after: ModelDeploymentStatus, outcome: str, cause: str
) -> None:
    metrics.stored("shop", "penguins", GOING, LATER)
    assert series(metrics, "sluice_rollouts_total") == {}
    metrics.stored("shop", "penguins", LATER, after)
    metrics.stored("shop", "penguins", after, after)
    assert series(metrics, "sluice_rollouts_total") == {f'{{cause="{cause}",outcome="{outcome}"}}': 1.0}


def test_a_rollout_shows_its_weight_and_counts_while_it_goes_on(metrics: Metrics) -> None:
    assert LATER.rollout
    counts = Counts(stable_requests=400, stable_errors=2, candidate_requests=100, candidate_errors=1)
    evidence = LATER.rollout.evidence.model_copy(update={"total": counts, "harm": None, "safe": 0.25})
    status = LATER.model_copy(update={"rollout": LATER.rollout.model_copy(update={"evidence": evidence})})
    metrics.stands("shop", "penguins", status)
    me, variant = 'name="penguins",namespace="shop"', 'variant="candidate"'
    assert series(metrics, "sluice_rollout_weight_percent") == {f"{{{me},{variant}}}": 77.0}
    assert series(metrics, "sluice_rollout_errors") == {
        f'{{arm="stable",{me},{variant}}}': 2.0, f'{{arm="candidate",{me},{variant}}}': 1.0,
    }  # fmt: skip
    assert series(metrics, "sluice_rollout_proof_ratio") == {f'{{{me},of="safety",{variant}}}': 0.25}
    metrics.stands("shop", "penguins", PROMOTED)
    assert series(metrics, "sluice_rollout_") == {}


def test_each_version_of_a_test_stands_for_itself_as_long_as_it_is_in_it(metrics: Metrics) -> None:
    assert LATER.rollout
    others = [CANDIDATE.model_copy(update={"name": name}) for name in ("rev3", "rev4")]
    tested = (
        Variant(name="small", revision=CANDIDATE, weight=77),
        Variant(name="large", revision=others[0], weight=13),
        Variant(name="gone", revision=others[1], weight=5, dropped="HarmProven"),
    )
    metrics.stands(
        "shop", "x", LATER.model_copy(update={"rollout": LATER.rollout.model_copy(update={"variants": tested})})
    )
    weights = series(metrics, "sluice_rollout_weight_percent")
    assert weights == {
        '{name="x",namespace="shop",variant="small"}': 77.0, '{name="x",namespace="shop",variant="large"}': 13.0,
    }  # fmt: skip


def test_what_is_deleted_in_mid_rollout_is_forgotten(metrics: Metrics) -> None:
    metrics.stands("shop", "penguins", LATER)
    metrics.stands("shop", "whales", LATER)
    metrics.gone("shop", "penguins")
    metrics.gone("shop", "penguins")
    assert list(series(metrics, "sluice_rollout_weight_percent")) == [
        '{name="whales",namespace="shop",variant="candidate"}'
    ]


def test_looks_and_their_errors_are_counted(metrics: Metrics) -> None:
    metrics.looked(0.03)
    metrics.failed("ConflictError")
    assert series(metrics, "sluice_reconcile_duration_seconds_bucket")['{le="0.05"}'] == 1.0
    assert series(metrics, "sluice_reconcile_duration_seconds_bucket")['{le="0.02"}'] == 0.0
    assert series(metrics, "sluice_reconcile_errors_total") == {'{kind="ConflictError"}': 1.0}


@pytest.mark.parametrize("leads", [True, False])
def test_who_leads_says_so(leads: bool) -> None:
    assert series(Metrics(lambda: leads), "sluice_leader") == {"": float(leads)}


async def test_answers_without_a_version_are_counted_by_reason(metrics: Metrics) -> None:
    answers: list[ResolvedModel | Unresolved] = [
        Unresolved("RegistryUnreachable", "down"), ResolvedModel("penguins", "1", "sha256:0"),
    ]  # fmt: skip

    class Registry:
        async def resolve(self, uri: str) -> ResolvedModel | Unresolved:
            return answers.pop(0)

    counted = Counted(Registry(), metrics)
    assert isinstance(await counted.resolve("x"), Unresolved)
    assert isinstance(await counted.resolve("x"), ResolvedModel)
    assert series(metrics, "sluice_registry_poll_errors_total") == {'{reason="RegistryUnreachable"}': 1.0}
