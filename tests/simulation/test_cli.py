"""What `kubectl sluice status` shows at each moment of each story, and that what it recommends is really granted."""

from __future__ import annotations

import argparse
import asyncio
import io
import pickle
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
from rich.console import Console
from sluice.cli import arguments, picking
from sluice.cli.advice import advise
from sluice.cli.ending import Ending, ending
from sluice.cli.errors import Exit
from sluice.cli.render import screen
from sluice.cli.states import Tone
from sluice.cli.view import View, build
from sluice.core.observation import Unresolved
from sluice.kube.api import Manifest

from tests.simulation.pods import Behaviour
from tests.simulation.simulation import Chapter, Simulation, installed
from tests.simulation.stories import (
    RECREATE,
    SPEC,
    blue_green,
    both,
    edit,
    install,
    push,
    rejected,
    serves,
    shadow,
    weight,
    wish,
)
from tests.simulation.tested import ab_test, collector, nobody_converts
from tests.simulation.varied import ALL, live, sent_away, two, variants
from tests.simulation.world import World

Act = Callable[[World], None]
Until = Callable[[World], bool]
WISHES = ("promote", "abort", "retry", "rollback")
Script = tuple[tuple[Act, Until], ...]


def says(*words: str) -> Until:
    return lambda world: all(word in world.status.get("message", "") for word in words)


def nothing(_: World) -> None:
    pass


def steps(*given: dict[str, object]) -> Act:
    return edit(strategy={"canary": {"steps": list(given)}})


def rate(requests: float) -> Act:
    return lambda world: setattr(world, "rate", requests)


def registry_down(world: World) -> None:
    world.outage = Unresolved("RegistryUnreachable", "MLflow does not answer: connection refused")
    world.poked = True


def gateway_gone(world: World) -> None:
    world.store.delete("Gateway", "models", "public")
    world.poked = True


def crash_stable(world: World) -> None:
    for life in world.pods_of(world.revision("1")):
        life.behaviour = Behaviour.CRASH


def poked(act: Act) -> Act:
    """Somebody wakes the controller too: at rest it looks only now and then."""

    def both(world: World) -> None:
        act(world)
        world.poked = True

    return both


@dataclass(frozen=True)
class Moment:
    """Where a script leads, and what is to be seen there: the state, parts of the screen, commands by their verb."""

    script: Script
    state: str
    tone: Tone
    shows: tuple[str, ...]
    can: tuple[str, ...]
    fresh: bool = False  # begins before the first install


