"""The course of a trial, on a cluster that does at once what it is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sluice.api.pairs import Pairs
from sluice.api.record import Evidence, Period, RolloutOutcome, RolloutRecord, RolloutRecordSpec, RolloutRecordStatus
from sluice.api.status import Revision

from benchmarks.rollouts import BETTER, BROKEN, FIRST, Bench
from benchmarks.strategies import trial
from benchmarks.strategies.results import Row
from benchmarks.strategies.trial import Trial
from hack.demo.watching import Sight
from hack.load import Answer, Load

AHEAD = timedelta(hours=3)  # of the operator's clock, to see that it does not matter


def revision(version: int) -> Revision:
    return Revision(name=f"rev{version}", model_name="m", model_version=str(version), image="i", digest="sha256:0")


def now() -> datetime:
    return datetime.now(UTC) + AHEAD


@dataclass
class World:
    """Cluster, operator and clients in one: stands for stack, shell and watcher."""

    load: Load
    notices: bool = True
    stable: int = FIRST
    candidate: int | None = None
    rejected: int | None = None
    promoted: list[str] = field(default_factory=list)
    record: RolloutRecord | None = None
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def shell(self) -> World:
        return self

    gateway_url = "http://127.0.0.1:1"

    def answer(self, version: int | None, status: int = 200) -> None:
        number, at = len(self.load.answers), time.monotonic()
        self.load.answers.append(Answer(at, time.monotonic(), status, "", str(version or ""), number=number))

    def move_alias(self, alias: str, version: int) -> None:
        if version == FIRST:
            return
        self.candidate, self.rejected = version, None
        if version == BROKEN:
            self.answer(BROKEN, 500)
            if self.notices:
                self._ended(RolloutOutcome.ROLLED_BACK)
                self.rejected = BROKEN
                self.answer(BROKEN, 500)
            else:
                self.stable = BROKEN
        elif not self.promoted:
            self._promote()

    def _promote(self) -> None:
        self.answer(BETTER)
        self.answer(FIRST)
        self._ended(RolloutOutcome.PROMOTED)
        self.stable, self.candidate = BETTER, None
        self.answer(BETTER)

    def _ended(self, outcome: RolloutOutcome) -> None:
        self.record = RolloutRecord(
            spec=RolloutRecordSpec(
                model_deployment="m", uid="u", strategy="s", candidate=revision(self.candidate or 0), started_at=now()
            ),
            status=RolloutRecordStatus(
                outcome=outcome, finished_at=now(), evidence=Evidence(pairs=Pairs(joined=480)),
                periods=(Period(weight=50, since=now() - timedelta(minutes=1), until=now() + timedelta(seconds=1)),),
            ),
        )  # fmt: skip

    def kubectl(self, *arguments: str) -> str:
        match arguments[:2]:
            case "get", "pods":
                return "pod/a pod/b"
            case "get", "rolloutrecords":
                assert self.record
                assert arguments[2] == "rollout-1"
                return self.record.model_dump_json(by_alias=True)
        wish = arguments[5]
        if wish == f"sluice.dev/rollback=rev{FIRST}":
            self.answer(None, 503)
            self.answer(self.stable)
            self.stable, self.candidate = FIRST, None
            self.status["lastAction"] = {"at": now().isoformat()}
            self.answer(FIRST)
        else:
            self.promoted.append(wish)
            self._promote()
        return ""

    def look(self) -> Sight:
        self.status["stable"] = {"modelVersion": str(self.stable)}
        self.status["record"] = "rollout-1"
        self.status["retired"] = [{"revision": revision(FIRST).to_kubernetes()}]
        self.status["rollout"] = (
            {"revision": revision(self.candidate).to_kubernetes(), "weight": 50} if self.candidate else {}
        )
        self.status["rejected"] = [{"revision": revision(self.rejected).to_kubernetes()}] if self.rejected else []
        return Sight({"status": self.status})


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SETTLED_SECONDS", "NOTICED_SECONDS", "SPLIT_SECONDS"):
        monkeypatch.setattr(trial, name, 0.02)


def measured(world: World, name: str = "canary", **options: Any) -> Row:
    bench = Bench(cast(Any, world), cast(Any, world))
    row = Trial(bench, name, world.load, **options).run()
    return Row.model_validate(row)


@pytest.fixture
def world() -> World:
    return World(Load("", [{}], 1))


def test_a_trial_measures_both_versions_and_the_way_back(world: World) -> None:
    row = measured(world)
    assert (row.good.tested_before, row.good.copies, row.good.promoted_by) == (1, 480, "itself")
    assert row.good.flips is not None
    assert row.good.flips.split == 2, "whatever the operator's clock says"
    assert row.command.back_seconds is not None
    assert 0 <= row.command.back_seconds < 10
    assert row.command.failed == 1
    assert row.bad.noticed
    assert row.bad.seen.requests == row.bad.hurt == 2
    assert row.bad.decided_to_back is not None
    assert 0 <= row.bad.decided_to_back < 10
    assert row.bad.failure_to_back is not None


def test_who_does_not_notice_is_told_to_go_back(world: World) -> None:
    world.notices = False
    row = measured(world, "recreate")
    assert not row.bad.noticed
    assert row.bad.decided_to_back is None
    assert row.bad.failure_to_back is not None
    assert world.stable == FIRST


def test_an_ab_test_without_outcomes_is_promoted_by_a_person(world: World) -> None:
    world.promoted.append("waits")
    row = measured(world, "abTest", feedback=False)
    assert world.promoted[1:] == [f"sluice.dev/promote-full=rev{BETTER}"]
    assert row.good.promoted_by == "a person"
