"""What all API models share."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

GROUP = "sluice.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"

# The digits are limited so that no duration overflows, neither here nor in the int64 nanoseconds of Kubernetes.
DURATION_PATTERN = r"^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$"


class ApiModel(BaseModel):
    """An immutable part of the API; Python names are snake_case, Kubernetes names camelCase."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    def to_kubernetes(self) -> dict[str, Any]:
        """Return the JSON form, without the fields that say nothing."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class NotBuiltYet(ApiModel):
    """A place kept free in the API; a rule beside it refuses it with a sentence."""

    model_config = ApiModel.model_config | {"json_schema_extra": {"x-kubernetes-preserve-unknown-fields": True}}


# What the statistics store is theirs: an empty list in there may mean something.
_OPAQUE = ("state", "sampleRatio")


def without_empty(value: dict[str, Any]) -> dict[str, Any]:
    """Leave out empty lists and maps, at every depth."""
    filled: dict[str, Any] = _filled(value)
    return filled


def _filled(value: Any) -> Any:
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    pairs = {key: item if key in _OPAQUE else _filled(item) for key, item in value.items()}
    return {key: item for key, item in pairs.items() if item not in ({}, [])}


def cel(rule: str, message: str) -> dict[str, str]:
    """Return one CEL rule of the schema; the message says what to write instead."""
    return {"rule": rule, "message": message}


def validations(*rules: dict[str, str]) -> dict[str, Any]:
    """Return the schema extension that carries CEL rules."""
    return {"x-kubernetes-validations": list(rules)}


def matching(pattern: str, message: str, **limits: Any) -> Any:
    """Return a field whose text must match; for people a sentence takes the place of the regular expression.

    Args:
        pattern: the whole text must match it; without quotes, and in the common part of Python's syntax and RE2's.
        message: what to write instead.
        limits: further arguments of `Field`; `max_length` bounds the cost of the rule.
    """
    rule = cel(f"self.matches(r'{pattern}')", message)

    def sentence(schema: dict[str, Any]) -> None:
        schema.pop("pattern", None)
        schema.update(validations(rule))

    return Field(pattern=pattern, json_schema_extra=sentence, **limits)


def parse_duration(text: object) -> object:
    """Turn `1h30m`, `10m` or `45s` into a timedelta.

    Raises:
        ValueError: the text is not of that form.
    """
    if not isinstance(text, str):
        return text
    found = re.fullmatch(DURATION_PATTERN, text)
    if not found or not text:
        raise ValueError(f"{text!r} is not a duration: write for example 45s, 10m or 1h30m")
    hours, minutes, seconds = (int((part or "0x")[:-1]) for part in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Write a timedelta as `1h30m`; the inverse of `parse_duration` for whole seconds."""
    total = int(value.total_seconds())
    parts = ((total // 3600, "h"), (total % 3600 // 60, "m"), (total % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {"type": "string", "maxLength": 20}
        | validations(
            cel(
                f"self != '' && self.matches(r'{DURATION_PATTERN}')",
                "this is not a duration: write for example 45s, 10m or 1h30m",
            )
        )
    ),
]

# Kubernetes writes times in whole seconds, UTC; ours need milliseconds, which RFC 3339 allows.
Time = Annotated[
    AwareDatetime,
    PlainSerializer(lambda t: t.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

Name = Annotated[
    str,
    matching(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "this is not the name of a Kubernetes object: use lower-case letters, digits, '-' and '.'",
        max_length=253,
    ),
]
