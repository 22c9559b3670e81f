"""What is measured, and the gates."""

from __future__ import annotations

from typing import Any

from tests.integration.crd.objects import JOB, changed, gates, header, hooks, metric, metrics
from tests.integration.crd.sentences import (
    AN_ERROR_RATE,
    HOOK_NAME,
    HOOK_TIMEOUT,
    HOOK_URL,
    METRICS,
    NO_GATE,
    ONE_FIGURE,
    ONE_HOOK,
    ONE_KIND,
)

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "metric without kind": (metric(), ONE_KIND),
    "metric of two kinds": (metric(errorRate={}, latency={}), ONE_KIND),
    "metric latency alone": (metric(latency={}), AN_ERROR_RATE),
    "two metrics with one name": (
        metrics({"name": "a", "errorRate": {}}, {"name": "a", "latency": {}}),
        "Duplicate value",
    ),
    "metric accuracy": (metric(accuracy={}), METRICS),
    "metric prometheus": (metric(errorRate={}, prometheus={"query": "up"}), METRICS),
    "metric name": (metric(name="Error Rate", errorRate={}), "the name of a metric has lower-case letters"),
    "gates of nothing": (gates(), NO_GATE),
    "gates without a hook": (gates(hooks=[]), NO_GATE),
    "gates of a recreate": (
        changed(strategy={"recreate": {}}, gates={"signature": {}}),
        "a recreate runs no version beside the one that serves, so nothing can be asked before its first request: "
        "remove gates",
    ),
    "golden set without a figure": (gates(goldenSet={}), ONE_FIGURE),
    "golden set with both figures": (gates(goldenSet={"minAccuracy": 0.9, "maxMeanAbsoluteError": 1}), ONE_FIGURE),
    "hook of nothing": (hooks({}), ONE_HOOK),
    "hook of both": (hooks({"http": {"url": "http://ci/gate"}, "job": JOB}), ONE_HOOK),
    "hook in capitals": (hooks({"name": "Smoke", "job": JOB}), HOOK_NAME),
    "hook with the name of a gate": (hooks({"name": "signature", "job": JOB}), "a hook must not be signature"),
    "two hooks with one name": (hooks({"name": "a", "job": JOB}, {"name": "a", "job": JOB}), "Duplicate value"),
    **{
        f"hook at {url}": (hooks({"http": {"url": url}}), HOOK_URL)
        for url in ("ci.example.org", "ftp://ci/gate", "https://me:pw@ci.example.org/gate", "https://", "http://a b/")
    },
    **{
        f"hook that may take {time}": (hooks({"http": {"url": "http://ci", "timeout": time}}), HOOK_TIMEOUT)
        for time in ("0s", "61s", "1m1s", "1h")
    },
    "job without containers": (hooks({"job": {"template": {"spec": {"containers": []}}}}), "at least 1 items"),
    "job without an image": (
        hooks({"job": {"template": {"spec": {"containers": [{"name": "test"}]}}}}),
        "image: Required value",
    ),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "signature": gates(signature={}),
    "golden set for numbers": gates(goldenSet={"maxMeanAbsoluteError": 250.5, "notWorseThanStable": {}}),
    "hooks": hooks(
        {"http": {"url": "https://ci.example.org:8443/gate?of=penguins", "timeout": "1m"}},
        {"http": {"url": "http://ci"}},
        {"job": JOB},
    ),
    "gates of blueGreen": changed(
        strategy={"blueGreen": {}}, gates={"signature": {}, "hooks": [{"name": "a", "job": JOB}]}
    ),
    "gates of a shadow": changed(strategy={"shadow": {"then": "Hold"}}, gates={"signature": {}}),
    "gates before early adopters": changed(
        strategy={"canary": {"match": [header("x-group")]}}, gates={"signature": {}}
    ),
    "gates before copies": changed(
        strategy={"canary": {"steps": [{"mirror": {}}, {"setWeight": 10}]}}, gates={"signature": {}}
    ),
    "errors and latency": metrics({"name": "errors", "errorRate": {}}, {"name": "latency", "latency": {}}),
    "two of a kind": metrics(
        {"name": "errors", "errorRate": {}},
        {"name": "body", "latency": {"marginRatio": 1.1, "marginAbsolute": 0.1}},
        {"name": "tail", "latency": {"marginRatio": 2, "marginAbsolute": 0.005}},
    ),
}
