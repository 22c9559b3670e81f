"""What the benchmark of a shadow reads off what it sees."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any, cast

import pytest
from sluice.api.strategy import Strategy

from benchmarks.rollouts import BETTER, BROKEN, FIRST, Bench
from benchmarks.shadow import (
    ALONE,
    CANDIDATES,
    COPIES,
    COPYING,
    IDLING,
    LATE,
    SLOW,
    goes_on,
    joined,
    measure,
    noise,
    offered,
    p99,
    pieces,
    pooled,
    sampled,
    summed_up,
    window,
)
from hack.demo.watching import Sight
from hack.load import Answer, Load

METRICS = """\
# TYPE sluice_compared_answers_total counter
sluice_compared_answers_total{fate="sent"} 40.0
sluice_compared_answers_total{fate="dropped"} 1.0
sluice_compared_answers_total{fate="refused"} 0.0
sluice_requests_total{assignment="random",outcome="ok"} 99.0
"""


class Cluster:
    """Two pods, and a collector that has joined 60 pairs."""

    gateway_url = "http://127.0.0.1:1"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: list[object] = []
        self.candidate = False
        self.given = 0

    @property
    def shell(self) -> Cluster:
        return self

    def kubectl(self, *arguments: str) -> str:
        self.asked.append(arguments[-1])
        if arguments[0] == "patch":
            self.done.append(next(name for name, one in json.loads(arguments[-1])["spec"]["strategy"].items() if one))
        if arguments[-1].endswith("/metrics"):
            return METRICS.replace("40.0", str(40.0 + self.given))
        if arguments[-1] == "name":
            return "pod/pod-1 pod/pod-2"
        return json.dumps({"pairs": 60, "disagreements": 2}) if "comparisons" in arguments[-1] else "pod-1 pod-2"

    def move_alias(self, alias: str, version: int) -> None:
        self.done.append(version)
        self.candidate = version != FIRST
        self.given += 25 * self.candidate

    def look(self) -> Sight:
        if not self.candidate:
            return Sight({"status": {"record": "bench-7"}})
        rollout = {"revision": {"modelVersion": "2"}, "evidence": {"pairs": {"joined": 1}}}
        return Sight({"status": {"record": "bench-7", "rollout": rollout, "message": "paused until somebody promotes"}})


def bench() -> Bench:
    return Bench(cast(Any, Cluster()), cast(Any, None))


def test_answers_are_counted_whatever_became_of_them() -> None:
    assert offered(METRICS) == 41
    assert offered("") == 0
    assert sampled(bench()) == 82


def test_the_share_is_of_the_answers_that_stable_had() -> None:
    assert joined(bench(), "bench-1", 80) == {"pairs": 60, "disagreements": 2, "sampled": 80, "share": 0.75}
    assert joined(bench(), "bench-1", 0)["share"] is None


def test_a_window_tells_what_users_saw() -> None:
    answers = [Answer(n, n + (0.5 if n == 99 else 0.01), 503 if n == 3 else 200, "", "1") for n in range(100)]
    found = window(answers)
    assert (found["requests"], found["failed"]) == (100, 1)
    assert found["p50"] == pytest.approx(10)
    assert found["p99"] == pytest.approx(10)
    assert window(answers[50:])["p99"] == pytest.approx(500)


def test_windows_of_one_kind_are_summed_up_by_their_medians() -> None:
    windows = [{"requests": 10, "failed": n, "p50": 5.0 + n, "p99": 50.0 * n} for n in range(3)]
    assert pooled(windows) == {"requests": 30, "failed": 3, "p50": 6.0, "p99": 50.0}
    table = summed_up(
        {
            "windows": {ALONE: windows, COPIES: windows[:1]},
            "pairs": {COPIES: [{"pairs": 9, "sampled": 10}] * 2},
            "noise": {COPIES: {"ratio": 1.04, "from": 0.8, "to": 1.3}},
        }
    )
    assert f"| {ALONE} | 5, 6, 7 | 0, 50, 100 | – | 3 | – |" in table
    assert f"| {COPIES} | 5 | 0 | 1.04 (0.80 to 1.30) | 0 | 18 of 20 |" in table


def test_neighbours_in_time_stay_together() -> None:
    answers = [
        Answer(at, at + 0.001 * number, 200, "", "1") for number, at in enumerate((10.0, 11.0, 14.9, 15.0, 27.0))
    ]
    found = pieces(answers)
    assert [[round(each) for each in piece] for piece in found] == [[0, 1, 2], [3], [4]]
    assert p99(found) == pytest.approx(4)


def test_what_is_the_same_lies_within_the_noise_and_what_is_slower_does_not() -> None:
    calm = [[5.0 + piece % 3] * 50 for piece in range(12)]
    same, slower = noise(calm, list(reversed(calm))), noise([[3 * each for each in piece] for piece in calm], calm)
    assert same["ratio"] == 1.0
    assert same["from"] <= 1.0 <= same["to"]
    assert slower["ratio"] == pytest.approx(3.0)
    assert slower["from"] > 1.0


def test_a_candidate_is_looked_at_once_it_waits_or_is_compared() -> None:
    compared = {"rollout": {"evidence": {"pairs": {"joined": 1}}}}
    assert goes_on(compared, COPYING)
    assert not goes_on({"rollout": {"evidence": {}}}, COPYING)
    assert not goes_on(compared, IDLING)
    assert goes_on({"message": "paused until somebody promotes"}, IDLING)


@pytest.mark.parametrize("strategy", [IDLING, COPYING])
def test_the_api_takes_both_strategies(strategy: dict[str, Any]) -> None:
    (name, fields), *others = Strategy.model_validate(strategy).to_kubernetes().items()
    assert not others
    assert set(strategy[name]) <= set(fields)


def test_each_round_has_every_window_and_each_candidate_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, load = Cluster(), Load("", [{}], 1)

    def sleep(seconds: float) -> None:
        load.answers.append(Answer(0.0, 0.02, 200, "", "1"))

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(Bench, "load", lambda *_: nullcontext(load))
    *_, last = measure(Bench(cast(Any, cluster), cast(Any, cluster)), 2, 40)
    assert {name: len(found) for name, found in last["windows"].items()} == dict.fromkeys((ALONE, *CANDIDATES), 2)
    versions = (("blueGreen", BETTER), ("shadow", BETTER), ("shadow", BROKEN), ("shadow", SLOW))
    assert cluster.done == [step for kind, version in versions for step in (kind, version, FIRST)] * 2
    assert [one["sampled"] for one in last["pairs"][LATE]] == [50, 50], "of the copies alone, and of both pods"
    assert any(asked.endswith("/v1/comparisons/bench/bench-7") for asked in cluster.asked)
