"""What the controller needs of the Kubernetes API: one small interface, real here, in memory in the simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sluice.api.base import API_VERSION, KIND, PLURAL
from sluice.api.record import RECORD_KIND, RECORD_PLURAL

Manifest = dict[str, Any]
Manifests = list[Manifest]


@dataclass(frozen=True)
class Resource:
    """A kind of objects, by its API path."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of a namespace's objects, or of one; without a namespace that of all namespaces' objects."""
        root = "/api" if "/" not in self.api_version else "/apis"
        scope = f"namespaces/{namespace}" if namespace else ""
        return "/".join(filter(None, (root, self.api_version, scope, self.plural, name)))


MODEL_DEPLOYMENTS = Resource(API_VERSION, KIND, PLURAL)
RECORDS = Resource(API_VERSION, RECORD_KIND, RECORD_PLURAL)
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
CONTROLLER_REVISIONS = Resource("apps/v1", "ControllerRevision", "controllerrevisions")
SERVICES = Resource("v1", "Service", "services")
PODS = Resource("v1", "Pod", "pods")
ENDPOINT_SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
EVENTS = Resource("v1", "Event", "events")
ROUTES = Resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
AUTOSCALERS = Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
BUDGETS = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
POLICIES = Resource("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies")
JOBS = Resource("batch/v1", "Job", "jobs")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
GATEWAYS = Resource("gateway.networking.k8s.io/v1", "Gateway", "gateways")


class KubeApi(Protocol):
    """Requests to the Kubernetes API. All raise `KubeError` when they fail."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""

    async def list(self, resource: Resource, namespace: str, labels: str) -> list[Manifest]:
        """Return the objects of a namespace that a label selector picks."""

    async def apply(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object server-side, taking over the fields it names; return what is stored."""

    async def apply_status(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object's status; with a resourceVersion in its metadata only if that is still current."""

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Apply a JSON merge patch; return what is stored."""

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        """Create an object."""

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Replace an object, only if the resourceVersion in its metadata is still current; return what is stored."""

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object and, in the background, what it owns; one that is not there is fine."""
