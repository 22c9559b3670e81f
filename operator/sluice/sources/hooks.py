"""Asks HTTP hooks in the background: nothing ever waits for one, and a restart asks again what was not answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from sluice.api.outcomes import GateOutcome
from sluice.core.observation import GateState

Key = tuple[str, str]

WAITS = (1.0, 2.0, 5.0, 10.0)
AGAIN = (408, 425, 429)  # 4xx of a server that would answer later
MOST_BYTES = 4096
LONGEST = 300


@dataclass(frozen=True)
class Question:
    """One hook, asked about one rollout; `timeout` in seconds is that of one attempt."""

    round: str
    gate: str
    url: str
    timeout: float
    body: Mapping[str, Any]

    @property
    def headers(self) -> Mapping[str, str]:
        """Return what tells one question, however often it is asked, from all others."""
        return {"Idempotency-Key": f"{self.round}/{self.gate}"}


@dataclass(frozen=True)
class Answer:
    """What came of one attempt; without an outcome it is worth another one. `message` is for people."""

    outcome: GateOutcome | None
    message: str


Post = Callable[[Question], Awaitable[Answer]]


@dataclass
class _Asked:
    state: GateState
    task: asyncio.Task[None] | None = None


@dataclass
class Hooks:
    """The questions under way, by ModelDeployment.

    Args:
        post: makes one attempt.
        wake: is told when there is an answer.
        may_ask: whether this operator still leads.
    """

    post: Post
    wake: Callable[[Key], None]
    may_ask: Callable[[], bool]
    _asked: dict[Key, dict[tuple[str, str], _Asked]] = field(default_factory=dict)

    def ask(self, key: Key, question: Question) -> None:
        """Begin to ask, unless it is being asked or was answered; returns at once."""
        mine, which = self._asked.setdefault(key, {}), (question.round, question.gate)
        if which not in mine:
            asked = mine[which] = _Asked(GateState(question.round, question.gate, None, "asked for the first time"))
            asked.task = asyncio.create_task(self._ask(key, question, asked), name=f"hook {question.gate}")

    def keep(self, key: Key, round_: str | None) -> None:
        """Ask nothing any more that is not of this round."""
        mine = self._asked.get(key, {})
        for which in [which for which in mine if which[0] != round_]:
            if task := mine.pop(which).task:
                task.cancel()
        if not mine:
            self._asked.pop(key, None)

    def states(self, key: Key) -> tuple[GateState, ...]:
        """Return how the questions of a ModelDeployment stand."""
        return tuple(asked.state for asked in self._asked.get(key, {}).values())

    async def _ask(self, key: Key, question: Question, asked: _Asked) -> None:
        times = 0
        while self.may_ask():
            answer, times = await self.post(question), times + 1
            said = answer.message if answer.outcome else f"asked {times} times, last: {answer.message}"
            asked.state = replace(asked.state, outcome=answer.outcome, message=said)
            if answer.outcome:
                self.wake(key)
                return
            await asyncio.sleep(WAITS[min(times - 1, len(WAITS) - 1)])


async def post(session: aiohttp.ClientSession, question: Question) -> Answer:
    """Ask once. Nothing is raised; nobody sends us elsewhere, and nobody fills our memory."""
    try:
        async with (
            asyncio.timeout(question.timeout),
            session.post(
                question.url, json=dict(question.body), headers=dict(question.headers), allow_redirects=False
            ) as response,
        ):
            line = _first_line(await response.content.read(MOST_BYTES))
            return _judged(response.status, line)
    except TimeoutError:
        return Answer(None, f"no answer within {question.timeout:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as problem:
        os_error = getattr(problem, "os_error", None)
        return Answer(None, f"it can't be reached ({getattr(os_error, 'strerror', None) or type(problem).__name__})")


def _judged(status: int, line: str) -> Answer:
    said = f"HTTP {status}" + (f": {line}" if line else "")
    if 200 <= status < 300:
        return Answer(GateOutcome.PASSED, said)
    if 300 <= status < 400:
        return Answer(GateOutcome.UNDECIDED, f"HTTP {status}: it leads to another address; name that one in the hook")
    if 400 <= status < 500 and status not in AGAIN:
        return Answer(GateOutcome.FAILED, said)
    return Answer(None, said)


def _first_line(body: bytes) -> str:
    """Return the first line with anything in it, as far as it can be shown."""
    lines = body.decode(errors="replace").splitlines()
    line = next((line.strip() for line in lines if line.strip()), "")
    return "".join(letter for letter in line if letter.isprintable())[:LONGEST]
