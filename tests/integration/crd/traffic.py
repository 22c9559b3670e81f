"""The way in, and whose requests stay where."""

from __future__ import annotations

from typing import Any

from tests.integration.crd.objects import changed, header, plain
from tests.integration.crd.sentences import HOST, NO_USER, OBJECT_NAME, PLAIN, PREFIX, STICKY

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
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
}

ACCEPTED: dict[str, dict[str, Any]] = {
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
}
