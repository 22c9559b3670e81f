"""The Jobs of gates: what they run, what they are told, and that they may do nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.gates import Gates
from sluice.api.spec import Server
from sluice.core.plan import Gating
from sluice.resources.gate_job import Asking, gate_job, job_name

from tests.unit.core.moments import revision

Manifest = dict[str, Any]
CANDIDATE, STABLE = revision("2"), revision("1")
OWNER = {"kind": "ModelDeployment", "name": "penguins", "uid": "abc"}
ASKING = Asking("penguins", "models", OWNER, Gating("penguins-abc-1-0", (), CANDIDATE, STABLE))
TEST: Manifest = {"name": "test", "image": "test:1"}


def rendered(gate: str, server: Server | None = None, **wants: Any) -> Manifest:
    gates = Gates.model_validate(wants)
    return gate_job(
        ASKING, gate, gates=gates, server=server or Server(), tracking_uri="http://mlflow", deadline_seconds=60
    )


def hook(template: Manifest) -> Manifest:
    return rendered("fairness", hooks=[{"name": "fairness", "job": {"template": template}}])


def pod_of(job: Manifest) -> Manifest:
    found: Manifest = job["spec"]["template"]["spec"]
    return found


def env_of(container: Manifest) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["env"]}


SIGNATURE = rendered("signature", signature={})
GOLDEN = rendered("goldenSet", goldenSet={"minAccuracy": 0.9, "notWorseThanStable": {"marginAbsolute": 0.02}})
HOOK = hook({"spec": {"containers": [TEST], "initContainers": [TEST | {"name": "before"}]}})
ALL = {"signature": SIGNATURE, "golden set": GOLDEN, "hook": HOOK}


@pytest.mark.parametrize("job", ALL.values(), ids=list(ALL))
def test_every_pod_is_restricted_and_gets_no_token(job: Manifest) -> None:
    pod = pod_of(job)
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod["initContainers"], *pod["containers"]):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]


@pytest.mark.parametrize("job", ALL.values(), ids=list(ALL))
def test_every_job_ends_and_goes(job: Manifest) -> None:
    assert job["metadata"]["ownerReferences"] == [OWNER]
    assert job["spec"]["activeDeadlineSeconds"] == 60
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    assert job["spec"]["backoffLimit"] == 2


@pytest.mark.parametrize("job", ALL.values(), ids=list(ALL))
def test_its_pods_are_seen_and_never_served_from(job: Manifest) -> None:
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["sluice.dev/model-deployment"] == "penguins"
    assert "sluice.dev/revision" not in labels


@pytest.mark.parametrize("job", ALL.values(), ids=list(ALL))
def test_a_no_is_final_and_what_is_none_is_tried_again(job: Manifest) -> None:
    disrupted, said_no = job["spec"]["podFailurePolicy"]["rules"]
    assert disrupted["action"] == "Ignore"
    assert (said_no["action"], said_no["onExitCodes"]["values"]) == ("FailJob", [75, 137, 143])
    ours = job is not HOOK
    assert said_no["onExitCodes"].get("containerName") == ("gate" if ours else None)


def test_signatures_are_compared_by_the_files_of_both() -> None:
    first, second = pod_of(SIGNATURE)["initContainers"]
    assert (env_of(first)["SLUICE_MODEL_VERSION"], env_of(first)["SLUICE_MODEL_DIR"]) == ("2", "/model/candidate")
    assert (env_of(second)["SLUICE_MODEL_VERSION"], env_of(second)["SLUICE_MODEL_DIR"]) == ("1", "/model/stable")
    assert env_of(first)["SLUICE_MODEL_DIGEST"] == CANDIDATE.digest
    (check,) = pod_of(SIGNATURE)["containers"]
    assert check["command"] == ["python", "-m", "sluice_server.checks.signature"]
    assert env_of(check)["SLUICE_STABLE_DIR"] == "/model/stable"


def test_the_golden_set_is_fetched_once_and_asked_of_both() -> None:
    (fetch,) = pod_of(GOLDEN)["initContainers"]
    (check,) = pod_of(GOLDEN)["containers"]
    told = env_of(check)
    assert told["SLUICE_ROWS_DIR"] == env_of(fetch)["SLUICE_MODEL_DIR"] == "/model/candidate"
    assert told["SLUICE_CANDIDATE_URL"] == f"http://penguins-{CANDIDATE.name}.models.svc"
    assert told["SLUICE_STABLE_URL"] == f"http://penguins-{STABLE.name}.models.svc"
    assert (told["SLUICE_MIN_ACCURACY"], told["SLUICE_MARGIN_ABSOLUTE"]) == ("0.9", "0.02")
    assert told["SLUICE_MAX_ROWS"] == "500"
    assert "SLUICE_MAX_MEAN_ABSOLUTE_ERROR" not in told


def test_the_rows_of_stable_are_those_of_its_files() -> None:
    job = rendered("goldenSet", goldenSet={"maxMeanAbsoluteError": 2.5, "rowsOf": "Stable"})
    (fetch,) = pod_of(job)["initContainers"]
    assert env_of(fetch)["SLUICE_MODEL_VERSION"] == "1"
    told = env_of(pod_of(job)["containers"][0])
    assert (told["SLUICE_ROWS_DIR"], told["SLUICE_MAX_MEAN_ABSOLUTE_ERROR"]) == ("/model/stable", "2.5")


def test_checks_fetch_with_the_rights_of_the_server() -> None:
    server = Server.model_validate({"serviceAccountName": "reader", "envFrom": [{"secretRef": {"name": "s3"}}]})
    pod = pod_of(rendered("signature", server, signature={}))
    assert pod["serviceAccountName"] == "reader"
    assert [one["envFrom"] for one in pod["initContainers"]] == [[{"secretRef": {"name": "s3"}}]] * 2
    assert "envFrom" not in pod["containers"][0], "what reads a model's rows needs no credentials"


def test_a_hook_keeps_what_it_says_and_is_told_who_it_is_about() -> None:
    stated = {"env": [{"name": "SLUICE_REVISION", "value": "mine"}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    pod = pod_of(hook({"spec": {"containers": [TEST | stated], "volumes": [{"name": "v", "emptyDir": {}}]}}))
    (container,) = pod["containers"]
    assert env_of(container)["SLUICE_REVISION"] == "mine"
    assert env_of(container)["SLUICE_MODEL_VERSION"] == "2"
    assert container["volumeMounts"] == stated["volumeMounts"]
    assert pod["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_what_a_hook_states_wins_over_what_is_safe() -> None:
    stated = {
        "automountServiceAccountToken": True, "securityContext": {"runAsUser": 1000}, "restartPolicy": "OnFailure",
        "containers": [TEST | {"securityContext": {"readOnlyRootFilesystem": False}, "resources": {}}],
    }  # fmt: skip
    pod = pod_of(hook({"spec": stated}))
    assert pod["automountServiceAccountToken"] is True
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsUser": 1000,
    }
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is False
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["restartPolicy"] == "Never", "a Job with a failure policy allows nothing else"


def test_a_hook_can_not_pass_for_one_of_our_pods() -> None:
    labels = {"sluice.dev/revision": CANDIDATE.name, "team": "birds"}
    job = hook({"metadata": {"labels": labels}, "spec": {"containers": [TEST]}})
    assert job["spec"]["template"]["metadata"]["labels"] == {
        "team": "birds",
        "sluice.dev/model-deployment": "penguins",
        "sluice.dev/gate": "fairness",
    }


def test_each_question_has_a_name_of_its_own_that_fits() -> None:
    names = {job_name("p" * 40, round_, gate) for round_ in ("a-1-0", "a-1-1") for gate in ("smoke", "signature")}
    assert len(names) == 4
    assert all(len(name) <= 63 for name in names)
