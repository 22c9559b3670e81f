"""A revision is what the user says about pods, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluice.api.spec import Server
from sluice.core.observation import ResolvedModel
from sluice.core.revision import changed_digest, revision_of, wanted_revision

from tests.unit.core.moments import AT_20, IMAGE, SERVING, SPEC, Moment, model


class NewerServer(Server):
    """The server of a later operator, with a field more."""

    replicas_per_node: int | None = None
    compression: bool = False


def test_the_name_of_a_revision_never_changes_for_the_same_input() -> None:
    assert revision_of(Server(), model("7"), "server:1").name == "ec3c0c7281"
    stored = replace(model("7"), source="s3://bucket/penguins")
    assert revision_of(Server(), stored, "server:1").name == "09fd0d3a6a"


def test_a_field_that_a_newer_operator_adds_renames_nothing() -> None:
    for said in ({}, {"workers": 3}, {"resources": {"limits": {"memory": "2Gi"}}}):
        old, new = Server.model_validate(said), NewerServer.model_validate(said)
        assert revision_of(new, model("7"), IMAGE).name == revision_of(old, model("7"), IMAGE).name


def test_writing_a_default_out_renames_nothing() -> None:
    said = Server.model_validate(Server().to_kubernetes())
    assert revision_of(said, model("7"), IMAGE) == revision_of(Server(), model("7"), IMAGE)


@pytest.mark.parametrize(
    "changed",
    [
        revision_of(Server(workers=2), model("7"), IMAGE),
        revision_of(Server(trust_pickle=True), model("7"), IMAGE),
        revision_of(Server(), model("8"), IMAGE),
        revision_of(Server(), replace(model("7"), name="whales"), IMAGE),
        revision_of(Server(), model("7"), "server:2"),
        revision_of(Server(), replace(model("7"), source="s3://bucket/penguins"), IMAGE),
        revision_of(Server.model_validate({"envFrom": [{"secretRef": {"name": "s3"}}]}), model("7"), IMAGE),
        revision_of(Server(service_account_name="models"), model("7"), IMAGE),
    ],
    ids=["server", "trust", "digest", "model", "image", "source", "credentials", "account"],
)
def test_whatever_changes_pods_is_another_revision(changed: object) -> None:
    assert changed != revision_of(Server(), model("7"), IMAGE)


def test_the_same_artifact_under_another_number_is_the_same_revision() -> None:
    again = replace(model("1"), version="9")
    assert wanted_revision(SPEC, SERVING.status, again, IMAGE) == SERVING.status.stable


@pytest.mark.parametrize(
    "moment",
    [SERVING, SERVING.rolling_out("2"), SERVING.rejected("2").wanting("2")],
    ids=["stable", "candidate", "rejected"],
)
def test_an_upgrade_of_the_operator_with_another_image_changes_nothing(moment: object) -> None:
    wanted = wanted_revision(SPEC, moment.status, moment.model, "server:2")  # type: ignore[attr-defined]
    assert wanted.image == IMAGE


def test_the_next_version_gets_the_new_image() -> None:
    assert wanted_revision(SPEC, SERVING.status, model("3"), "server:2").image == "server:2"


def test_an_image_that_the_user_names_is_another_revision() -> None:
    spec = SERVING.edited(server={"image": "mine:1"}).spec
    assert wanted_revision(spec, SERVING.status, model("1"), IMAGE).image == "mine:1"


@pytest.mark.parametrize(
    "moment",
    [SERVING.wanting("1"), AT_20, SERVING.rejected("2").wanting("2"), SERVING.retired("2", due=-1).wanting("2")],
    ids=["stable", "candidate", "rejected", "retired"],
)
def test_a_version_whose_digest_changed_in_the_registry_is_refused(moment: Moment) -> None:
    assert isinstance(moment.model, ResolvedModel)
    other = replace(moment.model, digest="sha256:" + "f" * 64)
    tampered = replace(moment, model=other)
    refused = changed_digest(moment.status, other)
    assert refused is not None
    assert tampered.situation.seen.model == refused
    after = tampered.plan.status
    assert (after.stable, after.rollout and after.rollout.revision) == (
        moment.status.stable,
        moment.status.rollout and moment.status.rollout.revision,
    )
    progressing = after.condition("Progressing")
    assert progressing is not None
    assert (progressing.reason, "register a new version" in progressing.message) == ("DigestChanged", True)


def test_a_version_with_its_pinned_digest_is_not_refused() -> None:
    assert changed_digest(AT_20.status, model("2")) is None
    assert changed_digest(AT_20.status, model("3")) is None
