"""What the API server accepts and refuses, and with which words. Everything is a dry run: nothing is left behind."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytestmark = pytest.mark.integration

VALID: dict[str, Any] = {
    "apiVersion": "sluice.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "penguins"},
    "spec": {"model": {"uri": "models:/penguins@champion"}, "traffic": {"gateway": {"name": "public"}}},
}


def changed(**changes: Any) -> dict[str, Any]:
    """Return a valid object with other values; `strategy__canary` means the path spec.strategy.canary."""
    result = copy.deepcopy(VALID)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = result if parents[:1] == ["metadata"] else result["spec"]
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return result


def steps(*items: dict[str, Any]) -> dict[str, Any]:
    return changed(strategy={"canary": {"steps": list(items)}})


def own_margins(number: int) -> list[dict[str, Any]]:
    return [{"analysis": {"marginAbsolute": 0.01 * (step + 1)}} for step in range(number)]


def metric(**kind: Any) -> dict[str, Any]:
    return changed(analysis={"metrics": [{"name": "errors"} | kind]})


def metrics(*items: dict[str, Any]) -> dict[str, Any]:
    return changed(analysis={"metrics": list(items)})


def blue_green(**wants: Any) -> dict[str, Any]:
    return changed(strategy={"blueGreen": wants})


def shadow(**wants: Any) -> dict[str, Any]:
    return changed(strategy={"shadow": wants})


def plain(**changes: Any) -> dict[str, Any]:
    """Return a valid object without a gateway."""
    return changed(traffic=None, **changes)


def ab_test(**wants: Any) -> dict[str, Any]:
    return changed(strategy={"abTest": {"primary": {"metric": "conversion"}} | wants})


def variants(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a test of variants, each of 10 % unless it says otherwise."""
    default = {"model": {"uri": "models:/penguins@large"}, "weight": 10}
    return ab_test(variants=[default | {"name": f"v{number}"} | item for number, item in enumerate(items)], **more)


