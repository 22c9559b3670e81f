"""What can be done at this moment: exact commands, for the revision that is seen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.cli import names
from sluice.cli.states import Tone
from sluice.cli.steps import CURRENT, StepView
from sluice.cli.view import RevisionView, View

AFRESH = ", on users drawn anew"  # each test has others


@dataclass(frozen=True)
class Advice:
    """A command to paste, and what it does; without a command a sentence."""

    command: str
    why: str


@dataclass(frozen=True)
class Speller:
    """Writes commands for one ModelDeployment, with the flags that the person used."""

    view: View
    flags: tuple[str, ...] = ()

    def __call__(self, action: str, *arguments: str) -> str:
        """Return a command of the plugin."""
        where = ("-n", self.view.namespace, *self.flags)
        return " ".join(("kubectl sluice", action, self.view.name, *arguments, *where))

    def kubectl(self, *arguments: str) -> str:
        """Return a command of kubectl."""
        return " ".join(("kubectl", *arguments, *self.flags))


def advise(view: View, raw: Mapping[str, Any], flags: tuple[str, ...] = ()) -> tuple[Advice, ...]:
    """Return what can be done now, the likeliest first."""
    return tuple(_all(view, raw, Speller(view, flags)))


def _all(view: View, raw: Mapping[str, Any], say: Speller) -> Iterator[Advice]:
    if view.state == "Being deleted":
        return
    if not view.seen:
        yield Advice(say.kubectl("get", "deploy", "-A", "-l", names.OPERATOR_LABEL), "is the operator running?")
    yield from _problems(view, say)
    candidate = view.revision("candidate")
    if candidate and view.installed:
        yield from _rollout(view, raw, candidate, say)
    elif candidate is None:
        yield from _settled(view, raw, say)
    yield from _pods(view, say)


def _rollout(view: View, raw: Mapping[str, Any], candidate: RevisionView, say: Speller) -> Iterator[Advice]:
    bound = f"--revision={candidate.revision}"
    rollout = raw["status"]["rollout"]
    step = next((one for one in view.steps if one.state == CURRENT), None)
    stable = view.revision("stable")
    nobody = ", which has no ready pod!" if stable and stable.pods and not stable.ready else ""
    abort = Advice(say("abort", bound), f"roll back: all traffic to stable{nobody}")
    if rollout.get("direct") or view.strategy == "recreate":
        yield abort
        return
    if rollout.get("inconclusive"):
        tested = step is not None and step.title.startswith("test")
        skips = "end the test in its favour without the proof" if tested else "go on to the next step without the proof"
        again = "give the test its time again, or begin another one if its counts can show nothing"
        yield Advice(say("promote", bound), skips)
        yield Advice(say("retry", bound), again if tested else "give the step its time again")
        yield abort
        return
    if view.paused:
        yield Advice(say("resume"), "go on")
    if step and _skippable(step):
        waits = step.title in ("pause until promoted", "hold")
        skips = "end the test in its favour" if step.title.startswith("test") else f"skip this step ({step.title})"
        yield Advice(say("promote", bound), "go on to the next step" if waits else skips)
    yield abort
    if not view.paused:
        yield Advice(say("pause"), "stop going on; harm still rolls back")
    if step and step.title != "promote":
        yield Advice(say("promote", "--full", bound), "skip all steps: all traffic to it")


def _skippable(step: StepView) -> bool:
    return step.title.startswith(("pause", "analysis", "verify", "gates", "mirror", "hold", "test"))


def _settled(view: View, raw: Mapping[str, Any], say: Speller) -> Iterator[Advice]:
    """Nothing is rolled out."""
    rejected, tested = view.revision("rejected"), view.revision("tested")
    if tested and view.verdict == "Winner":
        yield Advice(say("promote", f"--revision={tested.revision}"), f"all traffic to {tested.version}")
    if tested and view.verdict in ("NoWinner", "Winner"):
        yield Advice(say("retry", f"--revision={tested.revision}"), f"test {tested.version} again{AFRESH}")
    if rejected and view.verdict == "Failed":
        yield Advice("", "register a fixed version and move the alias, or")
        test = "abTest" in raw["spec"].get("strategy", {})
        again = f"test {rejected.version} again as it is{AFRESH}" if test else f"try {rejected.version} again as it is"
        yield Advice(say("retry", f"--revision={rejected.revision}"), again)
    earlier = next((one for one in view.revisions if one.role == "retired"), None)
    if earlier:
        how = "at once, its pods are warm" if earlier.warm and earlier.ready else "its pods have to start first"
        yield Advice(say("rollback", f"--to={earlier.revision}"), f"back to {earlier.version}: {how}")
    if view.paused:
        yield Advice(say("resume"), "spec.paused is set: the next rollout would wait")
    if view.record and not view.problems:
        yield Advice(say("explain"), "why the last rollout ended as it did")


def _problems(view: View, say: Speller) -> Iterator[Advice]:
    text = " ".join(view.problems) + view.state + view.message
    if "GatewayNotFound" in text:
        yield Advice(say.kubectl("get", "gateways", "-A"), "which Gateways there are")
    elif "the gateway refuses the route" in text:
        route = say.kubectl("describe", "httproute", view.name, "-n", view.namespace)
        yield Advice(route, "what the gateway says of the route")
    elif "ServiceTaken" in text:
        yield Advice(say.kubectl("get", "service", view.name, "-n", view.namespace, "-o", "yaml"), "whose it is")
    if "egistry" in view.state:
        yield Advice("", "traffic stays as it is; look whether MLflow answers")


def _pods(view: View, say: Speller) -> Iterator[Advice]:
    troubled = [pod for one in view.revisions for pod in one.pods if pod.tone is Tone.BAD or pod.trouble]
    for pod in troubled[:1]:
        before = ("--previous",) if pod.restarts else ()
        containers = ("--all-containers", *before, "--tail=30")
        logs = say.kubectl("logs", "-n", view.namespace, pod.name, *containers)
        yield Advice(logs, f"the last words of {pod.name}")
