"""Requests that do not say whose they are, where users are to stick to a version: how many, and when people are told.

Each is drawn anew and counts as a user of its own, so that errors of theirs are seen too. But whoever sends many of
them meets both versions, and weighs as much as many users.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice.api.record import Cursor
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import Identified, Rollout
from sluice.core.observation import Counters

NOTABLE = 0.05  # the share without an id
LEAST = 100  # requests, before a share says something


def counted(
    before: Identified | None, counters: Mapping[str, Counters], cursors: Mapping[str, Cursor], fresh: set[str]
) -> Identified:
    """Return the counts with the requests since the last look; once notable they stay so to the end of the rollout."""
    known = before or Identified()
    with_id, without_id = known.with_id, known.without_id
    for uid, now in counters.items():
        cursor = cursors.get(uid)
        if now.with_id is None or now.without_id is None or (cursor is None and uid not in fresh):
            continue
        if cursor is not None and cursor.start == now.start:
            if cursor.with_id is None or cursor.without_id is None:
                continue  # an operator of an earlier version has looked last
            with_id += max(0, now.with_id - cursor.with_id)
            without_id += max(0, now.without_id - cursor.without_id)
        else:
            with_id, without_id = with_id + now.with_id, without_id + now.without_id
    found = Identified(with_id=with_id, without_id=without_id)
    notable = known.notable or (with_id + without_id >= LEAST and share(found) > NOTABLE)
    return found.model_copy(update={"notable": notable})


def share(seen: Identified) -> float:
    """Return the share of the requests that do not say whose they are."""
    return seen.without_id / max(1, seen.with_id + seen.without_id)


def said(spec: ModelDeploymentSpec, rollout: Rollout | None) -> str:
    """Say how many requests do not say whose they are; nothing while they are few."""
    seen = rollout.evidence.identified if rollout else None
    if seen is None or not seen.notable:
        return ""
    sticky = spec.traffic.sticky if spec.traffic else None
    place = (sticky.header or f"cookie {sticky.cookie}") if sticky else "id"
    return (
        f"{_percent(share(seen))} of the requests carry no {place}: each is drawn anew, and counts as a user of its own"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
