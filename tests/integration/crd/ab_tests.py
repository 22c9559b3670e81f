"""A/B tests."""

from __future__ import annotations

from typing import Any

from tests.integration.crd.objects import ab_test, changed, variants
from tests.integration.crd.sentences import DURATION, LONGER, NO_TIME, NOBODY_LEFT, OUTCOME, STORE, VARIANT_NAME

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "test of nothing": (changed(strategy={"abTest": {}}), "abTest.primary: Required value"),
    "test of no metric": (changed(strategy={"abTest": {"primary": {}}}), "primary.metric: Required value"),
    "test of a metric in words": (ab_test(primary={"metric": "Conversion rate"}), OUTCOME),
    "test of a metric without a name": (ab_test(primary={"metric": ""}), OUTCOME),
    "test of a long metric": (ab_test(primary={"metric": "m" * 64}), "Too long"),
    "test of an odd direction": (ab_test(primary={"metric": "m", "direction": "Up"}), "Unsupported value"),
    "test of an odd aggregate": (ab_test(primary={"metric": "m", "aggregate": "Median"}), "Unsupported value"),
    "test with an odd window": (ab_test(primary={"metric": "m", "window": "soon"}), DURATION),
    "test of nobody": (ab_test(weight=0), "greater than or equal to 1"),
    "test of everybody": (ab_test(weight=100), "less than or equal to 99"),
    "test of too few": (ab_test(minUnits=19), "greater than or equal to 20"),
    "test of too many": (ab_test(minUnits=10_000_001), "less than or equal to 10000000"),
    "test without a least time": (ab_test(minDuration=""), DURATION),
    "test with an odd end": (ab_test(maxDuration="14d"), DURATION),
    "test that must last as long as it may": (ab_test(minDuration="60m", maxDuration="1h"), LONGER),
    "test that must last longer than it may by default": (ab_test(minDuration="337h"), LONGER),
    "test that is over before anybody counts": (
        ab_test(minDuration="1m", maxDuration="10m"),
        "nobody counts before primary.window has passed: raise maxDuration above it",
    ),
    "test with a window of nothing": (ab_test(primary={"metric": "m", "window": "0s"}), NO_TIME),
    "test with a window of nothing in minutes": (ab_test(primary={"metric": "m", "window": "0h0m"}), NO_TIME),
    "test with a window that the collector does not keep": (
        ab_test(primary={"metric": "m", "window": "1081h"}, maxDuration="2000h"),
        "the collector keeps nothing for longer: shorten primary.window to 1080h (45 days)",
    ),
    "variant without a model": (
        ab_test(variants=[{"name": "large", "weight": 10}]),
        "variants[0].model: Required value",
    ),
    "variant without a name": (ab_test(variants=[{"model": {"uri": "models:/a/1"}, "weight": 10}]), "name: Required"),
    "variant with an odd name": (variants({"name": "Large"}), "the name of a variant has lower-case letters"),
    "variant that is called as what serves": (variants({"name": "stable"}), VARIANT_NAME),
    "variant that is called as the candidate": (variants({"name": "candidate"}), VARIANT_NAME),
    "variants of one name": (variants({"name": "large"}, {"name": "large"}), "Duplicate value"),
    "variant of no URI": (variants({"model": {"uri": "penguins"}}), STORE),
    "variant of a store without a digest": (
        variants({"model": {"uri": "s3://bucket/penguins"}}),
        "a store can change what it holds",
    ),
    "variant for nobody": (variants({"weight": 0}), "greater than or equal to 1"),
    "five variants": (variants(*[{}] * 5), "Too many"),
    "variants that leave nobody to stable": (variants({"weight": 25}, {"weight": 25}, weight=50), NOBODY_LEFT),
    "variants that leave nobody by the default": (variants({"weight": 50}), NOBODY_LEFT),
    "gates of several versions": (
        changed(
            strategy={
                "abTest": {
                    "primary": {"metric": "conversion"},
                    "variants": [{"name": "large", "model": {"uri": "models:/a/1"}, "weight": 10}],
                }
            },
            gates={"signature": {}},
        ),
        "gates judge one version before its first request, and here several begin together",
    ),
    "test with an odd winner": (ab_test(onWinner="Maybe"), "Unsupported value"),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "abTest": ab_test(),
    "all of abTest": ab_test(
        weight=99,
        primary={"metric": "a.b_c-9", "direction": "Decrease", "aggregate": "Mean", "window": "1h30m"},
        minUnits=20,
        minDuration="45s",
        maxDuration="1h31m",
        onWinner="Hold",
    ),
    "abTest with variants": variants({}, {}, weight=79),
    "abTest with as many variants as there may be": variants({}, {}, {}, {"model": {"uri": "runs:/abc/m"}}),
    "abTest without variants": ab_test(variants=[]),
    "gates without variants": changed(
        strategy={"abTest": {"primary": {"metric": "conversion"}, "variants": []}}, gates={"signature": {}}
    ),
    "abTest with the shortest window": ab_test(primary={"metric": "m", "window": "1s"}),
    "gates of an abTest": changed(strategy={"abTest": {"primary": {"metric": "conversion"}}}, gates={"signature": {}}),
}
