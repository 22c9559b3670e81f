"""Every bound, enumeration, required field and type of the schema, found in the schema and tried on both sides."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest
from sluice.api.crd import root_schema

pytestmark = pytest.mark.integration

Path = tuple[str | int, ...]

# An object in which every field that a user may set is set: the walk below finds them all in it.
FULL: dict[str, Any] = {
    "apiVersion": "sluice.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "penguins"},
    "spec": {
        "model": {"uri": "models:/penguins/7", "digest": "sha256:" + "0a" * 32, "promotedAlias": "champion"},
        "server": {
            "image": "server",
            "workers": 2,
            "threads": 2,
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
            "trustPickle": False,
            "envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "s3"}}],
            "serviceAccountName": "models",
        },
        "replicas": 3,
        "autoscaling": {
            "minReplicas": 1,
            "maxReplicas": 1000,
            "targetCPUUtilizationPercentage": 70,
            "scaleDownStabilizationSeconds": 300,
        },
        "traffic": {
            "gateway": {"name": "public", "namespace": "infra"},
            "hostnames": ["models.example.org"],
            "pathPrefix": "/penguins",
        },
        "strategy": {
            "canary": {
                "match": [
                    {"header": {"name": "x-group", "value": "early"}},
                    {"cookie": {"name": "group", "value": "beta"}},
                ],
                "matchMaxErrorRate": 0.1,
                "steps": [
                    {
                        "mirror": {
                            "percent": 20,
                            "sample": 50,
                            "duration": "10m",
                            "maxErrorRate": 0.01,
                            "maxDisagreement": 0.05,
                            "minPairs": 300,
                        }
                    },
                    {"setWeight": 10},
                    {"analysis": {"marginAbsolute": 0.02, "marginRatio": 1.2, "minRequests": 50}},
                    {"pause": {"duration": "10m"}},  # as often as there is room for steps
                ],
            }
        },
        "gates": {
            "signature": {},
            "goldenSet": {
                "minAccuracy": 0.9,
                "maxMeanAbsoluteError": 250.5,
                "notWorseThanStable": {"marginAbsolute": 0.02},
                "rowsOf": "Stable",
                "maxRows": 100,
            },
            "hooks": [
                {"name": "smoke", "http": {"url": "https://ci.example.org/gate", "timeout": "5s"}},
                {"name": "fairness", "job": {"template": {"spec": {"containers": [{"name": "test", "image": "t:1"}]}}}},
            ],
        },
        "analysis": {
            "alpha": {"harm": 0.05, "safe": 0.05},
            "minRequests": 100,
            "onInconclusive": "Pause",
            "metrics": [
                {"name": "errors", "errorRate": {"marginRatio": 1.25, "marginAbsolute": 0.005}},
                {"name": "latency", "latency": {"marginRatio": 1.2, "marginAbsolute": 0.02}},
            ],
        },
        "paused": False,
        "progressDeadlineSeconds": 600,
        "scaleDownDelaySeconds": 30,
        "revisionHistoryLimit": 5,
    },
}
# A rule refuses these with a sentence whatever is in them; what `sticky` may be is tried in test_crd.py too.
NOT_BUILT = {"blueGreen", "shadow", "abTest", "recreate", "accuracy", "prometheus", "sticky"}
# Rules refuse the first beside the second: those are left out, unless one of them is tried.
RIVALS: tuple[tuple[tuple[Path, ...], Path], ...] = (
    ((("autoscaling",),), ("replicas",)),
    (
        (("strategy", "canary", "match"), ("strategy", "canary", "matchMaxErrorRate")),
        ("strategy", "canary", "steps", 0),
    ),
    ((("gates", "goldenSet", "maxMeanAbsoluteError"),), ("gates", "goldenSet", "minAccuracy")),
)
# The longest text that is a duration is shorter than the limit.
LONGEST = {"duration": "9999h99999m999999s", "timeout": "0000h00000m000060s"}
WRONG_TYPE = {"string": 7, "integer": "7", "number": "7", "boolean": "true", "array": {}, "object": []}
WORDS = {
    "minimum": "should be greater than",
    "maximum": "should be less than",
    "maxLength": "Too long",
    "minLength": "should be at least",
    "maxItems": "Too many",
    "minItems": "should have at least",
    "maxProperties": "Too many",
    "enum": "Unsupported value",
    "required": "Required value",
    "type": "Invalid value",
}


def walk(schema: dict[str, Any], value: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any], Any]]:
    yield path, schema, value
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            yield from walk(inner, value[name], (*path, name))
    for index, item in enumerate(value if "items" in schema else ()):
        yield from walk(schema["items"], item, (*path, index))


def grown(value: Any, size: int) -> Any:
    """Return a text, list or map of that size, made of what is in it."""
    if isinstance(value, str):
        return value[:size] + value[-1] * (size - len(value))
    if isinstance(value, list):
        more = value[-1:] * (size - len(value))
        named = [item | {"name": f"x{i}"} if isinstance(item, dict) and "name" in item else item
                 for i, item in enumerate(more)]  # fmt: skip
        return value[:size] + named
    keys = [*value, *(f"example.org/x{i}" for i in range(size))]
    return dict.fromkeys(keys[:size], "1")


def bounds(schema: dict[str, Any], value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield keyword, a value that is just refused and one that is just accepted."""
    little = 1 if schema.get("type") == "integer" else 1e-6
    for keyword, outwards in (("minimum", -little), ("maximum", little)):
        if keyword in schema:
            bound = schema[keyword]
            exclusive = schema.get(f"exclusive{keyword.capitalize()}")
            yield (keyword, bound, bound - outwards) if exclusive else (keyword, bound + outwards, bound)
    for keyword in ("maxLength", "maxItems", "maxProperties"):
        if keyword in schema:
            yield keyword, grown(value, schema[keyword] + 1), grown(value, schema[keyword])
    for keyword in ("minLength", "minItems"):
        if keyword in schema:
            yield keyword, grown(value, schema[keyword] - 1), grown(value, schema[keyword])
    if "enum" in schema:
        yield "enum", "Nonsense", value
    if "type" in schema:
        yield "type", WRONG_TYPE[schema["type"]], value
    for name in schema.get("required", ()):
        yield "required", {k: v for k, v in value.items() if k != name}, value