MOMENTS = {
    "serving": Moment(((nothing, serves("1")),), "Serving", Tone.GOOD, ("stable", "penguins/1", "100 %", "2/2"), ()),
    "installing": Moment(
        ((install("1"), says("first install")),), "Installing", Tone.BUSY, ("candidate", "starting"), (), fresh=True
    ),
    "first version can't start": Moment(
        (
            (lambda w: w.push("1", behaviour=Behaviour.NO_IMAGE), lambda _: True),
            (lambda w: w.submit(SPEC), says("ImagePullBackOff")),
        ),
        "Installing", Tone.BUSY, ("ImagePullBackOff", "no such image"), ("kubectl logs",), fresh=True,
    ),
    "candidate starts": Moment(
        ((push("2"), says("0 of 1 pods ready")),), "Rolling out", Tone.BUSY, ("▶ setWeight 20", "0 of 1 pods ready"),
        ("promote --full", "abort", "pause"),
    ),
    "analysing": Moment(
        ((edit(analysis={"minRequests": 100_000}), lambda _: True), (push("2"), says("safe"))),
        "Rolling out", Tone.BUSY, ("✓ setWeight 20 · ▶ analysis", "of at most 1m", "too little traffic yet"),
        ("promote", "promote --full", "abort", "pause"),
    ),
    "no traffic": Moment(
        ((rate(0), lambda _: True), (push("2"), says("no data"))),
        "Rolling out", Tone.BUSY, ("no data: no request came through the gateway",), ("promote", "abort"),
    ),
    "inconclusive": Moment(
        ((rate(0), lambda _: True), (push("2"), says("neither harm nor safety"))),
        "Inconclusive: waits for a person", Tone.WAITS, ("deadline passed",), ("promote", "retry", "abort"),
    ),
    "paused": Moment(
        ((push("2"), weight("2", 20)), (edit(paused=True), says("paused at 20 %"))),
        "Paused", Tone.WAITS, ("clock stopped",), ("resume", "abort"),
    ),
    "pause with a duration": Moment(
        ((steps({"setWeight": 20}, {"pause": {"duration": "10m"}}), lambda _: True), (push("2"), says("pausing at"))),
        "Rolling out", Tone.BUSY, ("▶ pause 10m", "left"), ("promote", "abort"),
    ),
    "waiting for promotion": Moment(
        ((steps({"setWeight": 20}, {"pause": {}}), lambda _: True), (push("2"), says("until somebody promotes"))),
        "Waits for promotion", Tone.WAITS, ("▶ pause until promoted", "errors at 20 %", "proof of harm"),
        ("promote", "abort", "promote --full"),
    ),
    "previewed": Moment(
        ((blue_green(pause={}), lambda _: True), (push("2"), says("until somebody promotes"))),
        "Waits for promotion", Tone.WAITS, ("✓ preview · ▶ pause until promoted", "test it at /preview"),
        ("promote", "abort"),
    ),
    "verifying": Moment(
        (
            (blue_green(verify={"maxErrorRate": 0.02, "minRequests": 9999}), lambda _: True),
            (push("2"), says("verifying")),
        ),
        "Rolling out", Tone.BUSY, ("✓ switch · ▶ verify", "less than 2 % fail", "errors (at most 0.02)"),
        ("promote", "abort"),
    ),
    "shadowed and held": Moment(
        ((shadow(then="Hold"), lambda _: True), (push("2", differs=0.02), says("until somebody promotes"))),
        "Waits for promotion", Tone.WAITS,
        ("✓ mirror 100 · ▶ hold", "both failed", "with 95 % confidence at any time", "p50, p99  stable 20 ms, 20 ms"),
        ("promote", "abort"),
    ),
    "tested": Moment(
        ((ab_test(minDuration="90s"), lambda _: True), (push("2"), says("conversion:"))),
        "Rolling out", Tone.BUSY,
        ("✓ start · ▶ test 50", "of at most 1m40s", "that count", "guards, by users", "beside", "at most"),
        ("promote", "promote --full", "abort", "pause"),
    ),
    "tested without a collector": Moment(
        ((ab_test(), lambda _: True), (collector(away=True), lambda _: True), (push("2"), says("is away"))),
        "Held: AwaitingTest", Tone.WAITS, ("▶ start", "the collector is away; the test waits for it"), ("abort",),
    ),
    "tested and held": Moment(
        ((ab_test(onWinner="Hold"), lambda _: True), (push("2", converts=0.9), says("until somebody promotes"))),
        "Waits for promotion", Tone.WAITS, ("✓ test 50 · ▶ hold", "with 95 % confidence at any time"),
        ("promote", "abort"),
    ),
    "tested, won and told of": Moment(
        ((ab_test(onWinner="Notify"), lambda _: True), (push("2", converts=0.9), says("has won its test"))),
        "Won its test: waits for promotion", Tone.WAITS, ("tested", "Winner", "penguins/1 serves all traffic"),
        ("promote", "retry"),
    ),
    "tested with variants": Moment(
        ((variants(minDuration="1h"), lambda _: True), (two(), both(ALL, says("large penguins/3: conversion")))),
        "Rolling out", Tone.BUSY,
        ("▶ test 30 30", "40 %", "30 %", "large penguins/3", "of a proof", "candidate, since"),
        ("promote", "promote --full", "abort", "pause"),
    ),
    "a variant was dropped": Moment(
        (
            (variants(minDuration="1h"), lambda _: True),
            (two(errors=0.5), both(sent_away("3", "HarmProven"), live(v1=70, v2=30))),
        ),
        "Rolling out", Tone.BUSY, ("large penguins/3", "dropped: HarmProven", "70 %"),
        ("promote", "promote --full", "abort", "pause"),
    ),
    "tested without a winner": Moment(
        ((ab_test(maxDuration="15s"), lambda _: True), (nobody_converts, says("was tested and did not win"))),
        "Serving: the test had no winner", Tone.GOOD, ("NoWinner", "penguins/1 serves all traffic"), ("retry",),
    ),
    "recreating": Moment(
        ((RECREATE, lambda _: True), (push("2"), says("waiting for 2 pods to end"))),
        "Recreating: no version serves", Tone.BUSY, ("▶ stop the old version", "no version serves since"), ("abort",),
    ),
    "all steps skipped": Moment(
        ((push("2"), weight("2", 20)), (wish("promote-full", "2"), lambda w: bool(w.status["rollout"].get("direct")))),
        "Moving all traffic", Tone.BUSY, ("» pause 2s", "▶ promote"), ("abort",),
    ),
    "taken back by a person": Moment(
        ((edit(scaleDownDelaySeconds=600), lambda _: True), (push("2"), serves("2")),
         (poked(wish("rollback", "1")), lambda w: w.status["model"] == "penguins/1" and "rollout" not in w.status)),
        "Rolled back", Tone.BAD, ("RolledBackByPerson", "a person went back to penguins/1", "rejected"), ("retry",),
    ),
    "rolled back": Moment(
        ((push("2", errors=1.0), rejected("2")), (nothing, says("was rolled back"))),
        "Rolled back", Tone.BAD, ("rejected", "HarmProven", "stable", "100 %"), ("retry",),
    ),
    "crashing": Moment(
        ((push("2", behaviour=Behaviour.CRASH), rejected("2")), (nothing, says("was rolled back"))),
        "Rolled back", Tone.BAD, ("rejected", "Crashed", "boom"), ("retry",),
    ),
    "superseded": Moment(
        ((push("2"), weight("2", 20)), (push("3"), lambda w: w.status.get("candidate") == "penguins/3")),
        "Rolling out", Tone.BUSY, ("penguins/3", "penguins/2"), ("abort",),
    ),
    "aborted": Moment(
        ((push("2"), weight("2", 20)), (wish("abort", "2"), says("was rolled back"))),
        "Rolled back", Tone.BAD, ("Aborted", "Asked"), ("retry",),
    ),
    "promoted": Moment(
        ((edit(scaleDownDelaySeconds=600), lambda _: True), (push("2"), serves("2"))),
        "Serving", Tone.GOOD, ("penguins/2", "retired", "warm for another"), ("rollback",),
    ),
    "stable is down": Moment(
        ((crash_stable, says("stable penguins/1: 0 of 2")),), "Not available: NoReadyPods", Tone.BAD,
        ("Crashed", "boom", "5 restarts"), ("kubectl logs",),
    ),
    "gateway missing": Moment(
        ((gateway_gone, says("there is no Gateway")),),
        "Not available: GatewayNotFound", Tone.BAD, ("there is no Gateway models/public",), ("kubectl get",),
    ),
    "registry down": Moment(
        ((registry_down, says("MLflow does not answer")),), "Serving, but RegistryUnreachable", Tone.WAITS,
        ("penguins/1 serves all traffic", "look whether MLflow answers"), (),
    ),
    "being deleted": Moment(
        ((lambda w: w.delete(), lambda w: bool(w.md and "deletionTimestamp" in w.md["metadata"])),), "Being deleted",
        Tone.BUSY, (), (),
    ),
}  # fmt: skip


