"""Writes docs/stories.md: what people see at each moment of each story, from a real cluster.

`python -m hack.stories --cluster NAME` lives through all of them (about ten minutes) and keeps what was printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sluice_training.data import request_rows

from hack.load import Load
from hack.stack.commands import ROOT, Shell, StackError
from hack.stack.install import NAMESPACE as OPERATOR_NAMESPACE
from hack.stack.install import Stack, bring_up

NAMESPACE, NAME, ALIAS = "shop", "penguins", "stories"
PATIENCE_SECONDS = 120.0
WIDTH = "112"
FIRST, BETTER, FAILING, BROKEN = 1, 2, 3, 4
STEPS: list[dict[str, Any]] = [
    {"setWeight": 10},
    {"analysis": {"marginAbsolute": 0.03}},
    {"setWeight": 50},
    {"pause": {}},
]
INTRODUCTION = """\
# Stories

What `kubectl get md` and `kubectl sluice status` show at each moment, to somebody who is woken at night: what it is
doing, why, and what can be done. Everything below was printed by a real cluster; `python -m hack.stories` wrote this
file. The states themselves are tested in `tests/simulation/test_cli.py`, with the promise that every command which is
recommended is granted at that moment.
"""

Status = dict[str, Any]


class NeverHappenedError(Exception):
    """A story took another turn."""


@dataclass
class Teller:
    """Lives through stories and writes down what is printed."""

    stack: Stack
    written: list[str] = field(default_factory=lambda: [INTRODUCTION])

    def __post_init__(self) -> None:
        env = dict(self.stack.shell.env)
        path = f"{ROOT / '.venv/bin'}{os.pathsep}{env['PATH']}"
        self.shell = Shell(env | {"PATH": path, "COLUMNS": WIDTH, "NO_COLOR": "1"})

    def story(self, title: str) -> None:
        """Begin a story."""
        self.written.append(f"## {title}\n")
        print(f"· {title}", flush=True)

    def moment(self, title: str, *commands: str) -> None:
        """Write down what some commands print; without any, the two that everybody types."""
        given = commands or (f"kubectl get md -n {NAMESPACE}", f"kubectl sluice status {NAME} -n {NAMESPACE}")
        lines = [f"{title}\n", "```console"]
        for command in given:
            done = self.shell.attempt(*command.split())
            lines += [f"$ {command}", *(line.rstrip() for line in (done.stdout + done.stderr).splitlines())]
        self.written.append("\n".join([*lines, "```\n"]))

    def apply(self, **spec: Any) -> None:
        """Apply the ModelDeployment; keyword arguments are fields of the spec."""
        default: Status = {
            "model": {"uri": f"models:/penguins@{ALIAS}"},
            "replicas": 2,
            "traffic": {"gateway": {"name": "public", "namespace": "gateways"}, "pathPrefix": f"/{NAMESPACE}"},
            "strategy": {"canary": {"steps": STEPS}},
            "scaleDownDelaySeconds": 120,
        }
        meta = {"name": NAME, "namespace": NAMESPACE}
        manifest = {"apiVersion": "sluice.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta}
        self.shell.apply(json.dumps(manifest | {"spec": default | spec}))

    def alias(self, version: int) -> None:
        """Move the alias, as CI does."""
        self.stack.move_alias(ALIAS, version)

    def plugin(self, *words: str) -> None:
        """Use the plugin."""
        self.shell.run("kubectl", "sluice", *words, "-n", NAMESPACE)

    def status(self) -> Status:
        """Return the status as it is stored."""
        raw = self.shell.kubectl("get", "md", NAME, "-n", NAMESPACE, "-o", "json")
        found: Status = json.loads(raw).get("status", {})
        return found

    def until(self, true: Callable[[Status], bool], what: str) -> None:
        """Wait until the status is as it has to be."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not true(self.status()):
            if time.monotonic() > end:
                raise NeverHappenedError(f"never happened: {what}\n{json.dumps(self.status(), indent=1)}")
            time.sleep(0.2)

    def says(self, *words: str) -> None:
        """Wait for a message."""
        self.until(lambda s: all(word in s.get("message", "") for word in words), " ".join(words))

    def serves(self, version: int) -> None:
        """Wait until a version has all traffic."""
        self.until(lambda s: _stable(s) == version and "rollout" not in s, f"version {version} serves")

    def begin(self, version: int = FIRST, **spec: Any) -> None:
        """Start anew with a version that serves."""
        self.shell.attempt("kubectl", "delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
        self.alias(version)
        self.apply(**spec)
        self.serves(version)

    def traffic(self, rate: float) -> Load:
        """Real requests through the gateway."""
        return Load(f"{self.stack.gateway_url}/{NAMESPACE}/invocations", request_rows(), rate)


def first_install(tell: Teller) -> None:
    """Nothing is there yet."""
    tell.story("The first version")
    tell.alias(FIRST)
    tell.apply()
    tell.until(lambda s: "rollout" in s, "it begins")
    tell.moment("Its pods import and warm up; no route exists before they are ready.")
    tell.serves(FIRST)
    tell.moment("It serves.")


def good_version(tell: Teller) -> None:
    """A good version, approved by a person."""
    tell.story("A good version, with a person's word before everyone gets it")
    tell.begin()
    with tell.traffic(30):
        tell.alias(BETTER)
        tell.until(lambda s: "rollout" in s, "it begins")
        tell.moment("CI has moved the alias: its first pod starts, without traffic.")
        tell.says("candidate", "of a proof")
        time.sleep(2)
        tell.moment("One in ten requests, and not yet enough of them.")
        tell.says("until somebody promotes")
        tell.moment("Proven safe at 10 %; `pause: {}` waits for a person.")
        tell.moment("She promotes it.", f"kubectl sluice promote {NAME} -n {NAMESPACE}")
        tell.serves(BETTER)
        tell.moment("Done; the old version stays warm for a while.")
        tell.moment("What has happened so far.", f"kubectl sluice history {NAME} -n {NAMESPACE}",
                    f"kubectl sluice explain {NAME} -n {NAMESPACE}")  # fmt: skip
        tell.moment("Second thoughts: back at once, its pods are warm.",
                    f"kubectl sluice rollback {NAME} -n {NAMESPACE}")  # fmt: skip
        tell.serves(FIRST)
        tell.moment("And so it stays, although the alias still names version 2.")


def bad_version(tell: Teller) -> None:
    """A version that fails on some rows."""
    tell.story("A version that fails on some rows")
    tell.begin(BETTER)
    with tell.traffic(60):
        tell.alias(FAILING)
        tell.until(lambda s: s.get("verdict") == "Failed", "it is rolled back")
        tell.moment("Three errors that only the candidate makes were proof enough; nobody had to get up.")


def blue_green(tell: Teller) -> None:
    """A switch, with a look at it before."""
    tell.story("Blue-green: tested on the idle environment, then switched")
    wants = {"preview": {"pathPrefix": f"/{NAMESPACE}-preview"}, "previewReplicas": 1, "pause": {}}
    tell.begin(strategy={"blueGreen": wants | {"verify": {"maxErrorRate": 0.02}}})
    with tell.traffic(30):
        tell.alias(BETTER)
        tell.says("until somebody promotes")
        tell.moment("The new version waits at an address of its own.")
        tell.plugin("promote", NAME)
        tell.says("verifying")
        time.sleep(2)
        tell.moment("She has tested it: all traffic was switched, and has to prove itself.")
        tell.serves(BETTER)
        tell.moment("Done; going back is one write for as long as the old one is warm.")


def recreate(tell: Teller) -> None:
    """One after the other, there and back."""
    tell.story("Recreate: no room for two")
    tell.begin(strategy={"recreate": {}}, replicas=1)
    with tell.traffic(20):
        tell.alias(BETTER)
        tell.says("waiting for", "to end")
        tell.moment("The old version stops first; the outage is said aloud.")
        tell.says("0 of 1 pods ready")
        tell.moment("Then the new one starts.")
        tell.serves(BETTER)
        tell.until(lambda s: "downSince" not in s, "the outage is over")
        events = f"kubectl get events -n {NAMESPACE} --field-selector reason=ServesAgain"
        tell.moment("How long nobody served stands in the events.", f"{events} -o custom-columns=MESSAGE:.message")
        tell.apply(strategy={"recreate": {}}, replicas=1, server={"image": "example.invalid/no/such:image"})
        tell.until(lambda s: s.get("verdict") == "Failed", "it is rolled back")
        tell.moment("The next one can't start: it makes room for the old one again.")


def cannot_start(tell: Teller) -> None:
    """Pods that can't start."""
    tell.story("A version whose pods can't start")
    tell.begin()
    tell.apply(server={"image": "example.invalid/no/such:image"})
    tell.until(lambda s: s.get("verdict") == "Failed", "it is rolled back")
    tell.moment("The image does not exist; the kubelet's own words are passed on.")


def no_traffic(tell: Teller) -> None:
    """An analysis without requests."""
    tell.story("Nobody asks anything")
    tell.begin(progressDeadlineSeconds=20)
    tell.alias(BETTER)
    tell.says("no data")
    tell.moment("No data is not a bad model.")
    tell.says("neither harm nor safety")
    tell.moment("The step's time is over: inconclusive, held for a person.")
    with tell.traffic(20):
        tell.plugin("retry", NAME)
        tell.plugin("pause", NAME)
        tell.moment("Tried again, and paused meanwhile.")
        tell.plugin("resume", NAME)
        tell.plugin("abort", NAME)
        tell.until(lambda s: s.get("verdict") == "Failed", "it is aborted")
        tell.moment("Aborted by a person.")


def superseded(tell: Teller) -> None:
    """Two versions in a hurry."""
    tell.story("A newer version comes in the middle")
    tell.begin()
    with tell.traffic(20):
        tell.alias(BROKEN)
        tell.until(lambda s: s.get("rollout", {}).get("weight", 0) > 0, "it gets traffic")
        tell.alias(BETTER)
        tell.until(lambda s: s.get("candidate") == f"penguins/{BETTER}", "the newer one is the candidate")
        tell.moment("The older candidate is given up, the newer one begins.")


def surroundings(tell: Teller) -> None:
    """What is wrong around it."""
    tell.story("Trouble around it")
    tell.begin()
    tell.apply(model={"uri": "models:/penguins@nobody"})
    tell.until(lambda s: s.get("verdict") == "Error", "the alias is missing")
    tell.moment("The alias does not exist (anywhere near: MLflow is away). Traffic stays as it is.")
    tell.apply(traffic={"gateway": {"name": "nowhere"}, "pathPrefix": f"/{NAMESPACE}"})
    tell.says("there is no Gateway")
    tell.moment("The Gateway is missing.")
    tell.apply()
    operator = ("-n", OPERATOR_NAMESPACE, "deploy", "-l", "app.kubernetes.io/name=sluice")
    replicas = tell.shell.kubectl("get", *operator, "-o", "jsonpath={.items[0].spec.replicas}").strip()
    tell.shell.kubectl("scale", *operator, "--replicas=0")
    try:
        tell.shell.kubectl("wait", "pod", "-n", OPERATOR_NAMESPACE, *operator[3:], "--for=delete", "--timeout=60s")
        tell.moment(
            "The operator is away: models go on serving, and the plugin says why nothing else goes on.",
            f"kubectl sluice pause {NAME} -n {NAMESPACE} --timeout 3s",
            f"kubectl sluice status {NAME} -n {NAMESPACE}",
        )
    finally:
        tell.shell.kubectl("scale", *operator, f"--replicas={replicas}")
        tell.shell.kubectl("rollout", "status", *operator[:2], "deploy/sluice", "--timeout=120s")


def mistakes(tell: Teller) -> None:
    """What people type at night."""
    tell.story("Mistakes")
    tell.moment(
        "Nothing breaks, and the way on is named.",
        f"kubectl sluice status pengiuns -n {NAMESPACE}",
        f"kubectl sluice promote {NAME} -n {NAMESPACE}",
        f"kubectl sluice status {NAME} -n {NAMESPACE} --as maria",
        "kubectl sluice list --context production",
    )


STORIES = (
    *(first_install, good_version, bad_version, cannot_start, blue_green, recreate),
    *(no_traffic, superseded, surroundings, mistakes),
)


def main() -> int:
    """Live through the stories and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    options = parser.parse_args()
    tell = Teller(bring_up(options.cluster, print))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    tell.shell.apply(json.dumps(namespace))
    untold = [story.__name__ for story in STORIES if not _told(tell, story)]
    tell.shell.attempt("kubectl", "delete", "md", "--all", "-n", NAMESPACE, "--timeout=90s")
    tell.shell.attempt("kubectl", "delete", "namespace", NAMESPACE, "--wait=false")
    text = "\n".join(tell.written)
    (ROOT / "docs/stories.md").write_text(re.sub(r"[ \t]+\n", "\n", text))
    return 1 if untold else 0


def _told(tell: Teller, story: Callable[[Teller], None]) -> bool:
    """Live through one story; one that does not come to its end is left out, and said."""
    before = list(tell.written)
    try:
        story(tell)
    except (NeverHappenedError, StackError) as error:
        tell.written = before
        print(f"{story.__name__}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _stable(status: Status) -> int:
    return int(status.get("stable", {}).get("modelVersion", 0))


if __name__ == "__main__":
    sys.exit(main())
