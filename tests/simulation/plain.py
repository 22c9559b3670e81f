"""A Service of all versions: when its endpoints follow its selector, and when the nodes follow these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sluice.kube.api import Manifest
from sluice.resources.naming import LABEL_MODEL_DEPLOYMENT, LABEL_REVISION
from sluice.traffic.plain_service import LABEL_SERVICE

from tests.simulation.pods import Life

Selector = dict[str, str]


@dataclass
class Service:
    """What each of them knows of the selector, and since when; pods that come and go are known at once."""

    name: str = ""
    written: Selector | None = None
    written_at: float = 0.0
    sliced: Selector | None = None  # as the EndpointSlices have it
    sliced_at: float = 0.0
    known: Selector | None = None  # as the nodes have it

    def learn(self, store: Any, namespace: str, name: str, time: float, delays: tuple[float, float]) -> None:
        """Let time pass."""
        found = store.objects.get(("Service", namespace, name))
        if found is None:
            self.written = self.sliced = self.known = None
            return
        self.name = name
        if found["spec"].get("selector") != self.written:
            self.written, self.written_at = found["spec"].get("selector"), time
        if self.written != self.sliced and time >= self.written_at + delays[0]:
            self.sliced, self.sliced_at = self.written, time
        if self.sliced != self.known and time >= self.sliced_at + delays[1]:
            self.known = self.sliced

    def leads_to(self, life: Life) -> bool:
        """Whether requests may come to a pod."""
        return self.known is not None and _picks(self.known, life.revision)

    def split(self, lives: Iterable[Life]) -> dict[str, int]:
        """Percent by revision, as the nodes lead requests now."""
        ready = Counter(life.revision for life in lives if life.serving and self.leads_to(life))
        return {revision: round(100 * pods / ready.total()) for revision, pods in ready.items()}

    def slices(self, store: Any) -> Manifest | None:
        """The Service's endpoints: its ready pods."""
        if self.sliced is None:
            return None
        found = []
        for pod in store.of_kind("Pod"):
            if self.sliced.items() <= pod["metadata"]["labels"].items():
                ready = pod["status"]["conditions"][0]["status"] == "True"
                found.append({"conditions": {"ready": ready}, "targetRef": {"uid": pod["metadata"]["uid"]}})
        labels = {LABEL_SERVICE: self.name, LABEL_MODEL_DEPLOYMENT: self.name}
        ports = [{"name": "http", "port": 8082}]
        return {"kind": "EndpointSlice", "metadata": {"labels": labels}, "endpoints": found, "ports": ports}


def _picks(selector: Selector, revision: str) -> bool:
    return selector.get(LABEL_REVISION, revision) == revision
