"""ModelDeployments as somebody writes them: a valid one, and what differs from it."""

from __future__ import annotations

import copy
from typing import Any

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
DIGEST = "sha256:" + "0a" * 32
ALIAS = "models:/penguins@candidate"
