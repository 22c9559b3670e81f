"""The status as it is written."""

from __future__ import annotations

from datetime import UTC, datetime

from sluice.api.record import Evidence, MetricEvidence, RolloutRecordStatus
from sluice.api.status import Counts, ModelDeploymentStatus, Revision, Rollout

NOW = datetime(2030, 1, 1, tzinfo=UTC)
REVISION = Revision(name="a", model_name="m", model_version="1", digest="sha256:0", image="i")


def test_no_empty_map_or_list_is_written_except_what_the_statistics_store() -> None:
    evidence = Evidence(metrics=(MetricEvidence(metric="errors", state={"waiting": []}),))
    assert RolloutRecordStatus(evidence=evidence).to_kubernetes()["evidence"] == {
        "total": Counts().to_kubernetes(),
        "atWeight": Counts().to_kubernetes(),
        "metrics": [{"metric": "errors", "state": {"waiting": []}}],
    }
    written = ModelDeploymentStatus(stable=REVISION).to_kubernetes()
    assert "retired" not in written
    assert "conditions" not in written


def test_what_is_written_reads_back_the_same() -> None:
    status = ModelDeploymentStatus(rollout=Rollout(revision=REVISION, started_at=NOW, step_started_at=NOW))
    assert ModelDeploymentStatus.model_validate(status.to_kubernetes()) == status
