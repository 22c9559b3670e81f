"""`kubectl sluice` with the real kubectl, against real rollouts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sluice.cli.errors import Exit

from hack.load import Load
from hack.stack.commands import ROOT, Shell
from tests.e2e.subject import Subject, candidate, stable, weight

FIRST, BETTER = 1, 2
APPROVED = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
HELD = {"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "1h"}}, {"pause": {"duration": "1h"}}]}}
Traffic = Callable[[float], Load]
Run = subprocess.CompletedProcess[str]


@pytest.fixture
def sluice(subject: Subject) -> Callable[..., Run]:
    """Run the plugin as people do: kubectl finds it on the PATH."""
    env = dict(subject.stack.shell.env)
    shell = Shell(env | {"PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{env['PATH']}"})

    def run(*words: str) -> Run:
        done = shell.attempt("kubectl", "sluice", *words, "-n", subject.namespace)
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_rollout_is_seen_promoted_explained_and_taken_back(
    subject: Subject, traffic: Traffic, sluice: Callable[..., Run]
) -> None:
    subject.install(FIRST, strategy=APPROVED, scaleDownDelaySeconds=300)
    assert "Serving" in sluice("status", "model").stdout
    with traffic(20) as load:
        subject.alias_to(BETTER)
        held = sluice("wait", "model", "--version", str(BETTER), "--timeout", "3m")
        assert (held.returncode, "waits for promotion" in held.stdout) == (Exit.WAITS_FOR_A_PERSON, True)
        shown = sluice("status", "model").stdout
        assert "Waits for promotion" in shown
        assert "✓ setWeight 50 · ▶ pause until promoted" in shown
        assert "50 %  1/1 pods ready" in shown
        promote = next(line for line in shown.splitlines() if " promote model --revision" in line)
        done = sluice(*promote.partition("#")[0].split()[2:-2])
        assert (done.returncode, "skipped" in done.stdout) == (Exit.DONE, True), done.stderr
        assert sluice("wait", "model", "--version", str(BETTER), "--timeout", "3m").returncode == Exit.DONE
        history = sluice("history", "model").stdout
        assert [line.split()[5] for line in history.splitlines()[1:]] == ["Promoted", "Promoted"]
        explained = sluice("explain", "model").stdout
        assert "asked for by admin (kubectl-sluice)" in explained
        rollback = sluice("rollback", "model")
        assert (rollback.returncode, f"penguins/{FIRST}" in rollback.stdout) == (Exit.DONE, True), rollback.stderr
        subject.until(lambda s: stable(s) == FIRST and s.get("verdict") == "Failed", "version 1 serves again")
        assert "Rolled back" in sluice("list").stdout
    assert [answer for answer in load.answers if answer.failed] == []


def test_a_candidate_is_aborted_and_tried_again(subject: Subject, traffic: Traffic, sluice: Callable[..., Run]) -> None:
    subject.install(FIRST, strategy=HELD)
    nothing = sluice("abort", "model")
    assert (nothing.returncode, "no rollout is going on" in nothing.stderr) == (Exit.FAILED, True)
    with traffic(20):
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 50, "half of the traffic goes to version 2")
        paused = sluice("pause", "model")
        assert (paused.returncode, "paused" in paused.stdout) == (Exit.DONE, True), paused.stderr
        assert sluice("wait", "model").returncode == Exit.WAITS_FOR_A_PERSON
        assert sluice("resume", "model").returncode == Exit.DONE
        wrong = sluice("abort", "model", "--revision", "0000000000")
        assert (wrong.returncode, "nothing done" in wrong.stderr) == (Exit.FAILED, True)
        aborted = sluice("abort", "model")
        assert (aborted.returncode, "aborted" in aborted.stdout) == (Exit.DONE, True), aborted.stderr
        ended = sluice("wait", "model", "--version", str(BETTER))
        assert (ended.returncode, "Aborted" in ended.stdout) == (Exit.FAILED, True)
        assert sluice("retry", "model").returncode == Exit.DONE
        subject.until(lambda s: candidate(s) == BETTER, "it is tried again")
        found = json.loads(sluice("status", "model", "-o", "json").stdout)
        assert found["modelDeployment"]["revisions"][1]["role"] == "candidate"


def test_mistakes_are_answered_with_a_sentence(subject: Subject, sluice: Callable[..., Run], tmp_path: Path) -> None:
    subject.install(FIRST)
    for words, said in (
        (("status", "modle"), "Did you mean model?"),
        (("abort", "model", "--as", "somebody"), 'You need the verb "get" on modeldeployments.sluice.dev'),
        (("status", "model", "--context", "nope"), "get-contexts"),
        (("status", "model", "--kubeconfig", str(_dead(tmp_path))), "Is the cluster up"),
        (("status",), "--help"),
    ):
        done = sluice(*words)
        assert (done.returncode, done.stderr.startswith("error: ")) == (Exit.ERROR, True), done.stderr
        assert said in done.stderr
    status = sluice("status", "model")
    assert status.returncode == Exit.DONE
    assert "\x1b" not in status.stdout


def test_a_watch_in_a_pipe_tells_each_change(subject: Subject, sluice: Callable[..., Run]) -> None:
    subject.install(FIRST)
    env = dict(subject.stack.shell.env)
    command = [str(ROOT / ".venv/bin/kubectl-sluice"), "status", subject.name, "-w", "-n", subject.namespace]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout
        assert "Serving" in watch.stdout.readline()
        subject.alias_to(BETTER)
        assert any("Rolling out" in line for line in watch.stdout)
        held = json.dumps([{"op": "add", "path": "/metadata/finalizers/-", "value": "tests.sluice.dev/seen"}])
        subject.kubectl("patch", "md", subject.name, "--type=json", "--patch", held)
        subject.kubectl("delete", "md", subject.name, "--wait=false")
        assert any("Being deleted" in line for line in watch.stdout)
        ours_is_gone = "jsonpath={.metadata.finalizers[0]}=tests.sluice.dev/seen"
        subject.kubectl("wait", "md", subject.name, f"--for={ours_is_gone}", "--timeout=60s")
        subject.kubectl("patch", "md", subject.name, "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
        assert watch.wait(60) == Exit.ERROR


def test_kubectl_completes_names(subject: Subject, sluice: Callable[..., Run]) -> None:
    subject.install(FIRST)
    env = dict(subject.stack.shell.env)
    path = {"PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{env['PATH']}"}
    done = Shell(env | path).attempt("kubectl", "__complete", "sluice", "-n", subject.namespace, "status", "mo")
    assert done.stdout.splitlines()[0].startswith("model"), done.stderr


def _dead(tmp_path: Path) -> Path:
    """A kubeconfig that names a place where nobody listens."""
    path = tmp_path / "dead"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\nusers: [{name: x, user: {token: x}}]\n"
        "clusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "contexts: [{name: x, context: {cluster: x, user: x}}]\n"
    )
    return path
