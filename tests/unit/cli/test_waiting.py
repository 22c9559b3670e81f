"""Waiting and watching: when it ends, with which exit code, and what is shown in the meantime."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from sluice.cli import arguments, feed
from sluice.cli.commands import status, wait
from sluice.cli.errors import ApiError, CliError, Exit
from sluice.cli.feed import Feed
from sluice.cli.kubectl import Object
from sluice.cli.session import Session

from tests.unit.cli.cluster import NOW, TWO, Clock, Cluster, model_deployment, rollout, terminal

REJECTED = {"revision": TWO, "reason": "HarmProven", "message": "errors", "at": "2030-01-01T11:59:00Z"}
PROMOTED = {"stable": TWO, "rollout": None, "message": "penguins/2 serves all traffic", "verdict": "Successful"}
ROLLED_BACK = {"rejected": [REJECTED], "rollout": None, "verdict": "Failed", "message": "penguins/2 was rolled back"}


def run(cluster: Cluster, *words: str, then: tuple[Object, ...] = ()) -> tuple[int, str, str]:
    """Wait, while the status changes after each look."""
    clock, out, err = Clock(), io.StringIO(), io.StringIO()
    clock.wakes = [change(cluster, one) for one in then]
    options = arguments.parser().parse_args(["wait", "penguins", *words])
    session = Session(cluster, options, out, err, lambda: NOW, clock.monotonic, clock.sleep)
    return wait.run(session), out.getvalue(), err.getvalue()


def change(cluster: Cluster, status: Object) -> Callable[[], None]:
    def act() -> None:
        changed = cluster.found[0]["status"] | status
        cluster.found[0]["status"] = {key: value for key, value in changed.items() if value is not None}

    return act


@pytest.mark.parametrize(
    ("then", "code", "sentence"),
    [
        ((PROMOTED,), Exit.DONE, "penguins/2 was promoted"),
        ((ROLLED_BACK,), Exit.FAILED, "penguins/2 was rolled back: HarmProven: errors"),
        (({"rollout": rollout(inconclusive=True)},), Exit.WAITS_FOR_A_PERSON, "inconclusive"),
        (({"conditions": [{"type": "Paused", "status": "True", "reason": "AwaitingPromotion"}]},),
         Exit.WAITS_FOR_A_PERSON, "waits for promotion"),
        ((), Exit.TIMEOUT, "has not ended within 60 s"),
    ],
)  # fmt: skip
def test_the_exit_code_says_how_it_ended(then: tuple[Object, ...], code: Exit, sentence: str) -> None:
    cluster = Cluster([model_deployment(rollout=rollout())])
    found, out, _ = run(cluster, "--timeout=60s", then=then)
    assert (found, sentence in out) == (code, True), out


def test_a_rollout_that_begins_later_is_waited_for_by_version() -> None:
    cluster = Cluster([model_deployment()])
    code, out, err = run(cluster, "--version=2", then=({}, {"rollout": rollout()}, PROMOTED))
    assert (code, out) == (Exit.DONE, "penguins/2 was promoted\n")
    assert "Rolling out · penguins/2 10 %" in err


def test_a_version_that_another_one_took_the_place_of_has_failed() -> None:
    third = rollout() | {"revision": TWO | {"name": "cccc", "modelVersion": "3"}}
    cluster = Cluster([model_deployment(rollout=rollout())])
    code, out, _ = run(cluster, "--version=2", then=({"rollout": third},))
    assert (code, "no longer rolled out" in out) == (Exit.FAILED, True)


def test_without_a_version_the_newer_candidate_is_followed() -> None:
    third = TWO | {"name": "cccc", "modelVersion": "3"}
    cluster = Cluster([model_deployment(rollout=rollout())])
    then = ({"rollout": rollout() | {"revision": third}}, PROMOTED | {"stable": third})
    assert run(cluster, then=then)[:2] == (Exit.DONE, "penguins/3 was promoted\n")


def test_an_edit_that_the_operator_has_not_seen_is_no_end() -> None:
    raw = model_deployment()
    raw["metadata"]["generation"] = 2
    code, _, _ = run(Cluster([raw]), then=({}, {"observedGeneration": 2}))
    assert code is Exit.DONE


def test_an_api_server_that_is_away_is_waited_for() -> None:
    cluster = Cluster([model_deployment(rollout=rollout())])
    clock = Clock()
    clock.wakes = [lambda: cluster.errors.append(ApiError("Unreachable", "refused")), change(cluster, PROMOTED)]
    options = arguments.parser().parse_args(["wait", "penguins"])
    err = io.StringIO()
    session = Session(cluster, options, io.StringIO(), err, lambda: NOW, clock.monotonic, clock.sleep)
    assert wait.run(session) is Exit.DONE
    assert "refused" in err.getvalue()


def test_a_right_that_is_missing_is_not_waited_for() -> None:
    with pytest.raises(CliError, match="forbidden"):
        run(Cluster([model_deployment()], errors=[ApiError("Forbidden", "forbidden")]))


def shown(*story: Object | ApiError, stream: io.StringIO | None = None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Watch until the story is over; then somebody presses ctrl-C."""
    cluster = Cluster([model_deployment()])
    remaining = list(story)

    def gathered(self: Feed) -> Iterator[object]:
        if not remaining:
            raise KeyboardInterrupt
        event = remaining.pop(0)
        yield event if isinstance(event, ApiError) else (event["type"], event["object"])

    monkeypatch.setattr(Feed, "_gathered", gathered)
    out = stream or io.StringIO()
    options = arguments.parser().parse_args(["status", "penguins", "-w"])
    assert status.run(Session(cluster, options, out, io.StringIO())) is Exit.DONE
    return out.getvalue()