@cache
def frozen(name: str) -> bytes:
    """Live through a script once; every test looks at its own copy of where it led."""
    moment = MOMENTS[name]
    begun = () if moment.fresh else installed()
    return asyncio.run(_live(moment, Simulation((), *begun)))


def world_at(name: str) -> World:
    world: World = pickle.loads(frozen(name))[0]
    return world


async def _live(moment: Moment, simulation: Simulation) -> bytes:
    script = list(moment.script)
    while simulation.world.md is None:
        act, until = script.pop(0)
        act(simulation.world)
        if simulation.world.md is not None:
            script.insert(0, (nothing, until))
    await simulation.begin()
    for act, until in script:
        await simulation.live(Chapter(act, until, "what was told"))
    return pickle.dumps((simulation.world, simulation.invariants, simulation.controller.memory))


def seen(world: World) -> View:
    assert world.md
    return build(world.md, world.store.of_kind("Pod"), world.now)


def text(world: World, width: int = 1000) -> str:
    shown = seen(world)
    assert world.md
    out = io.StringIO()
    Console(file=out, width=width, no_color=True).print(screen(shown, advise(shown, world.md)))
    return out.getvalue()


@pytest.mark.parametrize("name", MOMENTS)
def test_each_moment_says_how_it_is_and_what_can_be_done(name: str) -> None:
    moment = MOMENTS[name]
    world = world_at(name)
    assert world.md
    shown = seen(world)
    assert (shown.state, shown.tone) == (moment.state, moment.tone)
    printed = text(world)
    for part in moment.shows:
        assert part in printed
    commands = [advice.command for advice in advise(shown, world.md)]
    for verb in moment.can:
        assert any(_verb(command) == verb for command in commands), commands


