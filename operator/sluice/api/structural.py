"""Models to *structural* schemas, the form of OpenAPI v3 that an API server takes.

pydantic writes JSON Schema 2020-12. A structural schema has no references, no unions, no null and no `const`, and its
`exclusiveMinimum` is a boolean beside `minimum`. The rewrite knows exactly the keywords that it can translate and
refuses all others, so that no constraint of a model is lost on its way to the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

Schema = dict[str, Any]

KEPT = frozenset(
    {"type", "format", "description", "enum", "required", "pattern", "minLength", "maxLength", "minimum", "maximum"}
    | {"minItems", "maxItems", "minProperties", "maxProperties"}
)
DROPPED = frozenset({"title", "$ref", "anyOf", "default", "const", "exclusiveMinimum", "exclusiveMaximum"})
NESTED = frozenset({"properties", "items", "additionalProperties"})


def structural(model: type[BaseModel], *, defaults: bool) -> Schema:
    """Return a model's structural schema.

    Args:
        model: the model.
        defaults: whether the API server fills in defaults; it must not in a status, which says only what was observed.

    Raises:
        ValueError: the model uses something that a structural schema cannot say.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_WithFactories)
    return _Rewrite(raw.get("$defs", {}), defaults).schema({k: v for k, v in raw.items() if k != "$defs"})


def without_nulls(value: Any) -> Any:
    """Leave out the fields that say nothing; an API server refuses null in a default."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(item) for item in value]
    return value


class _WithFactories(GenerateJsonSchema):
    """Shows what default factories make: a value that applies when a field is left out must be seen in the object."""

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        if "default_factory" in schema and not schema.get("default_factory_takes_data"):
            return schema["default_factory"]()  # type: ignore[call-arg]
        return super().get_default_value(schema)


class _Rewrite:
    def __init__(self, definitions: Mapping[str, Schema], defaults: bool) -> None:
        self.definitions = definitions
        self.defaults = defaults

    def schema(self, raw: Mapping[str, Any]) -> Schema:
        flat = self.flat(raw)
        if unknown := {key for key in flat if not key.startswith("x-kubernetes-")} - KEPT - DROPPED - NESTED:
            raise ValueError(f"a structural schema cannot say {', '.join(sorted(unknown))}, found in {flat!r}")
        result = {key: value for key, value in flat.items() if key not in DROPPED | NESTED}
        return result | self.nested(flat) | self.translated(flat)

    def flat(self, raw: Mapping[str, Any]) -> Schema:
        """Resolve a reference and an optional field; what stands beside them is nearer to the field, so it wins."""
        own = {key: value for key, value in raw.items() if key not in ("$ref", "anyOf")}
        if "$ref" in raw:
            target = self.flat(self.definitions[raw["$ref"].removeprefix("#/$defs/")])
        elif "anyOf" in raw:
            choices = [choice for choice in raw["anyOf"] if choice != {"type": "null"}]
            if len(choices) != 1:
                raise ValueError(f"a structural schema has no unions, found {raw['anyOf']!r}")
            target = self.flat(choices[0])
        else:
            return own
        rules = [*target.get("x-kubernetes-validations", ()), *own.get("x-kubernetes-validations", ())]
        return target | own | ({"x-kubernetes-validations": rules} if rules else {})

    def nested(self, flat: Schema) -> Schema:
        result: Schema = {}
        if properties := flat.get("properties"):
            result["properties"] = {name: self.schema(schema) for name, schema in properties.items()}
        for key in ("items", "additionalProperties"):
            # True and false have no place here: an API server prunes what it does not know.
            if isinstance(flat.get(key), Mapping):
                result[key] = self.schema(flat[key])
        return result

    def translated(self, flat: Schema) -> Schema:
        result: Schema = {}
        if "const" in flat:
            result["enum"] = [flat["const"]]
        for bound in ("Minimum", "Maximum"):
            if f"exclusive{bound}" in flat:
                result |= {bound.lower(): flat[f"exclusive{bound}"], f"exclusive{bound}": True}
        if flat.get("type") == "integer":
            result["format"] = "int64"
        if self.defaults and flat.get("default") is not None:
            result["default"] = without_nulls(flat["default"])
        return result
