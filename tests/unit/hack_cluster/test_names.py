"""Names: images, clusters, versions, command lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hack.cluster.__main__ import parser, shell_lines
from hack.cluster.build import parse_go_version
from hack.cluster.errors import ClusterError
from hack.cluster.gateway import fill
from hack.cluster.paths import Cache, ClusterPaths
from hack.cluster.ports import Ports
from hack.cluster.references import normalize


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.11", "docker.io/library/python:3.11"),
        ("sluice/operator:dev", "docker.io/sluice/operator:dev"),
        ("localhost/server:1", "localhost/server:1"),
        ("registry.example/x/y", "registry.example/x/y:latest"),
        ("registry.example:5000/x", "registry.example:5000/x:latest"),
        ("busybox@sha256:00", "docker.io/library/busybox@sha256:00"),
    ],
)
def test_image_names_mean_what_they_mean_to_docker(short: str, full: str) -> None:
    assert normalize(short) == full


@given(st.from_regex(r"([a-z]{1,8}/)?[a-z]{1,8}(:[a-z0-9]{1,8})?", fullmatch=True))
def test_spelling_a_name_out_twice_changes_nothing(name: str) -> None:
    assert normalize(normalize(name)) == normalize(name)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8", (1, 26, 8)), ("go1.27", (1, 27, 0)), ("go1.26.7 X:boringcrypto", (1, 26, 7)), ("", (0,))],
)
def test_go_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_go_version(text) == version


@pytest.mark.parametrize("name", ["", "Sluice", "-a", "a-", "a/b", "..", "a" * 32])
def test_a_cluster_name_must_be_safe_everywhere(name: str) -> None:
    with pytest.raises(ClusterError, match="cannot name a cluster"):
        ClusterPaths.of(name)


def test_clusters_share_the_cache_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    one, two = ClusterPaths.of("one"), ClusterPaths.of("two")
    assert Cache.default().root == tmp_path / "cache" / "sluice" / "cluster"
    assert one.state == tmp_path / "state" / "sluice" / "clusters" / "one"
    assert not {one.state, one.run, one.lock, one.cgroup} & {two.state, two.run, two.lock, two.cgroup}


def test_shell_lines_point_a_shell_at_the_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    paths = ClusterPaths.of("lab")
    assert shell_lines(paths, Ports(api=1, gateway=2, mlflow=3)).splitlines() == [
        f"export KUBECONFIG={paths.kubeconfig}",
        "export GATEWAY_URL=http://127.0.0.1:2",
        "export MLFLOW_TRACKING_URI=http://127.0.0.1:3",
        f"export PATH={paths.state}/bin:$PATH",
    ]


def test_commands_default_to_the_demo_cluster() -> None:
    assert parser().parse_args(["up"]).name == "sluice"
    assert parser().parse_args(["load", "--name", "x", "a:1", "b:2"]).images == ["a:1", "b:2"]
    build = parser().parse_args(["image", "build", "--tag", "a", "--file", "f", "--build-arg", "A=1", "."])
    assert (build.tag, build.file, build.build_arg, build.context) == ("a", Path("f"), ["A=1"], Path())


def test_the_chart_gets_its_image() -> None:
    filled = fill("image: ${GatewayImage}\npullPolicy: ${GatewayImagePullPolicy}\n")
    assert filled == "image: docker.io/envoyproxy/gateway:v1.9.1\npullPolicy: IfNotPresent\n"
