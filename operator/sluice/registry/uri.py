"""The two forms in which a user names a model of the registry."""

from __future__ import annotations

import re
from dataclasses import dataclass

# 18 digits fit every database; MLflow answers 500 to a number that does not.
_FORM = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[1-9][0-9]{0,17}))")


@dataclass(frozen=True)
class ModelUri:
    """A name with either an alias, which may move, or a version, which stays."""

    name: str
    alias: str | None = None
    version: str | None = None


def parse(uri: str) -> ModelUri:
    """Read `models:/NAME@ALIAS` or `models:/NAME/VERSION`; nothing in it is decoded, as in MLflow.

    Raises:
        ValueError: it has neither form; the message says what to write.
    """
    found = _FORM.fullmatch(uri)
    if not found:
        raise ValueError(
            f"{uri!r} names no model: write models:/NAME@ALIAS or models:/NAME/VERSION, "
            "for example models:/penguins@champion or models:/penguins/7"
        )
    return ModelUri(**found.groupdict())
