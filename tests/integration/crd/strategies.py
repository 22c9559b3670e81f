"""How a version takes over, but for A/B tests."""

from __future__ import annotations

from typing import Any

from tests.integration.crd.objects import blue_green, canary, changed, cookie, header, own_margins, shadow, steps
from tests.integration.crd.sentences import (
    AFTER_MATCH,
    ALL_COOKIES,
    COOKIE_NAME,
    COOKIE_VALUE,
    DURATION,
    FIRST,
    HEADER_NAME,
    HEADER_VALUE,
    HOST,
    MARGINS,
    NO_MATCH,
    ONE_MATCH,
    ONE_STEP,
    ONE_STRATEGY,
    PREFIX,
    PREVIEW,
    RESERVED,
    RISE,
    SAME_ADDRESS,
)

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no strategy inside": (changed(strategy={}), ONE_STRATEGY),
    "two strategies": (changed(strategy={"canary": {}, "blueGreen": {}}), ONE_STRATEGY),
    "preview nowhere": (blue_green(preview={}), PREVIEW),
    "preview on no hosts": (blue_green(preview={"hostnames": []}), PREVIEW),
    "preview where the traffic is": (blue_green(preview={"pathPrefix": "/"}), SAME_ADDRESS),
    "preview where the traffic is, but for a slash": (
        changed(traffic__pathPrefix="/penguins", strategy={"blueGreen": {"preview": {"pathPrefix": "/penguins/"}}}),
        SAME_ADDRESS,
    ),
    "preview on a host of the traffic": (
        changed(
            traffic__hostnames=["a.example.org", "b.example.org"],
            strategy={"blueGreen": {"preview": {"hostnames": ["c.example.org", "b.example.org"]}}},
        ),
        SAME_ADDRESS,
    ),
    "preview without slash": (blue_green(preview={"pathPrefix": "new"}), PREFIX),
    "preview on a host with scheme": (blue_green(preview={"hostnames": ["https://a.example"]}), HOST),
    "no pods to preview": (blue_green(previewReplicas=0), "greater than or equal to 1"),
    "too many pods to preview": (blue_green(previewReplicas=1001), "less than or equal to 1000"),
    "odd pause before the switch": (blue_green(pause={"duration": "soon"}), DURATION),
    "no errors at all": (blue_green(verify={"maxErrorRate": 0}), "greater than 0"),
    "all errors": (blue_green(verify={"maxErrorRate": 1}), "less than 1"),
    "verified by nobody": (blue_green(verify={"minRequests": 0}), "greater than or equal to 1"),
    "verified by too many": (blue_green(verify={"minRequests": 10_000_001}), "less than or equal to 10000000"),
    "eleven margins": (steps({"setWeight": 5}, *own_margins(11)), MARGINS),
    "weights that fall": (steps({"setWeight": 50}, {"setWeight": 10}), RISE),
    "weights that fall later": (steps({"setWeight": 5}, {"setWeight": 50}, {"analysis": {}}, {"setWeight": 20}), RISE),
    "pause first": (steps({"pause": {"duration": "1m"}}, {"setWeight": 10}), FIRST),
    "analysis first": (steps({"analysis": {}}, {"setWeight": 10}), FIRST),
    "match with pauses alone": (canary(header("x-group"), steps=[{"pause": {}}]), AFTER_MATCH),
    "match with two pauses": (
        canary(header("x-group"), steps=[{"pause": {}}, {"pause": {}}, {"setWeight": 5}]),
        AFTER_MATCH,
    ),
    "match with an analysis first": (canary(header("x-group"), steps=[{"analysis": {}}]), AFTER_MATCH),
    "match of nothing": (canary({}), ONE_MATCH),
    "match of both": (canary(header("x-group") | cookie("group")), ONE_MATCH),
    "match of nobody": (canary(), "should have at least 1 items"),
    "nine matches": (canary(*[header(f"x-{n}") for n in range(9)]), "Too many: 9: must have at most 8 items"),
    "header without a value": (canary({"header": {"name": "x-group"}}), "header.value: Required value"),
    "header with a colon": (canary(header(":path")), HEADER_NAME),
    "header with two lines": (canary(header("x-group", "a\nb")), HEADER_VALUE),
    "header with a space at its end": (canary(header("x-group", "beta ")), HEADER_VALUE),
    "all cookies": (canary(header("Cookie", "group=beta")), ALL_COOKIES),
    "host": (canary(header("Host", "a.example.org")), RESERVED),
    "header of ours": (canary(header("X-Sluice-Assignment", "random")), RESERVED),
    "cookie with a space": (canary(cookie("my group")), COOKIE_NAME),
    "cookie with two values": (canary(cookie("group", "a; b=c")), COOKIE_VALUE),
    "cookie in quotes": (canary(cookie("group", '"beta"')), COOKIE_VALUE),
    "limit of nobody's errors": (changed(strategy={"canary": {"matchMaxErrorRate": 0.1}}), NO_MATCH),
    "step with two fields": (steps({"setWeight": 10, "analysis": {}}), ONE_STEP),
    "empty step": (steps({"setWeight": 10}, {}), ONE_STEP),
    "mirror after a weight": (steps({"setWeight": 10}, {"mirror": {"percent": 20}}), "mirror steps must come before"),
    "pause after a mirror": (steps({"mirror": {}}, {"pause": {}}), "after the mirror steps must come a setWeight"),
    "analysis after a mirror": (
        steps({"mirror": {}}, {"analysis": {}}),
        "after the mirror steps must come a setWeight",
    ),
    "copies of nothing": (shadow(percent=0), "greater than or equal to 1"),
    "more copies than requests": (shadow(percent=101), "less than or equal to 100"),
    "nothing compared": (shadow(sample=0), "greater than or equal to 1"),
    "more compared than there is": (shadow(sample=101), "less than or equal to 100"),
    "no failure in the shadow": (shadow(maxErrorRate=0), "greater than 0"),
    "no difference in the shadow": (shadow(maxDisagreement=0), "greater than 0"),
    "nothing but differences": (shadow(maxDisagreement=1), "less than 1"),
    "no pairs": (shadow(minPairs=0), "greater than or equal to 1"),
    "odd time in the shadow": (shadow(duration="soon"), DURATION),
    "odd end of the shadow": (shadow(then="Maybe"), "Unsupported value"),
    "duration in words": (steps({"setWeight": 10}, {"pause": {"duration": "5 minutes"}}), DURATION),
    "duration empty": (steps({"setWeight": 10}, {"pause": {"duration": ""}}), DURATION),
    "duration without unit": (steps({"setWeight": 10}, {"pause": {"duration": "10"}}), DURATION),
    "duration backwards": (steps({"setWeight": 10}, {"pause": {"duration": "5s1m"}}), DURATION),
    "duration of centuries": (steps({"setWeight": 10}, {"pause": {"duration": "9999999h"}}), DURATION),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "default steps": changed(strategy={"canary": {}}),
    "recreate": changed(strategy={"recreate": {}}),
    "shadow": shadow(),
    "all of shadow": shadow(
        percent=20, sample=50, duration="10m", maxErrorRate=0.01, maxDisagreement=0.05, minPairs=300, then="Hold"
    ),
    "mirror steps first": steps({"mirror": {"percent": 20}}, {"mirror": {}}, {"setWeight": 10}, {"pause": {}}),
    "nothing but a mirror": steps({"mirror": {}}),
    "blueGreen": blue_green(),
    "all of blueGreen": blue_green(
        preview={"pathPrefix": "/preview"}, previewReplicas=1, pause={}, verify={"maxErrorRate": 0.05, "minRequests": 1}
    ),
    "preview on a host of the traffic at a path of its own": changed(
        traffic__hostnames=["a.example.org"],
        strategy={"blueGreen": {"preview": {"hostnames": ["a.example.org"], "pathPrefix": "/new"}}},
    ),
    "preview on hosts of its own": blue_green(preview={"hostnames": ["preview.example.org"]}),
    "preview on other hosts at the same path": blue_green(
        preview={"hostnames": ["preview.example.org"], "pathPrefix": "/"}, pause={"duration": "10m"}
    ),
    "one step": steps({"setWeight": 100}),
    "weights that stay": steps({"setWeight": 10}, {"analysis": {}}, {"setWeight": 10}),
    "early adopters first": canary(
        header("X-Group", "early adopters (2)"),
        cookie("group.v2", "{a|b}~[1]^2"),
        matchMaxErrorRate=0.01,
        steps=[{"pause": {"duration": "1h"}}, {"setWeight": 10}, {"analysis": {}}],
    ),
    "early adopters and others": canary(header("x-group"), steps=[{"setWeight": 10}]),
    "early adopters with the default steps": canary(cookie("group")),
    "pauses": steps({"setWeight": 1}, {"pause": {"duration": "1h30m15s"}}, {"pause": {"duration": "0s"}}),
    "pause until promoted": steps({"setWeight": 10}, {"pause": {}}),
}
