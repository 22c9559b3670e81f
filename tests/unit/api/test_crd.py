"""The schema: what an API server demands of a structural one, and what people are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from sluice.api.base import DURATION_PATTERN, ApiModel
from sluice.api.crd import custom_resource_definition, root_schema, to_yaml
from sluice.api.spec import ModelDeploymentSpec, parse_spec
from sluice.api.status import ModelDeploymentStatus
from sluice.api.structural import KEPT, structural, without_nulls

SMALLEST = {"model": {"uri": "models:/penguins@champion"}, "traffic": {"gateway": {"name": "public"}}}
TYPES = {"object", "array", "string", "integer", "number", "boolean"}


def schemas(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from schemas(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from schemas(schema[key], f"{path}[]")


def is_duration(schema: dict[str, Any]) -> bool:
    return any(DURATION_PATTERN in rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))


ALL = dict(schemas(root_schema()))


@pytest.mark.parametrize("path", ALL)
def test_it_is_structural(path: str) -> None:
    schema = ALL[path]
    extensions = {key for key in schema if key.startswith("x-kubernetes-")}
    places = {"properties", "items", "additionalProperties", "default", "exclusiveMinimum", "exclusiveMaximum"}
    assert set(schema) <= KEPT | extensions | places
    assert schema.get("type") in TYPES or schema.get("x-kubernetes-int-or-string") is True
    assert ("items" in schema) == (schema.get("type") == "array")
    assert not {"properties", "additionalProperties"} <= set(schema)
    for bound in ("Minimum", "Maximum"):
        assert schema.get(f"exclusive{bound}", True) is True
        assert f"exclusive{bound}" not in schema or bound.lower() in schema
    assert set(schema.get("required", ())) <= set(schema.get("properties", ()))


@pytest.mark.parametrize("path", [p for p in ALL if p.startswith(".spec")])
def test_every_default_is_complete_and_allowed(path: str) -> None:
    def fits(schema: dict[str, Any], value: Any) -> bool:
        if isinstance(value, dict):
            inner = schema.get("properties", {})
            free = schema.get("additionalProperties")
            return all(free or fits(inner[key], item) for key, item in value.items()) and set(
                schema.get("required", ())
            ) <= set(value)
        if isinstance(value, list):
            return all(fits(schema["items"], item) for item in value)
        return value is not None and value in schema.get("enum", [value])

    schema = ALL[path]
    if "default" in schema:
        assert fits(schema, schema["default"])


@pytest.mark.parametrize("path", [p for p, schema in ALL.items() if is_duration(schema) and "default" in schema])
def test_the_default_of_a_time_is_written_as_people_write_it(path: str) -> None:
    assert re.fullmatch(DURATION_PATTERN, ALL[path]["default"])


@pytest.mark.parametrize(
    "rule",
    [rule for schema in ALL.values() for rule in schema.get("x-kubernetes-validations", ())],
    ids=lambda rule: rule["rule"],
)
def test_every_rule_answers_with_a_sentence(rule: dict[str, str]) -> None:
    message = rule["message"]
    assert len(message.split()) >= 5
    assert re.match(r"[a-z]", message), "it follows a path and a colon"
    assert not message.endswith(".")
    assert re.search(r"\b(write|use|set|name|remove|order|change|shorten|raise|must)\b", message), "says what to do"


def test_the_status_has_no_defaults() -> None:
    assert [path for path, schema in ALL.items() if path.startswith(".status") and "default" in schema] == []


def test_replicas_have_no_default() -> None:
    assert "default" not in ALL[".spec.replicas"]


def test_the_defaults_of_the_schema_are_those_of_the_models() -> None:
    spec = parse_spec(SMALLEST)
    written = without_nulls(spec.to_kubernetes())
    for name, schema in ALL[".spec"]["properties"].items():
        if "default" in schema:
            assert schema["default"] == written[name]
    assert parse_spec(written) == spec


def test_every_field_of_the_models_is_in_the_schema() -> None:
    for path, model in ((".spec", ModelDeploymentSpec), (".status", ModelDeploymentStatus)):
        assert set(ALL[path]["properties"]) == {field.alias for field in model.model_fields.values()}


def test_every_column_shows_a_field_of_the_schema() -> None:
    for column in custom_resource_definition()["spec"]["versions"][0]["additionalPrinterColumns"]:
        if not column["jsonPath"].startswith(".metadata"):
            assert column["jsonPath"] in ALL


def test_the_paths_of_scale_are_in_the_schema() -> None:
    scale = custom_resource_definition()["spec"]["versions"][0]["subresources"]["scale"]
    assert set(scale.values()) <= set(ALL)


def test_two_runs_write_the_same() -> None:
    assert to_yaml(custom_resource_definition()) == to_yaml(custom_resource_definition())


class Odd(ApiModel):
    """Has what the project's models do not have, or not everywhere."""

    kind: Annotated[str, Field(json_schema_extra={"const": "a"})] = "a"
    at_most: float = Field(default=0.5, gt=0, lt=1)
    pair: list[int] | None = None
    free: dict[str, list[int]] = Field(default_factory=lambda: {"a": [1]})


def test_what_json_schema_says_differently_is_translated() -> None:
    assert structural(Odd, defaults=True)["properties"] == {
        "kind": {"type": "string", "enum": ["a"], "default": "a"},
        "atMost": {
            "type": "number",
            "minimum": 0,
            "exclusiveMinimum": True,
            "maximum": 1,
            "exclusiveMaximum": True,
            "default": 0.5,
        },
        "pair": {"type": "array", "items": {"type": "integer", "format": "int64"}},
        "free": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "integer", "format": "int64"}},
            "default": {"a": [1]},
        },
    }


class Union(BaseModel):
    """Cannot be said."""

    field: int | str


class Multiple(BaseModel):
    """Could be said, but nobody has needed it: refused instead of lost."""

    field: int = Field(multiple_of=3)


class Tuple(BaseModel):
    """Cannot be said."""

    field: tuple[int, str]


@pytest.mark.parametrize("model", [Union, Multiple, Tuple])
def test_what_cannot_be_said_is_refused(model: type[BaseModel]) -> None:
    with pytest.raises(ValueError, match="a structural schema"):
        structural(model, defaults=True)


def test_rules_of_a_class_and_of_a_field_are_both_kept() -> None:
    steps = ALL[".spec.strategy.canary.steps"]
    assert len(steps["x-kubernetes-validations"]) == 4
    assert len(ALL[".spec.traffic.sticky"]["x-kubernetes-validations"]) == 3
    assert len(ALL[".spec.traffic.sticky.header"]["x-kubernetes-validations"]) == 1
