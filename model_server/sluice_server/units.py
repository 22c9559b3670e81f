"""Whose request it is in an A/B test or a canary with sticky users: a user's, or nobody's but its own.

The route says of which experiment a request is, and where a user's id is found. That id is not sent, kept or logged: a
unit is a hash of it that is another one in each experiment, so units of two experiments can't be linked.

A canary's weights each have a window, which is counted like an experiment, and of which the collector learns nothing.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from werkzeug.datastructures import Headers

from sluice_server.identities import HEADER as REQUEST
from sluice_server.identities import identity

EXPERIMENT: Final = "x-sluice-experiment"
WINDOW: Final = "x-sluice-window"
OUTCOMES: Final = "x-sluice-outcomes"
PLACE: Final = "x-sluice-unit"

_EXPERIMENT = re.compile(r"[a-z0-9][-a-z0-9]{0,62}/[a-z0-9][-.a-z0-9]{0,252}")
_WINDOW = re.compile(_EXPERIMENT.pattern + r"/[1-9][0-9]{0,3}")
_PLACE = re.compile(r"(header|cookie):([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256})")


@dataclass(frozen=True)
class Unit:
    """One unit of an experiment: `name` is 32 hex digits, `of_user` whether a user's id is behind it."""

    experiment: str
    name: str
    of_user: bool


def experiment_of(headers: Headers) -> str | None:
    """Return the experiment that the route has put this request into, None if there is none."""
    return _named(headers.get(EXPERIMENT))


def outcomes_of(headers: Headers) -> str | None:
    """Return the experiment that takes outcomes now, None if there is none: also while it exposes nobody.

    Operators of earlier versions name only the one that exposes.
    """
    return experiment_of(headers) or _named(headers.get(OUTCOMES))


def window_of(headers: Headers) -> str | None:
    """Return the window of a canary that the route counts this request in, None if there is none."""
    said = headers.get(WINDOW)
    return said if said and _WINDOW.fullmatch(said) else None


def unit_of(headers: Headers) -> Unit | None:
    """Return the unit that outcomes are of; None without an experiment, or with neither a user's id nor the request's.

    Headers that make no sense are as good as none: the user has not written them.
    """
    experiment = outcomes_of(headers)
    return _unit_in(experiment, headers) if experiment else None


def counted_unit(headers: Headers) -> Unit | None:
    """Return the unit that a request is counted as: of its experiment, or else of its window."""
    counted_in = experiment_of(headers) or window_of(headers)
    return _unit_in(counted_in, headers) if counted_in else None


def _named(said: str | None) -> str | None:
    return said if said and _EXPERIMENT.fullmatch(said) else None


def _unit_in(experiment: str, headers: Headers) -> Unit | None:
    if (user := _user(headers)) is not None:
        return Unit(experiment, unit_name(experiment, user), of_user=True)
    if (own := identity(headers.get(REQUEST))) is not None:
        return Unit(experiment, unit_name(experiment, f"request:{own}"), of_user=False)
    return None


def unit_name(experiment: str, user: str) -> str:
    """Return the hash that an experiment knows a user by."""
    return hashlib.sha256(f"{experiment}\n{user}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _user(headers: Headers) -> str | None:
    """Return the user's id as the gateway sees it: an empty header is one too, all who send it share a version."""
    if (place := _PLACE.fullmatch(headers.get(PLACE, ""))) is None:
        return None
    kind, name = place.groups()
    return headers.get(name) if kind == "header" else _cookie(headers.get("cookie", ""), name)


def _cookie(header: str, wanted: str) -> str | None:
    """Return a cookie as it is sent, without quotes around it; None if it is missing or empty.

    Nothing is decoded: what is no text is an id all the same.
    """
    for pair in header.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == wanted:
            return value.strip().removeprefix('"').removesuffix('"') or None
    return None
