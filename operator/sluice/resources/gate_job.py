"""The Job of a gate: our own checks with the model server's image, or what a user's hook wants to run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.api.base import GROUP
from sluice.api.gates import SIGNATURE, Gates, GoldenSet, JobHook, RowsOf
from sluice.api.spec import ResourceRequirements, Server
from sluice.core.plan import Gating
from sluice.resources.naming import (
    ANNOTATION_ROUND,
    LABEL_GATE,
    LABEL_MODEL_DEPLOYMENT,
    Manifest,
    metadata,
    owned_labels,
)
from sluice.resources.pod import MODEL_DIR, POD_SECURITY, SECURITY, TMP_DIR, VOLUMES, env, fetch, mounts
from sluice.resources.service import url

CONTAINER = "gate"
CANT_TELL = 75  # EX_TEMPFAIL
KILLED = (137, 143)  # for want of memory, or because its node goes
TRIES_AGAIN = 2
KEPT_SECONDS = 3600  # so that people can read the log
CANDIDATE_DIR, STABLE_DIR = f"{MODEL_DIR}/candidate", f"{MODEL_DIR}/stable"


@dataclass(frozen=True)
class Asking:
    """What gates are asked about: the names of a ModelDeployment, and the plan."""

    name: str
    namespace: str
    owner: Manifest
    gating: Gating

    @property
    def variables(self) -> Mapping[str, str]:
        """What every gate is told, as environment variables."""
        candidate, stable = self.gating.candidate, self.gating.stable
        return {
            "SLUICE_CANDIDATE_URL": url(name=self.name, namespace=self.namespace, revision_name=candidate.name),
            "SLUICE_STABLE_URL": url(name=self.name, namespace=self.namespace, revision_name=stable.name),
            "SLUICE_MODEL_DEPLOYMENT": self.name,
            "SLUICE_NAMESPACE": self.namespace,
            "SLUICE_MODEL_NAME": candidate.model_name,
            "SLUICE_MODEL_VERSION": candidate.model_version,
            "SLUICE_MODEL_DIGEST": candidate.digest,
            "SLUICE_REVISION": candidate.name,
            "SLUICE_STABLE_VERSION": stable.model_version,
            "SLUICE_STABLE_REVISION": stable.name,
        }


def job_name(name: str, round_: str, gate: str) -> str:
    """Return the name of a gate's Job; another round's is another one."""
    return f"{name}-gate-{hashlib.sha256(f'{round_}/{gate}'.encode()).hexdigest()[:10]}"


def gate_job(
    asking: Asking, gate: str, *, gates: Gates, server: Server, tracking_uri: str, deadline_seconds: int
) -> Manifest:
    """Render the Job of a gate that is not an HTTP hook."""
    hook = gates.hook(gate)
    if hook and hook.job:
        template, container = _hook_template(hook.job, asking.variables), None
    else:
        template, container = _check_template(asking, gate, gates.golden_set, server, tracking_uri), CONTAINER
    marks = {LABEL_MODEL_DEPLOYMENT: asking.name, LABEL_GATE: gate}
    meta = template.get("metadata") or {}
    stated = {label: value for label, value in (meta.get("labels") or {}).items() if not label.startswith(f"{GROUP}/")}
    template["metadata"] = meta | {"labels": stated | marks}
    head = metadata(
        name=job_name(asking.name, asking.gating.round, gate), namespace=asking.namespace,
        labels=owned_labels(asking.name) | marks, owner=asking.owner,
    )  # fmt: skip
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": head | {"annotations": {ANNOTATION_ROUND: asking.gating.round}},
        "spec": {
            "backoffLimit": TRIES_AGAIN,
            "activeDeadlineSeconds": deadline_seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podFailurePolicy": {"rules": _failures(container)},
            "template": template,
        },
    }


def _failures(container: str | None) -> list[Manifest]:
    """A no is final; who can't tell, is killed, or has to make room for others is tried again.

    Args:
        container: whose exit code is the answer; None: anyone's.
    """
    codes: Manifest = {"operator": "NotIn", "values": sorted((CANT_TELL, *KILLED))}
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": codes | ({"containerName": container} if container else {})},
    ]


def _check_template(asking: Asking, gate: str, golden: GoldenSet | None, server: Server, tracking_uri: str) -> Manifest:
    """Fetch the files of the versions it compares, as their own pods do, then check."""
    files = {CANDIDATE_DIR: asking.gating.candidate, STABLE_DIR: asking.gating.stable}
    if gate == SIGNATURE or golden is None:
        module, variables = "signature", {"SLUICE_CANDIDATE_DIR": CANDIDATE_DIR, "SLUICE_STABLE_DIR": STABLE_DIR}
    else:
        rows = CANDIDATE_DIR if golden.rows_of is RowsOf.CANDIDATE else STABLE_DIR
        files = {rows: files[rows]}
        module, variables = "golden_set", {"SLUICE_ROWS_DIR": rows, **_wants(golden)}
    container = {
        "name": CONTAINER,
        "image": asking.gating.candidate.image,
        "command": ["python", "-m", f"sluice_server.checks.{module}"],
        "env": env(**asking.variables, **variables, HOME=TMP_DIR),
        "resources": ResourceRequirements().to_kubernetes(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": SECURITY,
        "volumeMounts": mounts(read_only_model=True),
    }
    return {
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            **({"serviceAccountName": server.service_account_name} if server.service_account_name else {}),
            "enableServiceLinks": False,
            "securityContext": POD_SECURITY,
            "initContainers": [
                fetch(revision, server, tracking_uri, name=f"fetch-{folder.rpartition('/')[2]}", directory=folder)
                for folder, revision in files.items()
            ],
            "containers": [container],
            "volumes": VOLUMES,
        }
    }


def _wants(golden: GoldenSet) -> dict[str, str]:
    beside = golden.not_worse_than_stable
    wants: dict[str, float | None] = {
        "SLUICE_MIN_ACCURACY": golden.min_accuracy,
        "SLUICE_MAX_MEAN_ABSOLUTE_ERROR": golden.max_mean_absolute_error,
        "SLUICE_MARGIN_ABSOLUTE": beside.margin_absolute if beside else None,
        "SLUICE_MAX_ROWS": golden.max_rows,
    }
    return {name: repr(value) for name, value in wants.items() if value is not None}


def _hook_template(hook: JobHook, variables: Mapping[str, str]) -> Manifest:
    """Return the user's template; what it leaves open is as safe as it can be."""
    template: Manifest = hook.template.to_kubernetes()
    spec = template["spec"]
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    template["spec"] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **spec,
        "restartPolicy": "Never",
        "securityContext": security | (spec.get("securityContext") or {}),
        **{
            kind: [_hook_container(one, variables) for one in spec[kind]]
            for kind in ("initContainers", "containers")
            if spec.get(kind)
        },
    }
    return template


def _hook_container(container: Manifest, variables: Mapping[str, str]) -> Manifest:
    stated = container.get("env") or []
    names = {one["name"] for one in stated}
    told = env(**{name: value for name, value in variables.items() if name not in names})
    return {
        "resources": ResourceRequirements().to_kubernetes(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **container,
        "env": [*told, *stated],
        "securityContext": SECURITY | (container.get("securityContext") or {}),
    }
