"""Whether users stick to a version, as it is read off the clients' log and made to happen on a cluster."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rollouts import BETTER, FIRST, Bench
from benchmarks.strategies import sticking
from benchmarks.strategies.__main__ import stuck
from benchmarks.strategies.results import Stuck
from benchmarks.strategies.specs import SUBJECTS, Held
from benchmarks.strategies.sticking import REPLICAS, Assigned, Sticking, assigned
from hack.demo.watching import Sight
from hack.load import Answer, Load
from tests.unit.benchmarks.test_strategy_figures import history

HELD = Held("held", {}, 50)


def found(*histories: str, since: float = 0.0) -> Assigned:
    answers = [one for user, versions in enumerate(histories) for one in history(versions, user=user)]
    return assigned(answers, BETTER, 50, since)


def test_users_belong_to_the_version_they_came_to_first() -> None:
    assert found("1111", "2222", "-222", "2111") == Assigned(
        50, users=4, candidate=3, both=1, back=1, replicas=REPLICAS
    )


def test_who_came_to_the_new_version_before_its_share_stayed_has_not_met_both_meanwhile() -> None:
    assert found("1222", "2211", since=2.0) == Assigned(50, users=2, candidate=1, both=0, back=1, replicas=REPLICAS)


def test_who_was_not_answered_is_no_user_and_hides_no_way_back() -> None:
    assert found("----", "2-1-") == Assigned(50, users=1, candidate=1, both=1, back=1, replicas=REPLICAS)
    assert found() == Assigned(50, 0, 0, 0, 0, REPLICAS)
    assert (found().error, found().noise) == (0.0, 0.0)


def test_the_error_stands_beside_what_chance_makes_of_it() -> None:
    counted = Assigned(20, users=400, candidate=92, both=0, back=0, replicas=REPLICAS)
    assert counted.error == pytest.approx(0.03)
    assert counted.noise == pytest.approx(math.sqrt(0.2 * 0.8 / 400))
    assert replace(counted, weight=26).error == pytest.approx(0.03)


@given(st.lists(st.text("12-", max_size=8), max_size=9))
def test_counts_are_of_users(histories: list[str]) -> None:
    counted = found(*histories)
    assert 0 <= counted.candidate <= counted.users <= len(histories)
    assert counted.both <= counted.users
    assert counted.back <= counted.both, "as long as all is within the time"


@dataclass
class World:
    """Stack, shell and watcher in one; each look at it is an answer to two users, one of them at the new version."""

    load: Load
    weight: int = 50
    done: list[str] = field(default_factory=list)

    @property
    def shell(self) -> World:
        return self

    def apply(self, manifest: str) -> None:
        self.done.append("apply")

    def move_alias(self, alias: str, version: int) -> None:
        self.done.append(f"alias {version}")

    def kubectl(self, *arguments: str) -> str:
        self.done.append(" ".join(arguments))
        for number, version in enumerate((FIRST, BETTER)):
            at = time.monotonic()
            self.load.answers.append(Answer(at, at, 200, "", str(version), number=number))
        return "pod/x pod/y" if arguments[0] == "get" else ""

    def look(self) -> Sight:
        moved = f"alias {BETTER}" in self.done
        revisions = {"stable": {"name": "rev1", "modelVersion": "1"}}
        rollout = {"revision": {"name": "rev2", "modelVersion": "2"}, "weight": self.weight, "weightLiveAt": "now"}
        conditions = [{"type": "Ready", "status": "True"}]
        status = {**revisions, "conditions": conditions, "rollout": rollout if moved else {}}
        return Sight({"status": {**status, "weight": self.weight if moved else 0}})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("TAKEN_UP_SECONDS", "ROUND_SECONDS", "POD_SECONDS"):
        monkeypatch.setattr(sticking, name, 0.0)
    return World(Load("", [{}], 1))


def test_a_pod_of_each_version_and_the_operator_are_restarted(world: World) -> None:
    bench = Bench(cast(Any, world), cast(Any, world))
    counted = Stuck.model_validate(Sticking(bench, HELD, world.load).run())
    assert counted == Stuck(weight=50, users=2, candidate=1, both=0, back=0, replicas=REPLICAS)
    restarts = world.done[world.done.index(f"alias {BETTER}") + 1 :]
    assert [line.split(" --")[0] for line in restarts] == [
        "get pods -n bench -l sluice.dev/revision=rev2 -o name", "delete pod/x -n bench",
        "get pods -n bench -l sluice.dev/revision=rev1 -o name", "delete pod/x -n bench",
        "-n sluice-system rollout restart deployment/sluice", "-n sluice-system rollout status deployment/sluice",
    ]  # fmt: skip


def test_a_rollout_that_does_not_stay_at_its_weight_measures_nothing(world: World, capsys: Any) -> None:
    bench = Bench(cast(Any, world), cast(Any, world))
    restarted = world.kubectl

    def ends(*arguments: str) -> str:
        if "restart" in arguments:
            world.weight = 100
        return restarted(*arguments)

    world.kubectl = ends  # type: ignore[method-assign]
    assert stuck(bench, HELD, world.load) is None
    assert "did not stay at 50 %" in capsys.readouterr().err


def test_users_may_stick_in_two_strategies() -> None:
    assert [name for name, subject in SUBJECTS.items() if subject.held] == ["canary", "abTest"]
