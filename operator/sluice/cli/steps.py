"""How far a rollout is on its steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sluice.cli import words

Object = Mapping[str, Any]

DONE, CURRENT, COMING, SKIPPED = "done", "current", "coming", "skipped"
RECREATE: Sequence[Object] = tuple({title: None} for title in ("begin", "stop the old version", "start the new one"))
# What follows a shadow: the operator's default steps of a canary.
CANARY: Sequence[Object] = (
    {"setWeight": 10}, {"analysis": {"marginAbsolute": 0.02}}, {"setWeight": 50}, {"analysis": {}},
)  # fmt: skip
MARKS = {DONE: "✓", CURRENT: "▶", COMING: " ", SKIPPED: "»"}


@dataclass(frozen=True)
class StepView:
    """One step; `note` says of the current one how long it has been going on, and how long it may."""

    title: str
    state: str
    note: str = ""

    @property
    def text(self) -> str:
        """Return mark, title and note."""
        return f"{MARKS[self.state]} {self.title}".strip() + (f" ({self.note})" if self.note else "")


def step_views(spec: Object, status: Object, now: datetime) -> tuple[StepView, ...]:
    """Return the steps of the rollout in progress, none when there is none."""
    rollout, steps = status.get("rollout"), steps_of(spec)
    if not rollout or "stable" not in status:
        return ()
    at, direct = rollout.get("stepIndex", 0), rollout.get("direct", False) and steps is not RECREATE
    views = []
    for index, step in enumerate(steps):
        if index < at:
            views.append(StepView(title(step), DONE))
        elif direct:
            views.append(StepView(title(step), SKIPPED))
        elif index == at:
            views.append(StepView(title(step), CURRENT, _note(spec, rollout, step, now)))
        else:
            views.append(StepView(title(step), COMING))
    promoting = direct or at >= len(steps)
    return (*views, StepView("promote", CURRENT if promoting else COMING))


def steps_of(spec: Object) -> Sequence[Object]:
    """Return the steps of the strategy, by title or as the user wrote them."""
    strategy = spec.get("strategy") or {}
    if "recreate" in strategy:
        return RECREATE
    gates = [{"gates": None}] if spec.get("gates") else []
    if "shadow" in strategy:
        return shadow_steps(strategy["shadow"] or {}, gates)
    if "blueGreen" in strategy:
        return blue_green_steps(strategy["blueGreen"] or {}, gates)
    if "abTest" in strategy:
        return ab_test_steps(strategy["abTest"] or {}, gates)
    return (*gates, *canary_steps(spec))


def shadow_steps(wants: Object, gates: Sequence[Object] = ()) -> Sequence[Object]:
    """Return the stages of a shadow rollout: gates, copies of requests, and what follows."""
    then = wants.get("then", "Canary")
    held: Object = {"hold": None, "mirror": wants}
    follows = CANARY if then == "Canary" else (held,) if then == "Hold" else ()
    return [{"start": None}, *gates, {"mirror": wants}, *follows]


def ab_test_steps(wants: Object, gates: Sequence[Object] = ()) -> Sequence[Object]:
    """Return the stages of an A/B test: gates, pods, the test, and who waits for a person."""
    held: Object = {"hold": None, "test": wants}
    return [*gates, {"start": None}, {"test": wants}, *([held] if wants.get("onWinner") == "Hold" else [])]


def blue_green_steps(wants: Object, gates: Sequence[Object] = ()) -> Sequence[Object]:
    """Return the stages of a blue-green rollout that the user has asked for, as the operator makes them."""
    asked = {
        "preview": "preview" in wants, "start": "pause" in wants and "preview" not in wants, "gates": gates,
        "pause": "pause" in wants, "switch": True, "verify": "verify" in wants,
    }  # fmt: skip
    return [{name: wants.get(name)} for name, is_asked in asked.items() if is_asked]


def canary_steps(spec: Object) -> Sequence[Object]:
    """Return the steps that the user chose; before them who is targeted, if anybody is."""
    canary = (spec.get("strategy") or {}).get("canary") or {}
    steps: Sequence[Object] = [
        each
        for step in canary.get("steps") or ()
        for each in (({"start": None}, step) if "mirror" in step else (step,))
    ]
    return ({"match": None}, *steps) if canary.get("match") else steps


def title(step: Object) -> str:
    """Say in a few letters what a step does."""
    if "setWeight" in step:
        return f"setWeight {step['setWeight']}"
    if "pause" in step:
        return f"pause {(step['pause'] or {}).get('duration') or 'until promoted'}"
    first = next(iter(step), "?")
    if first == "test":
        wants = step["test"] or {}
        return f"test {wants.get('weight', 50)}" + "".join(f" {one['weight']}" for one in wants.get("variants") or ())
    return f"mirror {(step['mirror'] or {}).get('percent', 100)}" if first == "mirror" else first


def _note(spec: Object, rollout: Object, step: Object, now: datetime) -> str:
    started, paused = words.moment(rollout.get("stepStartedAt")), words.moment(rollout.get("pausedAt"))
    if started is None:
        return ""
    age = (paused or now) - started
    if paused:
        return f"clock stopped at {words.span(age)}"
    duration = (step.get("pause") or {}).get("duration")
    if duration:
        left = timedelta(seconds=words.seconds(duration)) - age
        return f"{words.span(left)} left"
    if rollout.get("inconclusive"):
        return f"deadline passed, {words.span(age)}"
    if "pause" in step or "hold" in step:
        return f"for {words.span(age)}"
    longest = (step.get("test") or {}).get("maxDuration")
    deadline = words.seconds(longest) if longest else spec.get("progressDeadlineSeconds")
    limit = f" of at most {words.span(timedelta(seconds=deadline))}" if deadline else ""
    return f"{words.span(age)}{limit}"
