"""The kind provider's command lines. kind itself needs Docker: only the GitHub workflow runs it."""

from __future__ import annotations

import json

import pytest

from hack.cluster.errors import ClusterError
from hack.clusters.__main__ import main
from hack.clusters.kind import PROGRAMS, Kind, configuration
from tests.unit.hack_clusters.conftest import Programs


@pytest.fixture
def kind(programs: Programs) -> Kind:
    for name in PROGRAMS:
        programs.add(name)
    return Kind()


@pytest.mark.parametrize("missing", PROGRAMS)
def test_a_program_that_is_missing_is_named_with_a_way_out(programs: Programs, missing: str) -> None:
    for name in set(PROGRAMS) - {missing}:
        programs.add(name)
    with pytest.raises(ClusterError, match=rf"^{missing} is not there: install .*leave CLUSTER out"):
        Kind().up()


def test_docker_that_does_not_run_is_said_before_anything_is_made(
    kind: Kind, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.add("docker", ("*", "echo 'Cannot connect to the Docker daemon' >&2; exit 1"))
    assert main(["up", "--name", "kind"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("error: Docker is not running: start it")
    assert "Cannot connect to the Docker daemon" in said
    assert programs.calls("kind") == []


def test_a_new_cluster_gets_its_own_kubeconfig_and_a_gateway_by_the_published_chart(
    kind: Kind, programs: Programs
) -> None:
    kind.up()
    file = str(kind.kubeconfig)
    assert programs.calls("kind") == [
        "kind get clusters",
        f"kind create cluster --name sluice --config - --wait 180s --kubeconfig {file}",
    ]
    metrics, chart = programs.calls("helm")
    assert metrics.startswith("helm upgrade --install metrics-server metrics-server --repo https://")
    assert chart.startswith("helm upgrade --install eg oci://")
    assert " --version v1.9.1 " in chart
    assert all(f"--kubeconfig {file}" in call for call in [*programs.calls("kubectl"), metrics, chart])
    assert programs.calls("kubectl")[-1].endswith("wait gateway/public --for=condition=Programmed --timeout=300s")


def test_a_cluster_that_is_there_is_used_again(kind: Kind, programs: Programs) -> None:
    programs.add("kind", ("*'get clusters'*", "echo sluice"))
    kind.up()
    assert programs.calls("kind") == [
        "kind get clusters",
        f"kind export kubeconfig --name sluice --kubeconfig {kind.kubeconfig}",
    ]


def test_ports_lead_to_the_node_ports_of_this_machine_only() -> None:
    (node,) = json.loads(json.dumps(configuration()))["nodes"]
    ports = {m["containerPort"]: (m["listenAddress"], m["hostPort"]) for m in node["extraPortMappings"]}
    assert ports == {30080: ("127.0.0.1", 28080), 30500: ("127.0.0.1", 25000)}


def test_the_environment_is_known_once_it_is_up(kind: Kind) -> None:
    with pytest.raises(ClusterError, match="make cluster-up CLUSTER=kind"):
        kind.env()
    kind.kubeconfig.write_text("{}")
    assert kind.env() == {
        "KUBECONFIG": str(kind.kubeconfig),
        "GATEWAY_URL": "http://127.0.0.1:28080",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:25000",
    }


def test_images_are_loaded_by_kind_and_never_pushed(kind: Kind, programs: Programs) -> None:
    kind.load(["localhost/a:1", "localhost/b:2"], lambda image: pytest.fail(f"{image} was pushed"))
    assert programs.calls("kind load") == [
        f"kind load docker-image {image} --name sluice" for image in ("localhost/a:1", "localhost/b:2")
    ]


def test_down_deletes_the_cluster_of_this_name_only(kind: Kind, programs: Programs) -> None:
    kind.kubeconfig.write_text("{}")
    kind.down()
    assert programs.calls("kind") == [f"kind delete cluster --name sluice --kubeconfig {kind.kubeconfig}"]
    assert not kind.kubeconfig.exists()
