"""The plugin against a kubectl that answers, refuses and stays away."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from sluice.cli import kubectl as module
from sluice.cli.errors import ApiError, CliError
from sluice.cli.kubectl import Kubectl, read_error

FORBIDDEN = (
    'Error from server (Forbidden): modeldeployments.sluice.dev "penguins" is forbidden: User "maria" cannot patch '
    'resource "modeldeployments" in API group "sluice.dev" in the namespace "shop"'
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that notes its arguments and does what `kubectl.sh` beside it says."""
    path = tmp_path / "kubectl"
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\n. {tmp_path}/kubectl.sh\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return path


def does(program: Path, script: str) -> None:
    program.with_name("kubectl.sh").write_text(script)


def arguments(program: Path) -> list[str]:
    return program.with_name("arguments").read_text().splitlines()


@pytest.mark.parametrize(
    ("said", "reason", "hint"),
    [
        ('Error from server (NotFound): modeldeployments.sluice.dev "x" not found', "NotFound", ""),
        ("Error from server (Conflict): Operation cannot be fulfilled", "Conflict", ""),
        (FORBIDDEN, "Forbidden", 'the verb "patch" on modeldeployments.sluice.dev'),
        ("The connection to the server 127.0.0.1:1 was refused", "Unreachable", "Is the cluster up"),
        ("Unable to connect to the server: dial tcp: lookup k8s: no such host", "Unreachable", "Is the cluster up"),
        ("error: You must be logged in to the server (Unauthorized)", "Unauthorized", "Sign in"),
        ("error: EOF", "Unauthorized", "Sign in"),
        ('error: context "nope" does not exist', "Kubeconfig", "get-contexts"),
        ("error: stat /nope: no such file or directory", "Kubeconfig", "get-contexts"),
        ("Error from server: etcdserver: leader changed", "InternalError", ""),
        ("E1124 00:11 memcache.go:265] x\nThe connection to the server a was refused", "Unreachable", ""),
        ("", "Other", ""),
    ],
)
def test_what_kubectl_says_is_understood(said: str, reason: str, hint: str) -> None:
    error = read_error(said)
    assert error.reason == reason
    assert hint in error.hint
    assert error.message
    assert "E1124" not in error.message


def test_get_asks_for_a_path_with_the_users_options(program: Path) -> None:
    does(program, """echo '{"kind": "x"}'""")
    assert Kubectl(("--context=there",)).get("/apis/x") == {"kind": "x"}
    assert arguments(program)[:4] == ["--context=there", "get", "--raw", "/apis/x"]


def test_an_error_of_the_server_is_raised(program: Path) -> None:
    does(program, f"echo '{FORBIDDEN}' >&2; exit 1")
    with pytest.raises(ApiError, match="cannot patch"):
        Kubectl().get("/apis/x")


def test_merge_patches_as_our_own_manager(program: Path) -> None:
    does(program, "echo '{}'")
    Kubectl().merge("shop", "penguins", {"spec": {"paused": True}})
    given = arguments(program)
    assert given[:5] == ["patch", "modeldeployments.v1alpha1.sluice.dev", "penguins", "--namespace", "shop"]
    assert "--type=merge" in given
    assert "--field-manager=kubectl-sluice" in given
    assert json.loads(given[given.index("--patch") + 1]) == {"spec": {"paused": True}}


def test_a_watch_yields_events_and_ends_with_the_server(program: Path) -> None:
    does(program, """echo '{"type": "ADDED", "object": {}}'; echo '{"type": "DELETED", "object": {}}'""")
    assert [event["type"] for event in Kubectl().watch("/x?watch=1")] == ["ADDED", "DELETED"]


def test_a_watch_that_the_server_breaks_says_why(program: Path) -> None:
    does(program, """echo '{"type": "ERROR", "object": {"reason": "Expired", "message": "too old"}}'""")
    with pytest.raises(ApiError, match="too old"):
        list(Kubectl().watch("/x"))
    does(program, "echo 'Unable to connect to the server: EOF' >&2; exit 1")
    with pytest.raises(ApiError, match="EOF"):
        list(Kubectl().watch("/x"))


def test_a_watch_nobody_reads_any_more_is_ended(program: Path) -> None:
    does(program, """echo '{"type": "ADDED", "object": {}}'; exec sleep 600""")
    events = Kubectl().watch("/x")
    assert next(events)["type"] == "ADDED"
    events.close()  # type: ignore[attr-defined]


def test_closing_ends_the_watches_of_other_threads(program: Path) -> None:
    does(program, """echo '{"type": "ADDED", "object": {}}'; exec sleep 600""")
    kubectl, seen = Kubectl(), threading.Event()

    def read() -> None:
        for _ in kubectl.watch("/x"):
            seen.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert seen.wait(60)
    kubectl.close()
    reader.join(60)
    assert not reader.is_alive()


def test_the_user_is_who_the_cluster_says(program: Path) -> None:
    does(program, """echo '{"status": {"userInfo": {"username": "maria"}}}'""")
    assert Kubectl().user() == "maria"
    does(program, "echo 'error: unknown command whoami' >&2; exit 1")
    assert Kubectl().user() is None
    does(program, "echo 'no json'")
    assert Kubectl().user() is None


def test_the_namespace_is_that_of_the_context_or_default(program: Path) -> None:
    does(program, "printf shop")
    assert Kubectl().namespace() == "shop"
    does(program, "true")
    assert Kubectl().namespace() == "default"


def test_no_context_says_how_to_name_one(program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_POD_NAMESPACE", tmp_path / "namespace")
    does(program, "echo 'error: current-context must exist in order to minify' >&2; exit 1")
    with pytest.raises(ApiError, match="no current context") as caught:
        Kubectl().namespace()
    assert "get-contexts" in caught.value.hint
    (tmp_path / "namespace").write_text("in-a-pod\n")
    assert Kubectl().namespace() == "in-a-pod"


def test_a_missing_kubectl_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CliError, match="not on the PATH"):
        Kubectl().get("/x")


def test_one_that_hangs_at_signing_in_is_not_waited_for_forever(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROGRAM_SECONDS", 0.1)
    does(program, "exec sleep 60")
    with pytest.raises(ApiError, match="did not end") as caught:
        Kubectl().get("/x")
    assert "sign in" in caught.value.hint


def test_kubectl_is_never_asked_to_ask(program: Path) -> None:
    does(program, """read name || echo 'error: EOF' >&2; exit 1""")
    with pytest.raises(ApiError, match="no credentials"):
        Kubectl().get("/x")


def test_an_answer_that_is_no_object_is_an_error(program: Path) -> None:
    does(program, "echo '<html>log in</html>'")
    with pytest.raises(ApiError, match="no object: <html>"):
        Kubectl().get("/x")