def with_value(path: Path, value: Any) -> dict[str, Any]:
    result = copy.deepcopy(FULL)
    *parents, last = ("spec", *path)
    place: Any = result
    for part in parents:
        place = place[part]
    place[last] = copy.deepcopy(value)
    for some, other in RIVALS:
        tried = any(path[: len(one)] == one for one in some)
        for left_out in (other,) if tried else some:
            without(result["spec"], left_out)
    return result


def without(place: Any, path: Path) -> None:
    """Take out what is at a path, as far as there is such a place."""
    with contextlib.suppress(KeyError, IndexError, TypeError):
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]


SPEC = root_schema()["properties"]["spec"]
FIELDS = list(walk(SPEC, FULL["spec"]))
CASES = {
    f"{'.'.join(map(str, path)) or 'spec'}-{keyword}": (keyword, path, bad, good)
    for path, schema, value in FIELDS
    for keyword, bad, good in bounds(schema, value)
}


@pytest.mark.parametrize("case", CASES)
def test_just_outside_is_refused(case: str, server: Any, objects: str) -> None:
    keyword, path, bad, _ = CASES[case]
    answer = server.call("POST", objects, with_value(path, bad), dryRun="All")
    assert answer.status == 422, answer
    assert WORDS[keyword] in answer.message


@pytest.mark.parametrize("case", CASES)
def test_just_inside_is_accepted(case: str, server: Any, objects: str) -> None:
    keyword, path, _, good = CASES[case]
    if keyword == "maxLength":
        good = LONGEST.get(str(path[-1]), good)
    answer = server.call("POST", objects, with_value(path, good), dryRun="All", fieldValidation="Strict")
    assert answer.ok, answer.message


def test_no_field_is_left_out() -> None:
    def names(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, inner in schema.get("properties", {}).items():
            if name not in NOT_BUILT:
                yield (*path, name)
                yield from names(inner, (*path, name))
        if "items" in schema:
            yield from names(schema["items"], path)

    tried = {tuple(part for part in path if isinstance(part, str)) for path, _, _ in FIELDS}
    assert set(names(SPEC)) - tried == set()
