"""`POST /feedback`: hands outcomes on to the collector, and says what became of them.

It takes no prediction's slot, and is bounded by itself: a collector that is slow holds up a few threads and no more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, Final

import orjson
import urllib3
from flask import Flask, Response, request
from prometheus_client import Counter
from werkzeug.exceptions import RequestEntityTooLarge

from sluice_server import outcomes
from sluice_server.errors import BadRequestError, NoExperimentError, NotInstalledError, OverloadedError, RequestError
from sluice_server.protocols.mlflow import dumps
from sluice_server.settings import Settings
from sluice_server.units import outcomes_of, unit_of

PATH: Final = "/feedback"
AT_ONCE: Final = 4
MOST_BYTES: Final = 1024 * 1024  # a thousand outcomes with all fields as long as they may be
TIMEOUT_SECONDS: Final = 2.0
FATES: Final = ("taken", "refused", "unavailable")
COUNTS: Final = ("accepted", "duplicates", "unknown")
_AGAIN = "send it again a little later, nothing is counted twice."

_calls = Counter("sluice_feedback", "Calls that fed outcomes back, by what became of them.", ["fate"], registry=None)


def create_series() -> None:
    """All series exist from the start."""
    for fate in FATES:
        _calls.labels(fate)


class Desk:
    """Hands outcomes to the collector at `url`, at most `AT_ONCE` calls at a time."""

    def __init__(self, url: str) -> None:
        self._address = f"{url.rstrip('/')}/v1/outcomes"
        self._free = BoundedSemaphore(AT_ONCE)
        timeout = urllib3.Timeout(total=TIMEOUT_SECONDS)
        self._pool = urllib3.PoolManager(maxsize=AT_ONCE, retries=False, timeout=timeout)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds one of the few places.

        Raises:
            OverloadedError: all are taken.
        """
        if not self._free.acquire(blocking=False):
            raise OverloadedError(f"This server hands on {AT_ONCE} calls of feedback already: {_AGAIN}")
        try:
            yield
        finally:
            self._free.release()

    def hand_on(self, told: list[dict[str, Any]]) -> dict[str, int]:
        """Return how many outcomes the collector has accepted, knew already, and can't join yet.

        Raises:
            OverloadedError: it is away, or has too much to do.
            BadRequestError: it refuses them.
            NotInstalledError: it is too old for outcomes.
        """
        sent = {"Content-Type": "application/json"}
        try:
            answer = self._pool.request("POST", self._address, body=dumps({"outcomes": told}), headers=sent)
        except urllib3.exceptions.HTTPError as problem:
            raise OverloadedError(f"The collector of outcomes does not answer: {_AGAIN}") from problem
        said = _object(answer.data)
        if answer.status in (404, 405):
            raise NotInstalledError("The collector is of a version that takes no outcomes yet: upgrade it.")
        if 400 <= answer.status < 500 and answer.status != 429:
            raise BadRequestError(f"The collector refuses the outcomes: {said.get('error', 'it does not say why.')}")
        if answer.status != 200 or not all(isinstance(said.get(name), int) for name in COUNTS):
            raise OverloadedError(f"The collector can't take outcomes at the moment: {_AGAIN}")
        return {name: said[name] for name in COUNTS}


def add(app: Flask, settings: Settings) -> None:
    """Adds the path."""
    create_series()
    desk = Desk(settings.collector_url) if settings.collector_url else None

    @app.post(PATH)
    def feedback() -> Response:
        try:
            counts = _counts(desk, settings)
        except RequestError as error:
            _calls.labels("unavailable" if isinstance(error, OverloadedError) else "refused").inc()
            raise
        _calls.labels("taken").inc()
        return Response(dumps(counts), status=202, mimetype="application/json")


def _counts(desk: Desk | None, settings: Settings) -> dict[str, int]:
    if desk is None:
        raise NotInstalledError(
            "Outcomes are kept by Sluice's collector, and this server was started without one: install it (the chart's "
            "collector.enabled=true), then roll out a version."
        )
    ours = (str(settings.mirror_port), str(settings.shared_port))  # where no route has written the headers
    elsewhere = request.environ.get("SERVER_PORT") in ours
    if elsewhere or (experiment := outcomes_of(request.headers)) is None:
        raise NoExperimentError(
            "No A/B test is going on here, so nobody counts outcomes: there is no need to send them."
        )
    with desk.place():
        told = outcomes.parse(_body(), experiment=experiment, unit=unit_of(request.headers))
        return desk.hand_on(told)


def _body() -> bytes:
    request.max_content_length = MOST_BYTES
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        most = outcomes.MOST_OUTCOMES
        message = f"The body is larger than {MOST_BYTES // 1024**2} MiB: send at most {most} outcomes in a call."
        raise BadRequestError(message, status=413, code="REQUEST_LIMIT_EXCEEDED") from error


def _object(data: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
