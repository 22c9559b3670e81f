"""Whether users stick to a version while its share stays, through a restart of pods and of the operator."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from sluice.resources.naming import LABEL_REVISION

from benchmarks.rollouts import ALIAS, BETTER, NAMESPACE, Bench
from benchmarks.strategies.figures import TAKEN_UP_SECONDS, user_of
from benchmarks.strategies.specs import Held
from hack.load import Answer, Load
from hack.stack.install import NAMESPACE as OPERATOR_NAMESPACE
from hack.stack.install import RELEASE

ROUND_SECONDS = 12.0  # in which every user has sent at least two requests
REPLICAS = 4  # so that each version has another pod beside the one that is lost
POD_SECONDS = 30.0  # so long a pod is given to be gone, and another to be there


@dataclass(frozen=True)
class Assigned:
    """Users while the share of a version stayed the same.

    Attributes:
        weight: percent of the users who were to get the version.
        users: were answered by any version.
        candidate: came to the version first.
        both: were answered by both.
        back: were answered by the old version after the new one, since the rollout began.
        replicas: pods that the spec asked for.
    """

    weight: int
    users: int
    candidate: int
    both: int
    back: int
    replicas: int

    @property
    def error(self) -> float:
        """By how much the share of users at the version differs from its weight; both from 0 to 1."""
        return abs(self.candidate / self.users - self.weight / 100) if self.users else 0.0

    @property
    def noise(self) -> float:
        """The standard deviation of that share, were each user drawn by himself: binomial."""
        share = self.weight / 100
        return math.sqrt(share * (1 - share) / self.users) if self.users else 0.0


def assigned(answers: Iterable[Answer], new: int, weight: int, since: float) -> Assigned:
    """Read off the clients' log who was where; the weight stayed from `since` on, in monotonic seconds."""
    histories: defaultdict[int, list[Answer]] = defaultdict(list)
    for answer in sorted(answers, key=lambda one: one.sent):
        if answer.version:
            histories[user_of(answer)].append(answer)
    met = [[one.version for one in history] for history in histories.values()]
    held = [[one.version for one in history if one.sent >= since] for history in histories.values()]
    held = [versions for versions in held if versions]
    return Assigned(
        weight=weight,
        users=len(held),
        candidate=sum(versions[0] == str(new) for versions in held),
        both=sum(len(set(versions)) > 1 for versions in held),
        back=sum(_left(versions, str(new)) for versions in met),
        replicas=REPLICAS,
    )


def _left(versions: list[str], new: str) -> bool:
    """Whether another version answered after the new one."""
    return any(one == new != other for one, other in pairwise(versions))


def is_live(status: Mapping[str, Any]) -> bool:
    """Whether the gateway has taken the weight; until then more and more users come to the new version."""
    return "weightLiveAt" in status.get("rollout", {})


@dataclass(frozen=True)
class Sticking:
    """A rollout that stays at one weight, and what is restarted meanwhile."""

    bench: Bench
    held: Held
    load: Load

    def run(self) -> dict[str, Any]:
        """Measure, from nothing; return JSON."""
        self.bench.install(self.held.strategy, traffic=self.held.traffic, replicas=REPLICAS)
        began = len(self.load.answers)
        self.bench.stack.move_alias(ALIAS, BETTER)
        self.bench.until(lambda sight: sight.weight == self.held.weight and is_live(sight.status))
        time.sleep(TAKEN_UP_SECONDS)
        since = time.monotonic()
        time.sleep(ROUND_SECONDS)
        status = self.bench.watcher.look().status
        for revision in (status["rollout"]["revision"]["name"], status["stable"]["name"]):
            self._lose_a_pod(revision)
        self._restart_operator()
        time.sleep(ROUND_SECONDS)
        answers = self.load.answers[began:]
        weight = self.bench.watcher.look().weight
        if weight != self.held.weight:
            raise TimeoutError(f"the rollout did not stay at {self.held.weight} %: it is at {weight} %")
        return asdict(assigned(answers, BETTER, self.held.weight, since))

    def _lose_a_pod(self, revision: str) -> None:
        kubectl = self.bench.stack.shell.kubectl
        pod, *_ = kubectl("get", "pods", "-n", NAMESPACE, "-l", f"{LABEL_REVISION}={revision}", "-o", "name").split()
        kubectl("delete", pod, "-n", NAMESPACE, "--wait=false")
        time.sleep(POD_SECONDS)

    def _restart_operator(self) -> None:
        kubectl = self.bench.stack.shell.kubectl
        kubectl("-n", OPERATOR_NAMESPACE, "rollout", "restart", f"deployment/{RELEASE}")
        kubectl("-n", OPERATOR_NAMESPACE, "rollout", "status", f"deployment/{RELEASE}", "--timeout=180s")
