"""The objects of a revision: complete, deterministic, and allowed under the restricted pod security standard."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sluice.api.spec import ResourceRequirements, Server
from sluice.api.status import Revision
from sluice.resources import naming
from sluice.resources.service import service
from sluice.resources.workload import controller_revision, deployment, frozen_template, pod_template
from sluice_server.settings import Settings

REVISION = Revision(
    name="5d8f7c9b2a",
    model_name="penguins",
    model_version="7",
    digest="sha256:" + "a" * 64,
    image="example.test/model-server@sha256:" + "b" * 64,
)
OWNER = naming.owner_reference(name="birds", uid="0b2c")


def template(server: Server | None = None, revision: Revision = REVISION) -> dict[str, Any]:
    return pod_template(
        name="birds", revision=revision, server=server or Server(), tracking_uri="http://mlflow.mlops:5000"
    )


def containers(of: dict[str, Any]) -> list[dict[str, Any]]:
    return [*of["spec"]["initContainers"], *of["spec"]["containers"]]


def env(container: dict[str, Any]) -> dict[str, str]:
    names = [variable["name"] for variable in container["env"]]
    assert len(names) == len(set(names)), "server-side apply refuses a name that is there twice"
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_the_init_container_knows_what_to_fetch_and_what_it_must_be() -> None:
    (fetch,) = template()["spec"]["initContainers"]
    assert fetch["command"] == ["python", "-m", "sluice_server.fetch"]
    assert env(fetch) == {
        "MLFLOW_TRACKING_URI": "http://mlflow.mlops:5000",
        "SLUICE_MODEL_NAME": "penguins",
        "SLUICE_MODEL_VERSION": "7",
        "SLUICE_MODEL_DIGEST": REVISION.digest,
        "SLUICE_MODEL_DIR": "/model",
        "HOME": "/tmp",
    }
    assert fetch["terminationMessagePolicy"] == "FallbackToLogsOnError", "a wrong image has last words too"


def test_files_outside_the_registry_are_fetched_from_their_own_address() -> None:
    (fetch,) = template(revision=REVISION.model_copy(update={"source": "s3://bucket/penguins"}))["spec"][
        "initContainers"
    ]
    assert env(fetch)["SLUICE_MODEL_URI"] == "s3://bucket/penguins"


def test_only_the_init_container_gets_credentials() -> None:
    pod = template(
        Server.model_validate({"envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "s3"}}]})
    )
    (fetch,), (server,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert fetch["envFrom"] == [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "s3"}}]
    assert "envFrom" not in server
    assert all("envFrom" not in container for container in containers(template()))


def test_a_service_account_is_named_but_its_token_stays_away() -> None:
    spec = template(Server(service_account_name="models"))["spec"]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("models", False)
    assert "serviceAccountName" not in template()["spec"]


def test_the_server_reads_exactly_the_variables_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    (server,) = template(Server(workers=3, threads=2, trust_pickle=True))["spec"]["containers"]
    for key, value in env(server).items():
        monkeypatch.setenv(key, value)
    read = Settings()
    assert (read.model_name, read.model_version, read.revision) == ("penguins", "7", "5d8f7c9b2a")
    assert (read.workers, read.threads, read.trust_pickle) == (3, 2, True)
    assert {key for key in env(server) if key.startswith("SLUICE_")} <= {
        f"SLUICE_{field.upper()}" for field in Settings.model_fields
    }
    assert {port["name"]: port["containerPort"] for port in server["ports"]} == {
        "http": read.port,
        "mirror": read.mirror_port,
        "shared": read.shared_port,
        "metrics": read.metrics_port,
    }


def test_a_name_that_looks_like_a_variable_reaches_the_container_as_it_is() -> None:
    (server,) = template(revision=REVISION.model_copy(update={"model_name": "$(HOME) $x"}))["spec"]["containers"]
    assert env(server)["SLUICE_MODEL_NAME"] == "$$(HOME) $$x"


def test_there_is_time_to_drain() -> None:
    spec = template()["spec"]
    pre_stop = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 5 <= pre_stop <= 15
    assert spec["terminationGracePeriodSeconds"] >= pre_stop + Settings().graceful_timeout_seconds + 5


def test_a_new_pod_takes_traffic_within_a_second_of_being_ready() -> None:
    (server,) = template()["spec"]["containers"]
    assert server["readinessProbe"]["periodSeconds"] == 1
    assert server["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert server["startupProbe"]["periodSeconds"] == 1
    assert server["startupProbe"]["failureThreshold"] >= 120
    assert server["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_pods_are_spread_over_zones_and_nodes_where_that_is_possible() -> None:
    spread = template()["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    for one in spread:
        assert one["whenUnsatisfiable"] == "ScheduleAnyway"
        assert one["labelSelector"] == {"matchLabels": naming.selector("birds", REVISION.name)}


def test_pods_meet_the_restricted_pod_security_standard() -> None:
    pod = template()
    assert pod["spec"]["securityContext"]["runAsUser"] == 65532
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["enableServiceLinks"] is False
    for container in containers(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod["spec"]["volumes"])
    assert all("sizeLimit" in volume["emptyDir"] for volume in pod["spec"]["volumes"])


def test_only_the_init_container_can_write_the_model() -> None:
    read_only = {
        container["name"]: mount["readOnly"]
        for container in containers(template())
        for mount in container["volumeMounts"]
        if mount["name"] == "model"
    }
    assert read_only == {"fetch-model": False, "server": True}


def test_resources_are_the_users_own() -> None:
    wanted = ResourceRequirements(requests={"cpu": "2"}, limits={})
    for container in containers(template(Server(resources=wanted))):
        assert container["resources"] == {"requests": {"cpu": "2"}, "limits": {}}


def test_one_revision_is_selected_by_deployment_service_and_spread_and_no_other_is() -> None:
    pod = template()
    owned = deployment(
        name="birds", namespace="zoo", revision_name=REVISION.name, template=pod, replicas=3, owner=OWNER
    )
    address = service(name="birds", namespace="zoo", revision_name=REVISION.name, owner=OWNER)
    selector = owned["spec"]["selector"]["matchLabels"]
    assert selector == {"sluice.dev/model-deployment": "birds", "sluice.dev/revision": REVISION.name}
    assert address["spec"]["selector"] == selector
    assert pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == selector
    assert selector.items() <= pod["metadata"]["labels"].items()
    other = template(revision=REVISION.model_copy(update={"name": "other"}))
    assert not selector.items() <= other["metadata"]["labels"].items()


def test_every_object_is_complete_for_server_side_apply() -> None:
    pod = template()
    where: dict[str, Any] = {"name": "birds", "namespace": "zoo", "owner": OWNER}
    objects = [
        controller_revision(**where, revision=REVISION, template=pod),
        deployment(**where, revision_name=REVISION.name, template=pod, replicas=0),
        service(**where, revision_name=REVISION.name),
    ]
    for made in objects:
        assert made["apiVersion"]
        assert made["kind"]
        assert made["metadata"]["name"] == "birds-5d8f7c9b2a"
        assert made["metadata"]["namespace"] == "zoo"
        assert made["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "sluice.dev/v1alpha1",
                "kind": "ModelDeployment",
                "name": "birds",
                "uid": "0b2c",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "sluice"
        assert json.loads(json.dumps(made)) == made
    assert objects[1]["spec"]["replicas"] == 0, "zero is said, not left out: leaving it out would mean one"


def test_the_same_input_gives_the_same_bytes() -> None:
    assert json.dumps(template()) == json.dumps(template())


def test_the_service_answers_on_port_80_for_the_servers_8080() -> None:
    port, copies = service(name="birds", namespace="zoo", revision_name="r", owner=OWNER)["spec"]["ports"]
    assert (port["name"], port["port"], port["targetPort"]) == ("http", 80, "http")
    assert (copies["port"], copies["targetPort"]) == (8081, "mirror")


def test_pods_know_the_collector_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://sluice-collector.sluice-system.svc"
    pod = pod_template(
        name="birds", revision=REVISION, server=Server(), tracking_uri="http://mlflow", collector_url=url
    )
    (server,), (without,) = pod["spec"]["containers"], template()["spec"]["containers"]
    monkeypatch.setenv("SLUICE_COLLECTOR_URL", env(server)["SLUICE_COLLECTOR_URL"])
    assert Settings().collector_url == url
    assert "SLUICE_COLLECTOR_URL" not in env(without)


def test_a_frozen_template_is_read_back_as_it_was() -> None:
    pod = template()
    live = controller_revision(name="birds", namespace="zoo", revision=REVISION, template=pod, owner=OWNER)
    assert frozen_template(json.loads(json.dumps(live))) == pod
    assert Revision.model_validate(live["data"]["revision"]) == REVISION


@pytest.mark.parametrize("data", [None, {}, {"template": None}, {"template": "x"}, "garbage", []])
def test_a_controller_revision_of_somebody_else_has_no_template(data: object) -> None:
    assert frozen_template({"data": data}) is None
    assert frozen_template({}) is None


@pytest.mark.parametrize(
    ("child", "revision"),
    [("birds-1a", "1a"), ("birds-", None), ("birds", None), ("bird-1a", None), ("birds-of-prey-1a", "of-prey-1a")],
)
def test_the_revision_in_a_childs_name(child: str, revision: str | None) -> None:
    assert naming.revision_of("birds", child) == revision


def test_names_and_revision_are_inverse() -> None:
    assert naming.revision_of("birds", naming.object_name("birds", "1a")) == "1a"
