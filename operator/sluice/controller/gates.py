"""Has gates asked as a plan says: Jobs are made, hooks are called in the background, and nothing waits for either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice.api.gates import HttpHook
from sluice.api.outcomes import GateOutcome
from sluice.api.status import Revision
from sluice.controller.target import Target
from sluice.core.observation import GateState
from sluice.core.plan import Gating
from sluice.kube.api import JOBS, KubeApi, Manifest
from sluice.kube.errors import ConflictError, RefusedError
from sluice.kube.jobs import is_finished
from sluice.resources.gate_job import Asking, gate_job, job_name
from sluice.resources.naming import ANNOTATION_ROUND
from sluice.sources.hooks import Question

Key = tuple[str, str]


class Asker(Protocol):
    """Who calls HTTP hooks; a ModelDeployment is known by namespace and name."""

    def ask(self, key: Key, question: Question) -> None:
        """Begin to ask, unless it is being asked or was answered; returns at once."""

    def keep(self, key: Key, round_: str | None) -> None:
        """Ask nothing any more that is not of this round."""

    def states(self, key: Key) -> tuple[GateState, ...]:
        """Return how the questions of a ModelDeployment stand."""


@dataclass(frozen=True)
class Gates:
    """All gates of all ModelDeployments; what the API server refuses is an answer too."""

    api: KubeApi
    tracking_uri: str
    hooks: Asker
    _refused: dict[Key, dict[str, GateState]] = field(default_factory=dict)

    def states(self, key: Key) -> tuple[GateState, ...]:
        """Return what is known of gates, other than by their Jobs."""
        return (*self.hooks.states(key), *self._refused.get(key, {}).values())

    def forget(self, key: Key) -> None:
        """Ask nothing any more for a ModelDeployment."""
        self.hooks.keep(key, None)
        self._refused.pop(key, None)

    async def __call__(self, target: Target, gating: Gating | None, live: Mapping[tuple[str, str], Manifest]) -> None:
        """Ask what is to be asked, and end what nobody waits for any more; finished Jobs stay for their logs.

        Raises:
            KubeError: the API server failed; the next look does it again.
        """
        key, round_ = (target.namespace, target.name), gating.round if gating else None
        self.hooks.keep(key, round_)
        if gating is None:
            self._refused.pop(key, None)
        for (kind, name), job in live.items():
            if kind == "Job" and not is_finished(job) and _round(job) != round_:
                await self.api.delete(JOBS, target.namespace, name)
        if gating and target.spec.gates:
            asking = Asking(target.name, target.namespace, target.owner, gating)
            for gate in gating.asked:
                hook = target.spec.gates.hook(gate)
                if hook and hook.http:
                    self.hooks.ask(key, question(asking, gate, hook.http))
                elif ("Job", job_name(target.name, gating.round, gate)) not in live:
                    await self._begin(target, asking, gate)

    async def _begin(self, target: Target, asking: Asking, gate: str) -> None:
        refused = self._refused.setdefault((target.namespace, target.name), {})
        known = refused.get(gate)
        if target.spec.gates is None or (known and known.round == asking.gating.round):
            return
        job = gate_job(
            asking, gate, gates=target.spec.gates, server=target.spec.server, tracking_uri=self.tracking_uri,
            deadline_seconds=target.spec.progress_deadline_seconds,
        )  # fmt: skip
        try:
            await self.api.create(JOBS, job)
        except ConflictError:
            return  # it is there already
        except RefusedError as error:
            why = f"its Job can't be made: {error}"
            refused[gate] = GateState(asking.gating.round, gate, GateOutcome.UNDECIDED, why)


def question(asking: Asking, gate: str, hook: HttpHook) -> Question:
    """Return what an HTTP hook is told."""
    urls = asking.variables
    body = {
        "modelDeployment": asking.name,
        "namespace": asking.namespace,
        "gate": gate,
        "rollout": asking.gating.round.rpartition("-")[0],
        "candidate": _about(asking.gating.candidate, urls["SLUICE_CANDIDATE_URL"]),
        "stable": _about(asking.gating.stable, urls["SLUICE_STABLE_URL"]),
    }
    return Question(asking.gating.round, gate, hook.url, hook.timeout.total_seconds(), body)


def _about(revision: Revision, url: str) -> dict[str, Any]:
    return {
        "model": revision.model_name,
        "version": revision.model_version,
        "digest": revision.digest,
        "revision": revision.name,
        "url": url,
    }


def _round(job: Manifest) -> str:
    return str((job["metadata"].get("annotations") or {}).get(ANNOTATION_ROUND, ""))
