"""What touches the machine: checks, processes, control groups, mounts, ports."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hack.cluster import cgroups, host
from hack.cluster.errors import ClusterError
from hack.cluster.lifecycle import mounts_below
from hack.cluster.paths import ClusterPaths
from hack.cluster.ports import Ports
from hack.cluster.processes import PidFile, Process, start, wait_for
from hack.cluster.sandbox import Sandbox
from hack.cluster.shell import run


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    made = ClusterPaths("lab", tmp_path / "state", tmp_path / "run")
    made.state.mkdir()
    made.run.mkdir()
    return made


def test_a_machine_that_cannot_gets_one_sentence() -> None:
    for wrong in ({"system": "Darwin"}, {"machine": "aarch64"}, {"uid": 1000}):
        suitable = {"system": "Linux", "machine": "x86_64", "uid": 0}
        with pytest.raises(ClusterError) as caught:
            host.check(**{**suitable, **wrong})  # type: ignore[arg-type]
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)
    host.check(system="Linux", machine="x86_64", uid=0)


def test_only_absent_programs_are_installed() -> None:
    assert host.missing_packages(lambda _: True) == []
    assert host.missing_packages(lambda program: program != "etcd") == ["etcd-server"]


def test_a_process_is_not_confused_with_a_later_one_of_the_same_number(paths: ClusterPaths) -> None:
    me = Process.of(os.getpid())
    assert me is not None
    assert me.alive()
    file = PidFile(paths.run / "me.pid")
    file.write(me)
    assert file.read() == me
    file.write(dataclasses.replace(me, started=me.started + 1))
    assert file.read() is None
    file.write(dataclasses.replace(me, boot="before"))
    assert file.read() is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": 1}', "null"])
def test_a_damaged_pid_file_names_nobody(paths: ClusterPaths, content: str) -> None:
    (paths.run / "x.pid").write_text(content)
    assert PidFile(paths.run / "x.pid").read() is None


def test_stopping_kills_what_does_not_listen(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process = Process.of(child.pid)
        assert process is not None
        process.stop(grace=0.2)
        assert child.wait() == -signal.SIGKILL


def test_a_process_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    process = start(["sh", "-c", "sleep 0.2; echo why >&2; exit 1"], log)
    wait_for(lambda: None if process.alive() else True, 5, "the end")
    assert log.read_text() == "why\n"
    os.waitpid(process.pid, 0)


def test_waiting_ends_with_a_sentence() -> None:
    with pytest.raises(ClusterError, match=r"Waited 0 s for the moon in vain\."):
        wait_for(lambda: None, 0, "the moon")


def test_a_failed_command_shows_what_it_said() -> None:
    with pytest.raises(ClusterError, match=r"exit code 3:\nout\nerr"):
        run(["sh", "-c", "echo out; echo err >&2; exit 3"])


def test_control_groups_come_and_go_in_every_hierarchy(tmp_path: Path) -> None:
    for hierarchy in ("cpuset", "memory", "unified"):
        (tmp_path / hierarchy).mkdir()
        (tmp_path / hierarchy / "cgroup.procs").touch()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    cgroups.create("lab", tmp_path)
    assert cgroups.exists("lab", tmp_path)
    (tmp_path / "memory" / "lab" / "kubepods" / "pod1").mkdir(parents=True)
    cgroups.remove("lab", tmp_path)
    assert not cgroups.exists("lab", tmp_path)
    assert [path.name for path in cgroups.hierarchies(tmp_path)] == ["cpuset", "memory", "unified"]


def test_an_empty_cpuset_takes_the_roots(tmp_path: Path) -> None:
    (tmp_path / "cpuset" / "lab").mkdir(parents=True)
    (tmp_path / "cpuset" / "cgroup.procs").touch()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset" / "lab" / "cpuset.cpus").write_text("\n")
    cgroups.create("lab", tmp_path)
    assert (tmp_path / "cpuset" / "lab" / "cpuset.cpus").read_text() == "0-1\n"


def test_version_two_has_one_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.subtree_control").touch()
    cgroups.create("lab", tmp_path)
    assert cgroups.hierarchies(tmp_path) == [tmp_path]
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"  # a file keeps the last write only


def test_ports_stay_while_the_cluster_exists(paths: ClusterPaths) -> None:
    assert Ports.load(paths) is None
    chosen = Ports.choose(paths)
    assert len({chosen.api, chosen.gateway, chosen.mlflow}) == 3
    assert Ports.choose(paths) == chosen == Ports.load(paths)


def test_the_demo_gets_its_ports_unless_they_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
        monkeypatch.setattr("hack.cluster.ports.PREFERRED", {"sluice": {"api": port, "gateway": free, "mlflow": port}})
        paths = ClusterPaths("sluice", tmp_path, tmp_path)
        chosen = Ports.choose(paths)
    assert chosen.gateway == free
    assert port not in (chosen.api, chosen.mlflow)


def test_commands_enter_the_sandbox_through_its_holder() -> None:
    sandbox = Sandbox(Process(7, 1))
    assert sandbox.enter(["ip", "link"], ["--net"]) == ["nsenter", "--target=7", "--net", "--", "ip", "link"]
    assert "--pid" in sandbox.enter(["true"])


def test_mounts_below_a_directory() -> None:
    assert mounts_below(Path("/nowhere/at/all")) == []
    assert all(point.startswith("/sys/") for point in mounts_below(Path("/sys")))
