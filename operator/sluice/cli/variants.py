"""The versions of an A/B test with variants, beside the one that the rollout is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.cli import words

Object = Mapping[str, Any]


@dataclass(frozen=True)
class VariantView:
    """A further version of an A/B test, and how it compares with stable; `dropped` says why it is no more in it."""

    name: str
    version: str
    dropped: str
    statement: str
    harm: float | None
    safe: float | None


def further(rollout: Object) -> tuple[Object, ...]:
    """Return the further versions of an A/B test that are still in it."""
    mine = rollout["revision"]["name"]
    return tuple(
        one for one in rollout.get("variants") or () if not one.get("dropped") and one["revision"]["name"] != mine
    )


def name_in_test(rollout: Object) -> str:
    """Return by what name an A/B test with variants knows its candidate; empty in other rollouts."""
    mine = rollout["revision"]["name"]
    return next((one["name"] for one in rollout.get("variants") or () if one["revision"]["name"] == mine), "")


def variant_views(rollout: Object) -> tuple[VariantView, ...]:
    """Return what there is to see of each, those included that were dropped."""
    mine = rollout["revision"]["name"]
    return tuple(_variant(one) for one in rollout.get("variants") or () if one["revision"]["name"] != mine)


def _variant(one: Object) -> VariantView:
    seen = one.get("evidence") or {}
    dropped = f"{one['dropped']}: {one.get('message', '')}" if one.get("dropped") else ""
    statement = (seen.get("test") or {}).get("statement") or ""
    version = words.version(one["revision"])
    return VariantView(one["name"], version, dropped, statement, seen.get("harm"), seen.get("safe"))
