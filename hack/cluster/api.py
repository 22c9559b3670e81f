"""Just enough of a Kubernetes client to wait for things, without any package installed."""

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

from hack.cluster.processes import wait_for


@dataclass(frozen=True)
class Api:
    """Reads from the API server that a kubeconfig of ours names."""

    host: str
    port: int
    context: ssl.SSLContext

    @classmethod
    def from_kubeconfig(cls, path: Path) -> "Api":
        """Our kubeconfigs are JSON with everything inside."""
        content = json.loads(path.read_text(encoding="utf-8"))
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        with NamedTemporaryFile("wb") as pem:
            for part in ("client-certificate-data", "client-key-data"):
                pem.write(base64.b64decode(user[part]) + b"\n")
            pem.flush()
            context.load_cert_chain(pem.name)
        server = urlsplit(cluster["server"])
        return cls(server.hostname or "", server.port or 443, context)

    def get(self, path: str, timeout: float = 5.0) -> tuple[int, str]:
        """Return status and body; 0 when nobody answers."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def object(self, path: str) -> dict[str, Any] | None:
        """Return an object or a list, or None if it is not there (yet)."""
        status, body = self.get(path)
        if status == 200:
            with suppress(ValueError):
                content: dict[str, Any] = json.loads(body)
                return content
        return None

    def ready(self) -> bool:
        """Whether the API server calls itself ready."""
        return self.get("/readyz")[0] == 200

    def condition(self, path: str, kind: str) -> bool:
        """Whether an object has a condition of this kind that is true, for its present generation."""
        found = self.object(path)
        if found is None:
            return False
        generation = found["metadata"].get("generation", 0)
        return any(
            is_true(condition, kind) and condition.get("observedGeneration", generation) == generation
            for condition in found.get("status", {}).get("conditions", [])
        )

    def wait(self, check: Callable[["Api"], bool], patience: float, what: str) -> None:
        """Poll until the check holds."""
        wait_for(lambda: True if check(self) else None, patience, what, pause=0.2)


def is_true(condition: Mapping[str, Any], kind: str) -> bool:
    """Whether this is that condition, and it holds."""
    return bool(condition["type"] == kind and condition["status"] == "True")


NODES = "/api/v1/nodes"
GATEWAY_CLASS = "/apis/gateway.networking.k8s.io/v1/gatewayclasses/eg"
GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/gateways/gateways/public"


LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


def node_ready(api: Api, node: str, since: datetime) -> bool:
    """Whether the kubelet can run pods and said so lately: conditions outlive the one who wrote them."""
    found = api.object(f"{NODES}/{node}")
    conditions = found["status"].get("conditions", []) if found else []
    heard = [condition["lastHeartbeatTime"] for condition in conditions if is_true(condition, "Ready")]
    if not heard:
        return False
    lease = api.object(f"{LEASES}/{node}")  # renewed far more often, but not in a node's first seconds
    heard += [lease["spec"]["renewTime"]] if lease else []
    return any(datetime.fromisoformat(time) >= since.replace(microsecond=0) for time in heard)


def gateway_serves(api: Api, port: int) -> bool:
    """Whether the public gateway is programmed and Envoy answers now, be it that there is no such route."""
    if not api.condition(GATEWAY, "Programmed"):
        return False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