def _verb(command: str) -> str:
    words = command.split()
    if words[:2] != ["kubectl", "sluice"]:
        return " ".join(words[:2])
    return words[2] + (" --full" if "--full" in words else "")


@pytest.mark.parametrize("name", MOMENTS)
def test_what_is_recommended_is_granted(name: str) -> None:
    world = world_at(name)
    assert world.md
    for advice in advise(seen(world), world.md):
        if not advice.command.startswith("kubectl sluice"):
            continue
        options = arguments.parser().parse_args(shlex.split(advice.command)[2:])
        assert options.namespace == "models"
        if options.command in WISHES:
            action, revision = pick(world, options)
            answer = asyncio.run(_ask(name, action, revision))
            assert (answer["action"], answer["revision"]) == (action, revision)
            assert "refused" not in answer["outcome"]


async def _ask(name: str, action: str, revision: str) -> Manifest:
    forked = Simulation((), *pickle.loads(frozen(name)))
    before = forked.world.status.get("lastAction")
    await forked.begin()

    def act(world: World) -> None:
        world.wish(action, revision)
        world.poked = True

    await forked.live(Chapter(act, lambda w: w.status.get("lastAction") != before, "an answer"))
    found: Manifest = forked.world.status["lastAction"]
    return found


def pick(world: World, options: argparse.Namespace) -> tuple[str, str]:
    """Return the wish that a command writes."""
    assert world.md
    if options.command == "rollback":
        return "rollback", picking.to_roll_back_to(world.md, options.to)
    if options.command == "retry":
        return "retry", picking.to_retry(world.md, options.revision)
    action = "promote-full" if getattr(options, "full", False) else options.command
    if options.command == "promote":
        return action, picking.to_promote(world.md, options.revision)
    return action, picking.candidate(world.md, options.command, options.revision)


@pytest.mark.parametrize("name", MOMENTS)
def test_a_narrow_terminal_loses_no_command(name: str) -> None:
    world = world_at(name)
    assert world.md
    squeezed = "".join(text(world, width=80).split())
    for advice in advise(seen(world), world.md):
        assert all(part in squeezed for part in advice.command.split())


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("serving", Exit.DONE), ("analysing", None), ("inconclusive", Exit.WAITS_FOR_A_PERSON),
        ("paused", Exit.WAITS_FOR_A_PERSON), ("rolled back", Exit.FAILED), ("aborted", Exit.FAILED),
        ("promoted", Exit.DONE), ("registry down", None), ("installing", None), ("superseded", None),
        ("waiting for promotion", Exit.WAITS_FOR_A_PERSON), ("all steps skipped", None),
        ("taken back by a person", Exit.FAILED), ("tested", None), ("tested without a collector", None),
        ("tested and held", Exit.WAITS_FOR_A_PERSON), ("tested without a winner", Exit.FAILED),
        ("tested, won and told of", Exit.WAITS_FOR_A_PERSON),
    ],
)  # fmt: skip
def test_waiting_ends_when_the_rollout_does(name: str, code: Exit | None) -> None:
    world = world_at(name)
    assert world.md
    end = ending(world.md, None, None)
    assert (end.code if end else None) == code


def test_waiting_for_a_version_waits_for_that_one() -> None:
    world = world_at("serving")
    assert world.md
    assert ending(world.md, None, "2") is None, "its rollout has not begun yet"
    assert isinstance(ending(world.md, None, "1"), Ending)