def canary(*matches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return changed(strategy={"canary": {"match": list(matches)} | more})


def header(name: str, value: str = "beta") -> dict[str, Any]:
    return {"header": {"name": name, "value": value}}


def cookie(name: str, value: str = "beta") -> dict[str, Any]:
    return {"cookie": {"name": name, "value": value}}


def resources(**kinds: dict[str, Any]) -> dict[str, Any]:
    return changed(server={"resources": kinds})


def gates(**wants: Any) -> dict[str, Any]:
    return changed(gates=wants)


def hooks(*items: dict[str, Any]) -> dict[str, Any]:
    return gates(hooks=[{"name": f"h{number}"} | item for number, item in enumerate(items)])


JOB = {"template": {"spec": {"containers": [{"name": "test", "image": "test:1", "args": ["-x"]}], "volumes": []}}}
NO_GATE = "there is no gate: write for example signature: {}"
ONE_FIGURE = "write exactly one of minAccuracy and maxMeanAbsoluteError"
ONE_HOOK = "a hook is exactly one of http and job"
HOOK_NAME = "the name of a hook has lower-case letters"
HOOK_URL = "this is not an address to post to: write for example https://ci.example.org/gate"
HOOK_TIMEOUT = "one attempt takes at least 1s and at most 60s: write for example timeout: 10s"
URI = "write models:/NAME@ALIAS or models:/NAME/VERSION with a whole number"
VARIANT_NAME = "stable is what serves now, and candidate what spec.model names"
NOBODY_LEFT = "weight and the weights of the variants leave nobody to stable"
ONE_STRATEGY = "a strategy is exactly one of canary, blueGreen, shadow, abTest, recreate"
OUTCOME = "the name of an outcome has lower-case letters, digits, '-', '_' and '.' only: write for example conversion"
NO_TIME = "in no time no outcome can come: raise primary.window to 1s or more, to what users need to act"
LONGER = "a test must be allowed to last longer than it has to: raise maxDuration above minDuration"
ONE_STEP = "a step is exactly one of setWeight, pause, analysis and mirror"
RISE = "the weights of the steps must rise: order the setWeight steps"
MARGINS = "at most 10 analysis steps can have margins of their own: remove the margins"
FIRST = "the first step must be a setWeight or a mirror: without traffic"
AFTER_MATCH = "with match the steps must begin with a setWeight, or with one pause and then a setWeight"
ONE_MATCH = "write exactly one of header and cookie in each item, for example header: {name: x-group, value: beta}"
HEADER_NAME, COOKIE_NAME = "this is not the name of a header", "this is not the name of a cookie"
HEADER_VALUE = "a header's value has visible ASCII characters and spaces only"
COOKIE_VALUE = "a cookie's value has no spaces, quotes, commas, semicolons and backslashes: write for example beta"
ALL_COOKIES = "the header cookie holds all cookies: name one of them instead"
RESERVED = "host and x-sluice-... are no headers to choose users by: name another one, for example x-group"
NO_MATCH = "matchMaxErrorRate is about the requests that match names: remove it, or write match too"
PREVIEW = "a preview needs an address of its own"
SAME_ADDRESS = "the preview has the address of the traffic: name another pathPrefix"
DURATION = "this is not a duration: write for example 45s, 10m or 1h30m"
HOST = "this is not a host name: write for example models.example.org"
PREFIX = "a path prefix begins with /"
OBJECT_NAME = "this is not the name of a Kubernetes object"
PLAIN = "a Service knows no host names and paths: remove traffic.hostnames and traffic.pathPrefix, or name a Gateway"
# Said when an object is changed: see test_crd_object.py.
KEEPS_ITS_WAY = "a ModelDeployment must keep its way in"
STICKY = "write exactly one of header and cookie, for example header: x-user-id"
NO_USER = "host and x-sluice-... say nothing about a user: name another header, for example x-user-id"
METRICS = "of the metrics only errorRate and latency are built yet"
ONE_KIND = "a metric is exactly one kind: write for example errorRate: {}"
AN_ERROR_RATE = "one of the metrics must be an errorRate"
QUANTITY = "these are not quantities of Kubernetes: write for example cpu: 500m"
ABOVE = "a request is above its limit: raise it in server.resources.limits too"
STORE = "write models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN_ID/PATH or the address of a folder in a store"
RUN = "write runs:/RUN_ID/PATH, where PATH is the name the model was logged with"
FOLDER = "name a folder inside the store, without a slash at the end"
PATH = "the path has spaces, quotes, '?', '#', '%' or '..': name the folder as the store shows it"
HTTP = "over HTTP only MLflow serves folders: write https://HOST/api/2.0/mlflow-artifacts/artifacts/PATH"
UNPINNED = "a store can change what it holds: set model.digest too, which `sluice-train digest FOLDER` prints"
ALIAS_DIGEST = "an alias moves, and the digest would not move with it: remove model.digest, or name a version"
NO_DIGEST = "this is not a digest: write sha256: and 64 hex digits"
ENV_FROM = "write exactly one of secretRef and configMapRef"
DIGEST = "sha256:" + "0a" * 32
ALIAS = "models:/penguins@candidate"
ALIAS_NAME = "this is not the name of an alias"
ALIAS_ELSEWHERE = "only a model of the registry has aliases: remove model.promotedAlias"
ALIAS_FOLLOWED = "model.promotedAlias is the alias that model.uri follows: name another one"
ALIAS_RESERVED = "latest, and v with a number, are reserved by MLflow: name another alias in model.promotedAlias"
TWO_WHO_COUNT = "with autoscaling nobody else says how many pods there are: remove replicas"
NAME = "the name must begin with a letter and have only lower-case letters"

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name of 41 characters": (changed(metadata__name="a" * 41), "the name is too long: shorten metadata.name"),
    "name begins with a digit": (changed(metadata__name="7penguins"), NAME),
    "name with a dot": (changed(metadata__name="penguins.v2"), NAME),
    "uri without scheme": (changed(model={"uri": "penguins"}), STORE),
    "uri without alias and version": (changed(model={"uri": "models:/penguins"}), URI),
    "uri with an empty alias": (changed(model={"uri": "models:/penguins@"}), URI),
    "uri with both": (changed(model={"uri": "models:/penguins@champion/7"}), URI),
    "uri with a stage": (changed(model={"uri": "models:/penguins/Production"}), URI),
    "uri with version 0": (changed(model={"uri": "models:/penguins/0"}), URI),
    "uri of a machine": (changed(model={"uri": "file:/models/penguins", "digest": DIGEST}), STORE),
    "path of a machine": (changed(model={"uri": "/models/penguins", "digest": DIGEST}), STORE),
    "run without a path": (changed(model={"uri": "runs:/0b5e"}), RUN),
    "run with a path that climbs": (changed(model={"uri": "runs:/0b5e/../m"}), PATH),
    "bucket alone": (changed(model={"uri": "s3://models", "digest": DIGEST}), FOLDER),
    "slash at the end": (changed(model={"uri": "s3://models/penguins/", "digest": DIGEST}), FOLDER),
    "two slashes": (changed(model={"uri": "s3://models//penguins", "digest": DIGEST}), FOLDER),
    "version of an object": (changed(model={"uri": "s3://models/penguins?versionId=1", "digest": DIGEST}), PATH),
    "web server": (changed(model={"uri": "https://models.example.org/penguins", "digest": DIGEST}), HTTP),
    "password in the uri": (
        changed(model={"uri": "https://me:pw@example.org/mlflow-artifacts/artifacts/m", "digest": DIGEST}),
        HTTP,
    ),
    "bucket without a digest": (changed(model={"uri": "s3://models/penguins"}), UNPINNED),
    "digest of an alias": (changed(model={"uri": "models:/penguins@champion", "digest": DIGEST}), ALIAS_DIGEST),
    "short digest": (changed(model={"uri": "s3://models/penguins", "digest": "sha256:0a"}), NO_DIGEST),
    "credentials from nowhere": (changed(server={"envFrom": [{}]}), ENV_FROM),
    "credentials from two": (
        changed(server={"envFrom": [{"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}]}),
        ENV_FROM,
    ),
    "credentials without a name": (changed(server={"envFrom": [{"secretRef": {}}]}), "name: Required value"),
    "service account in capitals": (changed(server={"serviceAccountName": "Models"}), OBJECT_NAME),
    "promoted alias that is followed": (changed(model={"uri": ALIAS, "promotedAlias": "candidate"}), ALIAS_FOLLOWED),
    "promoted alias with a space": (changed(model={"uri": ALIAS, "promotedAlias": "the best"}), ALIAS_NAME),
    "promoted alias that is reserved": (changed(model={"uri": ALIAS, "promotedAlias": "Latest"}), ALIAS_RESERVED),
    "promoted alias like a version": (changed(model={"uri": ALIAS, "promotedAlias": "v7"}), ALIAS_RESERVED),
    "promoted alias of a bucket": (
        changed(model={"uri": "s3://models/penguins", "promotedAlias": "champion"}),
        ALIAS_ELSEWHERE,
    ),
    "no spec": ({key: value for key, value in VALID.items() if key != "spec"}, "spec: Required value"),
    "no model": (changed(model=None), "spec.model: Required value"),
    "no uri": (changed(model={}), "spec.model.uri: Required value"),
    "host without gateway": (changed(traffic={"hostnames": ["models.example.org"]}), PLAIN),
    "prefix without gateway": (changed(traffic={"pathPrefix": "/penguins"}), PLAIN),
    "shadow without gateway": (plain(strategy={"shadow": {}}), "a shadow needs a gateway, which copies requests: name"),
    "abTest without gateway": (
        plain(strategy={"abTest": {"primary": {"metric": "conversion"}}}),
        "an A/B test needs a gateway, which assigns users: name one in traffic.gateway.name",
    ),
    "mirror step without gateway": (
        plain(strategy={"canary": {"steps": [{"mirror": {}}, {"setWeight": 10}]}}),
        "mirror steps need a gateway, which copies requests: remove them from strategy.canary.steps",
    ),
    "match without gateway": (
        plain(strategy={"canary": {"match": [header("x-group")]}}),
        "match needs a gateway, which looks at requests: remove strategy.canary.match",
    ),
    "preview without gateway": (
        changed(traffic={}, strategy={"blueGreen": {"preview": {"pathPrefix": "/new"}}}),
        "a preview at an address of its own needs a gateway: remove strategy.blueGreen.preview",
    ),
    "autoscaling without gateway": (
        plain(autoscaling={"maxReplicas": 3}),
        "without a gateway the number of pods is what splits the traffic, and autoscaling would change it: set repl",
    ),
    "sticky users of blue-green": (
        changed(traffic__sticky={"header": "x-user-id"}, strategy={"blueGreen": {}}),
        "traffic.sticky is for strategy.abTest and strategy.canary: the other strategies never share users out",
    ),
    "sticky users of a shadow that goes on as a canary": (
        changed(traffic__sticky={"header": "x-user-id"}, strategy={"shadow": {}}),
        "traffic.sticky is for strategy.abTest and strategy.canary: the other strategies never share users out",
    ),
    "sticky users without gateway": (
        changed(traffic={"sticky": {"header": "x-user-id"}}),
        "traffic.sticky needs a gateway, which knows users by it: name one in traffic.gateway.name",
    ),
    "sticky by nothing": (changed(traffic__sticky={}), STICKY),
    "sticky by two": (changed(traffic__sticky={"header": "x-user-id", "cookie": "session"}), STICKY),
    "sticky by all cookies": (
        changed(traffic__sticky={"header": "Cookie"}),
        "the header cookie holds all cookies: name one of them instead, for example cookie: session",
    ),
    "sticky by a host": (changed(traffic__sticky={"header": "Host"}), NO_USER),
    "sticky by a header of Sluice": (changed(traffic__sticky={"header": "X-Sluice-Unit"}), NO_USER),
    "sticky by a header with a space": (changed(traffic__sticky={"header": "x user"}), "not the name of a header"),
    "sticky by a cookie with a semicolon": (changed(traffic__sticky={"cookie": "a;b"}), "not the name of a cookie"),
    "gateway without name": (changed(traffic={"gateway": {}}), "spec.traffic.gateway.name: Required value"),
    "gateway name in capitals": (changed(traffic__gateway__name="Public"), OBJECT_NAME),
    "gateway name empty": (changed(traffic__gateway__name=""), OBJECT_NAME),
    "gateway namespace": (changed(traffic__gateway__namespace="my_infra"), OBJECT_NAME),
    "host with scheme": (changed(traffic__hostnames=["https://models.example.org"]), HOST),
    "host with port": (changed(traffic__hostnames=["models.example.org:80"]), HOST),
    "host with a star inside": (changed(traffic__hostnames=["models.*.org"]), HOST),
    "second host": (changed(traffic__hostnames=["models.example.org", "models..org"]), HOST),
    "prefix without slash": (changed(traffic__pathPrefix="penguins"), PREFIX),
    "prefix with two slashes": (changed(traffic__pathPrefix="/a//b"), PREFIX),
    "prefix that climbs": (changed(traffic__pathPrefix="/a/../b"), PREFIX),
    "prefix with a query": (changed(traffic__pathPrefix="/a?b"), PREFIX),
    "autoscaling beside replicas": (changed(autoscaling={"maxReplicas": 3}, replicas=2), TWO_WHO_COUNT),
    "autoscaling by what nobody asks for": (
        changed(autoscaling={"maxReplicas": 3}, server={"resources": {"requests": {"memory": "1Gi"}}}),
        "autoscaling compares with the processor time that pods ask for: set server.resources.requests.cpu",
    ),
    "autoscaling from more to fewer": (
        changed(autoscaling={"minReplicas": 4, "maxReplicas": 3}),
        "autoscaling.minReplicas is above maxReplicas: raise maxReplicas, or lower minReplicas",
    ),
    "no strategy inside": (changed(strategy={}), ONE_STRATEGY),
    "two strategies": (changed(strategy={"canary": {}, "blueGreen": {}}), ONE_STRATEGY),
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
    "variant of no URI": (variants({"model": {"uri": "penguins"}}), URI),
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
    "request that is no quantity": (resources(requests={"memory": "12Gib"}), QUANTITY),
    "negative limit": (resources(limits={"cpu": -1}), QUANTITY),
    "request above its limit": (resources(requests={"cpu": "3"}, limits={"cpu": 2}), ABOVE),
    "request above the default limit": (resources(requests={"memory": "2Gi"}), ABOVE),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "the smallest object": VALID,
    "name of 40 characters": changed(metadata__name="a" * 40),
    "name with digits and dashes": changed(metadata__name="penguins-2"),
    "uri with a version": changed(model={"uri": "models:/penguins/7"}),
    "uri with a long version": changed(model={"uri": "models:/penguins/1234567890"}),
    "model name with spaces": changed(model={"uri": "models:/adelie penguins@champion"}),
    "uri with a version and a digest": changed(model={"uri": "models:/penguins/7", "digest": DIGEST}),
    "run": changed(model={"uri": "runs:/0b5e6c1f0d3b4f6c8a7d9e2f1a3c5b7d/model"}),
    "run with a digest": changed(model={"uri": "runs:/0b5e/models/best", "digest": DIGEST}),
    **{
        f"{uri.partition(':')[0]} store": changed(model={"uri": uri, "digest": DIGEST})
        for uri in (
            "s3://models/penguins",
            "gs://models/a/penguins-v1.2",
            "abfss://models@account.dfs.core.windows.net/penguins",
            "wasbs://models@account.blob.core.windows.net/penguins",
            "https://mlflow.example.org/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts",
            "http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts",
            "mlflow-artifacts:/1/models/m-1/artifacts",
        )
    },
    "credentials": changed(
        server={
            "envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "s3-endpoint"}}],
            "serviceAccountName": "models",
        }
    ),
    "promoted alias": changed(model={"uri": ALIAS, "promotedAlias": "champion"}),
    "promoted alias that ends alike": changed(
        model={"uri": "models:/penguins@the-champion", "promotedAlias": "champion"}
    ),
    "promoted alias beside a version": changed(model={"uri": "models:/penguins/7", "promotedAlias": "v7x"}),
    "no traffic": plain(),
    "traffic without gateway": changed(traffic={}),
    "traffic without gateway at all paths": changed(traffic={"pathPrefix": "/", "hostnames": []}),
    "canary without gateway": plain(strategy={"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}),
    "blueGreen without gateway": plain(strategy={"blueGreen": {"pause": {}, "verify": {}, "previewReplicas": 1}}),
    "recreate without gateway": plain(strategy={"recreate": {}}),
    "gates without gateway": plain(gates={"signature": {}}),
    "sticky users of a canary": changed(traffic__sticky={"header": "x-user-id"}),
    "sticky users of a canary by a cookie": changed(traffic__sticky={"cookie": "session"}),
    "gateway elsewhere": changed(traffic__gateway__namespace="infra"),
    "hosts": changed(traffic__hostnames=["models.example.org", "*.example.org", "localhost"]),
    "prefix /": changed(traffic__pathPrefix="/"),
    "prefix with dots": changed(traffic__pathPrefix="/v1.2/penguins_~-/"),
    "default steps": changed(strategy={"canary": {}}),
    "recreate": changed(strategy={"recreate": {}}),
    "shadow": shadow(),
    "all of shadow": shadow(
        percent=20, sample=50, duration="10m", maxErrorRate=0.01, maxDisagreement=0.05, minPairs=300, then="Hold"
    ),
    "mirror steps first": steps({"mirror": {"percent": 20}}, {"mirror": {}}, {"setWeight": 10}, {"pause": {}}),
    "nothing but a mirror": steps({"mirror": {}}),
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
    "paused": changed(paused=True),
    "errors and latency": metrics({"name": "errors", "errorRate": {}}, {"name": "latency", "latency": {}}),
    "two of a kind": metrics(
        {"name": "errors", "errorRate": {}},
        {"name": "body", "latency": {"marginRatio": 1.1, "marginAbsolute": 0.1}},
        {"name": "tail", "latency": {"marginRatio": 2, "marginAbsolute": 0.005}},
    ),
    "resources as numbers": resources(requests={"cpu": 1}, limits={"cpu": 2, "memory": "2Gi", "example.org/gpu": 1}),
    "autoscaling": changed(autoscaling={"maxReplicas": 3}),
    "autoscaling by a limit, which is the request then": changed(
        autoscaling={"maxReplicas": 3}, server={"resources": {"requests": {}, "limits": {"cpu": "1"}}}
    ),
    "all of autoscaling": changed(
        autoscaling={
            "minReplicas": 3,
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 50,
            "scaleDownStabilizationSeconds": 0,
        }
    ),
    "request equal to its limit": resources(requests={"memory": "1024Mi"}, limits={"memory": "1Gi"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, server: Any, objects: str) -> None:
    body, sentence = REFUSED[case]
    answer = server.call("POST", objects, body, dryRun="All")
    assert answer.status == 422, answer
    assert sentence in answer.message


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(case: str, server: Any, objects: str) -> None:
    answer = server.call("POST", objects, ACCEPTED[case], dryRun="All", fieldValidation="Strict")
    assert answer.ok, answer.message


def test_every_sentence_is_tried(installed: dict[str, Any]) -> None:
    def sentences(schema: Any) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(sentences, schema))
        if not isinstance(schema, dict):
            return set()
        own = {rule["message"] for rule in schema.get("x-kubernetes-validations", ())}
        return own.union(*map(sentences, schema.values()))

    schema = installed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    tried = [*(sentence for _, sentence in REFUSED.values()), KEEPS_ITS_WAY]
    assert [s for s in sentences(schema) if not any(part in s for part in tried)] == []
