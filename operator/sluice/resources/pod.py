"""The pod of a revision: fetch and verify the model, then serve it, under the restricted pod security standard."""

from __future__ import annotations

from sluice.api.spec import Server
from sluice.api.status import Revision
from sluice.resources.naming import ANNOTATION_DIGEST, ANNOTATION_MODEL, Manifest, labels, selector
from sluice.resources.service import SHARED_PORT_NAME

HTTP_PORT = 8080
MIRROR_PORT = 8081
SHARED_PORT = 8082
METRICS_PORT = 9090
MODEL_DIR = "/model"
TMP_DIR = "/tmp"  # noqa: S108 - inside the container, an emptyDir of its own
USER = 65532

# Longer than a gateway needs to hear that an endpoint is gone; gunicorn closes its listeners at once on SIGTERM.
PRE_STOP_SECONDS = 8
# preStop, plus the server's 25 s to finish what it has begun, plus room to exit.
TERMINATION_SECONDS = 45
START_SECONDS = 300  # a large model takes long to load and warm up; the step's deadline decides before that

MODEL_SIZE_LIMIT = "8Gi"
TMP_SIZE_LIMIT = "256Mi"

SPREAD_OVER = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")

SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
VOLUMES: list[Manifest] = [
    {"name": "model", "emptyDir": {"sizeLimit": MODEL_SIZE_LIMIT}},
    {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": TMP_SIZE_LIMIT}},
]


def pod_template(
    *, name: str, revision: Revision, server: Server, tracking_uri: str, collector_url: str = ""
) -> Manifest:
    """Render the pods of a revision. Done once and then frozen: a newer operator must not re-roll what runs."""
    return {
        "metadata": {
            "labels": labels(name, revision.name),
            "annotations": {
                "kubectl.kubernetes.io/default-container": "server",
                ANNOTATION_MODEL: f"{revision.model_name}/{revision.model_version}",
                ANNOTATION_DIGEST: revision.digest,
            },
        },
        "spec": {
            "automountServiceAccountToken": False,  # what workload identity mounts is not this token
            **({"serviceAccountName": server.service_account_name} if server.service_account_name else {}),
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": TERMINATION_SECONDS,
            "securityContext": POD_SECURITY,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": place,
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": selector(name, revision.name)},
                }
                for place in SPREAD_OVER
            ],
            "initContainers": [fetch(revision, server, tracking_uri)],
            "containers": [_serve(revision, server, collector_url)],
            "volumes": VOLUMES,
        },
    }


def fetch(
    revision: Revision, server: Server, tracking_uri: str, *, name: str = "fetch-model", directory: str = MODEL_DIR
) -> Manifest:
    """Return the init container that brings the files of a revision's model into a directory, and verifies them."""
    # The same resources as the server: a pod is charged the larger of the two, so it costs nothing.
    return {
        "name": name,
        "image": revision.image,
        "command": ["python", "-m", "sluice_server.fetch"],
        "env": env(
            MLFLOW_TRACKING_URI=tracking_uri,
            SLUICE_MODEL_NAME=revision.model_name,
            SLUICE_MODEL_VERSION=revision.model_version,
            SLUICE_MODEL_DIGEST=revision.digest,
            SLUICE_MODEL_DIR=directory,
            HOME=TMP_DIR,
            **({"SLUICE_MODEL_URI": revision.source} if revision.source else {}),
        ),
        **({"envFrom": [source.to_kubernetes() for source in server.env_from]} if server.env_from else {}),
        "resources": server.resources.to_kubernetes(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": SECURITY,
        "volumeMounts": mounts(read_only_model=False),
    }


def _serve(revision: Revision, server: Server, collector_url: str) -> Manifest:
    return {
        "name": "server",
        "image": revision.image,
        "command": ["python", "-m", "sluice_server"],
        "env": env(
            SLUICE_MODEL_DIR=MODEL_DIR,
            SLUICE_MODEL_NAME=revision.model_name,
            SLUICE_MODEL_VERSION=revision.model_version,
            SLUICE_REVISION=revision.name,
            SLUICE_WORKERS=str(server.workers),
            SLUICE_THREADS=str(server.threads),
            SLUICE_TRUST_PICKLE=str(server.trust_pickle).lower(),
            OMP_NUM_THREADS="1",
            HOME=TMP_DIR,
            **({"SLUICE_COLLECTOR_URL": collector_url} if collector_url else {}),
        ),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "mirror", "containerPort": MIRROR_PORT, "protocol": "TCP"},
            {"name": SHARED_PORT_NAME, "containerPort": SHARED_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": server.resources.to_kubernetes(),
        # A second's rhythm: how fast a new version takes over, and how fast a broken pod is out.
        "startupProbe": _probe("/readyz", period=1, failures=START_SECONDS),
        "readinessProbe": _probe("/readyz", period=1, failures=3),
        "livenessProbe": _probe("/healthz", period=5, failures=6, timeout=5),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": SECURITY,
        "volumeMounts": mounts(read_only_model=True),
    }


def env(**variables: str) -> list[Manifest]:
    """Return environment variables that mean what they say."""
    # Kubernetes replaces $(NAME) in values; $$ is a $ to it, and a model's name is never a program.
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in variables.items()]


def mounts(*, read_only_model: bool) -> list[Manifest]:
    """Return where a container finds the model and may write."""
    return [
        {"name": "model", "mountPath": MODEL_DIR, "readOnly": read_only_model},
        {"name": "tmp", "mountPath": TMP_DIR},
    ]


def _probe(path: str, *, period: int, failures: int, timeout: int = 2) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }
