"""What the API server accepts and refuses, and with which words. Everything is a dry run: nothing is left behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crd import ab_tests, judging, model, pods, strategies, traffic
from tests.integration.crd.sentences import KEEPS_ITS_WAY

pytestmark = pytest.mark.integration

SUBJECTS = (model, pods, traffic, strategies, ab_tests, judging)
REFUSED = {case: said for subject in SUBJECTS for case, said in subject.REFUSED.items()}
ACCEPTED = {case: body for subject in SUBJECTS for case, body in subject.ACCEPTED.items()}


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
