"""What the cluster is made of: keys, configuration files, archives, progress lines."""

import io
import json
import tarfile
import time
from pathlib import Path
from typing import IO, cast

import pytest

from hack.cluster import components, pki
from hack.cluster.api import Api
from hack.cluster.build import GATEWAY, KUBE, METRICS, TOOLS, GoModule, key
from hack.cluster.buildah import pip_config, uv_config
from hack.cluster.health import Health, State
from hack.cluster.loading import blobs, write_archive
from hack.cluster.paths import ClusterPaths
from hack.cluster.processes import Process
from hack.cluster.progress import Progress, seconds


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    return ClusterPaths("unit", tmp_path / "state", tmp_path / "run")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoModule:
    monkeypatch.setattr("hack.cluster.build.SOURCES", tmp_path)
    (tmp_path / "go" / "x").mkdir(parents=True)
    (tmp_path / "go" / "x" / "main.go").write_text("package main")
    return GoModule("x", (".",))


def test_a_build_is_keyed_by_everything_that_decides_it(module: GoModule) -> None:
    before = key(module, "go1.26.8")
    assert key(module, "go1.26.8") == before
    assert key(module, "go1.27.0") != before
    (module.directory / "main_test.go").write_text("package main")
    assert key(module, "go1.26.8") == before
    (module.directory / "go.sum").write_text("x")
    assert key(module, "go1.26.8") != before


@pytest.mark.parametrize("module", [TOOLS, KUBE, METRICS, GATEWAY])
def test_go_modules_are_pinned_and_name_no_place(module: GoModule) -> None:
    text = (module.directory / "go.mod").read_text()
    assert text.startswith(f"module sluice.local/hack/{module.name}\n")
    assert "=> /" not in text
    assert "=> ." not in text


def test_every_configuration_file_is_filled_in(paths: ClusterPaths) -> None:
    pki.issue(paths.pki, paths.cgroup)
    components.write_config(paths)
    for file in components.CONFIG_FILES.values():
        text = (paths.config / file).read_text()
        assert "$" not in text, file
    network = json.loads((paths.config / "cni/10-pods.conflist").read_text())
    assert network["plugins"][0]["ipam"]["dataDir"] == f"{paths.run}/ipam"
    for client in components.CLIENTS:
        assert json.loads((paths.config / f"{client}.kubeconfig").read_text())["current-context"] == client


def test_certificates_are_made_once_and_open_the_api(paths: ClusterPaths) -> None:
    pki.issue(paths.pki, paths.cgroup)
    first = (paths.pki / "admin.crt").read_bytes()
    pki.issue(paths.pki, paths.cgroup)
    assert (paths.pki / "admin.crt").read_bytes() == first
    paths.kubeconfig.write_text(pki.kubeconfig(paths.pki, "admin", "https://127.0.0.1:1", "lab"))
    api = Api.from_kubeconfig(paths.kubeconfig)
    assert (api.host, api.port) == ("127.0.0.1", 1)
    assert not api.ready()  # nobody listens there


def test_processes_read_only_this_clusters_files(paths: ClusterPaths) -> None:
    listed = components.components(paths, Path("/kube"), Path("/metrics"))
    assert [component.stage for component in listed] == sorted(component.stage for component in listed)
    arguments = [argument for component in listed for argument in component.command]
    files = [argument.partition("=")[2] for argument in arguments if "=/" in argument]
    assert files
    assert all(file.startswith((str(paths.state), str(paths.run))) for file in files)


def test_machine_settings_reach_run_steps_as_files() -> None:
    assert pip_config({}) == ""
    assert uv_config({}) == ""
    environment = {"SSL_CERT_FILE": "/x.pem", "PIP_INDEX_URL": "https://pypi.example/simple", "PIP_FIND_LINKS": "/x"}
    assert pip_config(environment) == (
        "[global]\nindex-url = https://pypi.example/simple\ncert = /etc/ssl/certs/ca-certificates.crt\n"
    )
    assert uv_config(environment) == 'system-certs = true\nindex-url = "https://pypi.example/simple"\n'


def test_an_archive_leaves_out_what_the_cluster_has(tmp_path: Path) -> None:
    store = tmp_path / "blobs" / "sha256"
    store.mkdir(parents=True)
    layers = [{"digest": "sha256:base"}, {"digest": "sha256:own"}]
    manifest = {"config": {"digest": "sha256:config"}, "layers": layers}
    for name in ("base", "own", "config"):
        (store / name).write_text(name)
    (store / "manifest").write_text(json.dumps(manifest))
    descriptor = {"digest": "sha256:manifest", "size": 1}
    assert list(blobs(tmp_path, descriptor)) == ["sha256:manifest", "sha256:config", "sha256:base", "sha256:own"]

    out = io.BytesIO()
    write_archive(out, tmp_path, "docker.io/library/x:1", descriptor, {"sha256:base"})
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        names = archive.getnames()
        index = json.load(cast(IO[bytes], archive.extractfile("index.json")))
    assert "blobs/sha256/own" in names
    assert "blobs/sha256/base" not in names
    assert index["manifests"][0]["annotations"] == {"io.containerd.image.name": "docker.io/library/x:1"}


def health(*, processes: int, alive: int, answers: bool, traces: bool) -> Health:
    table = {str(number): Process(number, 1) if number < alive else None for number in range(processes)}
    return Health(table, api=answers, node=answers, gateway=answers, traces=traces)


def test_health_has_three_answers() -> None:
    assert health(processes=2, alive=2, answers=True, traces=True).state is State.HEALTHY
    assert health(processes=2, alive=1, answers=True, traces=True).state is State.BROKEN
    assert health(processes=2, alive=2, answers=False, traces=True).state is State.BROKEN
    assert health(processes=2, alive=0, answers=False, traces=True).state is State.BROKEN
    assert health(processes=2, alive=0, answers=False, traces=False).state is State.ABSENT
    assert [state.value for state in State] == [0, 1, 2]


def test_the_table_says_what_is_wrong(paths: ClusterPaths) -> None:
    text = health(processes=2, alive=1, answers=False, traces=True).table(paths)
    assert text.splitlines()[0] == "cluster unit is half dead: `up` repairs it, `down` removes it"
    assert "not running" in text
    assert health(processes=1, alive=0, answers=False, traces=False).table(paths) == "cluster unit is not running"


def test_nothing_there_reads_as_absent(paths: ClusterPaths) -> None:
    assert Health.of(paths).state is State.ABSENT


@pytest.mark.parametrize(("value", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 01 s")])
def test_durations(value: float, text: str) -> None:
    assert seconds(value) == text


def test_each_step_is_one_line_and_a_long_one_gives_signs_of_life() -> None:
    out = io.StringIO()
    progress = Progress(out, interval=0.05)
    with progress.step("slow"):
        time.sleep(0.2)
    with pytest.raises(ValueError, match="x"), progress.step("broken"):
        raise ValueError("x")
    lines = out.getvalue().splitlines()
    assert any(line.startswith("… slow (") for line in lines)
    assert [line for line in lines if "] slow: 0.2 s" in line]
    assert [line for line in lines if "] broken: failed after 0.0 s" in line]
