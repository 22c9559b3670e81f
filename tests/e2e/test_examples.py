"""What people will copy does what its first comment says: each example rolls a version out under traffic."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sluice_training.data import request_rows

from hack.load import Load
from hack.stack.install import MODEL
from hack.users import Users
from tests.e2e.inside import InsideLoad
from tests.e2e.subject import Subject, is_true, stable

ROOT = Path(__file__).parents[2]
FIRST, BETTER, SLOW = 1, 2, 5
# A request that fails, or waits, for want of a core counts against a version.
JUDGED_CLOSELY = ("ab-test", "ab-test-variants", "canary", "shadow")
WITH_AN_OUTAGE = ("recreate",)
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.fixture
def users(subject: Subject) -> Callable[[], Users]:
    """Users who like version 2 better."""
    url = f"{subject.stack.gateway_url}/{subject.namespace}"
    return lambda: Users(url, request_rows(), 8, {str(FIRST): 0.1, str(BETTER): 0.7})


@pytest.mark.parametrize(
    "path",
    [pytest.param(one, marks=[pytest.mark.alone] if one.stem in JUDGED_CLOSELY else []) for one in EXAMPLES],
    ids=[path.stem for path in EXAMPLES],
)
def test_an_example_rolls_a_version_out(
    path: Path,
    subject: Subject,
    traffic: Callable[[float], Load],
    inside: Callable[[float], InsideLoad],
    users: Callable[[], Users],
) -> None:
    example: dict[str, Any] = yaml.safe_load(path.read_text())
    further = f"{subject.alias}further"  # what a variant follows
    example["metadata"] |= {"name": subject.name, "namespace": subject.namespace}
    example["spec"]["model"]["uri"] = subject.uri
    if through_gateway := "traffic" in example["spec"]:
        example["spec"]["traffic"]["pathPrefix"] = f"/{subject.namespace}"
    for variant in example["spec"]["strategy"].get("abTest", {}).get("variants", ()):
        variant["model"]["uri"] = f"models:/{MODEL}@{further}"
    if preview := example["spec"]["strategy"].get("blueGreen", {}).get("preview"):
        preview["pathPrefix"] = f"/{subject.namespace}-preview"
    subject.stack.move_alias(further, FIRST)
    subject.alias_to(FIRST)
    subject.stack.shell.apply(json.dumps(example))
    subject.until(lambda s: stable(s) == FIRST and is_true(s, "Ready"), "version 1 serves")
    if through_gateway:
        subject.reached()
    load = traffic if through_gateway else inside
    with users() if "sticky" in example["spec"].get("traffic", {}) else load(40) as clients:
        subject.stack.move_alias(further, SLOW)  # which nobody likes
        subject.alias_to(BETTER)
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    failed = clients.failed if isinstance(clients, Users) else [one for one in clients.answers if one.failed]
    assert bool(failed) == (path.stem in WITH_AN_OUTAGE)
