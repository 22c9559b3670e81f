"""What the demo sees: the ModelDeployment and its events, as any client of the API server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubernetes import client, config

GROUP, VERSION, PLURAL = "sluice.dev", "v1alpha1", "modeldeployments"


@dataclass(frozen=True)
class Sight:
    """A ModelDeployment at one moment."""

    raw: dict[str, Any] = field(default_factory=dict)
    events: tuple[tuple[str, str, str], ...] = ()

    @property
    def status(self) -> dict[str, Any]:
        """The status, as it is stored."""
        found: dict[str, Any] = self.raw.get("status", {})
        return found

    @property
    def stable(self) -> str:
        """Version number of stable, empty before the first install."""
        return str(self.status.get("stable", {}).get("modelVersion", ""))

    @property
    def candidate(self) -> str:
        """Version number of the candidate, empty when no rollout is going on."""
        return str(self.status.get("rollout", {}).get("revision", {}).get("modelVersion", ""))

    @property
    def rejected(self) -> str:
        """Version number that was rolled back last."""
        return str(self._rejected.get("revision", {}).get("modelVersion", ""))

    @property
    def why(self) -> str:
        """Why it was rolled back."""
        return str(self._rejected.get("message", ""))

    @property
    def _rejected(self) -> dict[str, Any]:
        rejected: list[dict[str, Any]] = self.status.get("rejected", [])
        return rejected[-1] if rejected else {}

    @property
    def ready(self) -> bool:
        """Whether what is wanted is what serves."""
        conditions = self.status.get("conditions", ())
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    @property
    def weight(self) -> int:
        """Percent of the traffic for the candidate."""
        return int(self.status.get("rollout", {}).get("weight", 0))


@dataclass
class Watcher:
    """Reads one ModelDeployment again and again."""

    namespace: str
    name: str
    kubeconfig: str

    def __post_init__(self) -> None:
        api = config.new_client_from_config(self.kubeconfig)
        self._objects, self._core = client.CustomObjectsApi(api), client.CoreV1Api(api)

    def look(self) -> Sight:
        """Return what is there now."""
        try:
            raw = self._objects.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, self.name)
        except client.ApiException as problem:
            if problem.status != 404:
                raise
            return Sight()
        return Sight(raw, self._events(raw["metadata"]["uid"]))

    def _events(self, uid: str) -> tuple[tuple[str, str, str], ...]:
        found = self._core.list_namespaced_event(self.namespace, field_selector=f"involvedObject.uid={uid}").items
        found.sort(key=lambda event: (event.last_timestamp, int(event.metadata.resource_version)))
        return tuple((event.type, event.reason, event.message) for event in found)