def modified(**status: object) -> Object:
    return {"type": "MODIFIED", "object": model_deployment("penguins", "shop", **status)}


def test_watching_in_a_pipe_writes_a_line_for_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    going = modified(rollout=rollout(), message="analyzing")
    out = shown(going, going, modified(), monkeypatch=monkeypatch)
    lines = [line.partition("  ")[2] for line in out.splitlines()]
    assert lines == [
        "Serving · penguins/1 serves all traffic",
        "Rolling out · penguins/2 10 % · analyzing",
        "Serving · penguins/1 serves all traffic",
    ]


def test_watching_in_a_terminal_draws_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = shown(modified(rollout=rollout()), stream=terminal(), monkeypatch=monkeypatch)
    assert "Rolling out" in out
    assert "\x1b[" in out


def test_what_is_old_is_said_to_be_old(monkeypatch: pytest.MonkeyPatch) -> None:
    out = shown(ApiError("Unreachable", "refused"), monkeypatch=monkeypatch)
    assert "the API server does not answer: refused" in out


def test_one_that_is_deleted_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CliError, match="was deleted"):
        shown({"type": "DELETED", "object": model_deployment()}, monkeypatch=monkeypatch)


class Breaking(Cluster):
    """A cluster whose watches break a few times before they tell something."""

    breaks = 0

    def watch(self, path: str) -> Iterator[Object]:
        if "pods" in path:
            return
        if self.breaks > 0:
            self.breaks -= 1
            raise ApiError("Unreachable", "refused")
        yield modified(message="changed")


@pytest.mark.parametrize(("breaks", "told"), [(1, False), (2, True)])
def test_the_feed_begins_broken_watches_again_and_tells_only_of_lasting_trouble(
    breaks: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(feed, "GATHER_SECONDS", 0.0)
    cluster = Breaking([model_deployment()])
    cluster.breaks = breaks
    following, troubles = Feed(cluster, "shop", "penguins"), []
    gathered = Feed._gathered

    def noted(self: Feed) -> Iterator[tuple[str, Object] | ApiError]:
        for change in gathered(self):
            troubles.append(isinstance(change, ApiError))
            yield change

    monkeypatch.setattr(Feed, "_gathered", noted)
    for seen in following.snapshots():
        if seen.raw["status"]["message"] == "changed":
            break
    assert any(troubles) is told
    assert following.trouble == ""
