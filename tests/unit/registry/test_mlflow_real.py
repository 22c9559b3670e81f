"""Resolving against a real MLflow tracking server."""

from __future__ import annotations

import warnings
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
from sluice.core.observation import ResolvedModel, Unresolved
from sluice.registry import artifact
from sluice.registry.mlflow import MlflowRegistry
from sluice_server.digest import digest, digest_directory
from sluice_server.stores import download

from tests.unit.registry.conftest import Mlflow

DIGEST = "sha256:" + "0a" * 32
FILES = {
    "MLmodel": b"flavors: {}\n",
    "empty": b"",
    "model.skops": bytes(range(256)) * 5000,
    "data/deep/er/table.csv": b"a,b\n",
    "with space + plus.txt": b"odd",
    "gr\u00fc\u00df.txt": b"utf-8",
}


@pytest.fixture
def registry(session: aiohttp.ClientSession, mlflow: Mlflow) -> MlflowRegistry:
    return MlflowRegistry(session, mlflow.address, timeout=60)


async def refusal(registry: MlflowRegistry, uri: str) -> Unresolved:
    answer = await registry.resolve(uri)
    assert isinstance(answer, Unresolved)
    return answer


async def test_an_alias_is_followed_when_it_moves(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    mlflow.create("moving")
    first = mlflow.register("moving", {"MLmodel": b"1"}, digest=DIGEST)
    second = mlflow.register("moving", {"MLmodel": b"2"}, digest=DIGEST.replace("0a", "0b"))
    mlflow.alias("moving", "champion", first)
    assert await registry.resolve("models:/moving@champion") == ResolvedModel("moving", first, DIGEST)
    mlflow.alias("moving", "champion", second)
    moved = ResolvedModel("moving", second, DIGEST.replace("0a", "0b"))
    assert await registry.resolve("models:/moving@champion") == moved
    assert await registry.resolve("models:/moving/1") == ResolvedModel("moving", first, DIGEST)


async def test_an_alias_is_set_as_often_as_it_is_asked_for(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    mlflow.create("promoted")
    for pinned in (DIGEST, DIGEST.replace("0a", "0b")):
        mlflow.register("promoted", {"MLmodel": b"1"}, digest=pinned)
    for version in ("1", "2", "2"):
        assert await registry.set_alias("promoted", "champion", version) is None
        answer = await registry.resolve("models:/promoted@champion")
        assert isinstance(answer, ResolvedModel)
        assert answer.version == version


@pytest.mark.parametrize(
    ("asked", "reason", "words"),
    [
        (("nowhere", "champion", "1"), "ModelNotFound", "'nowhere'"),
        (("unaliased", "champion", "7"), "VersionNotFound", "version 7"),
        (("unaliased", "the best", "1"), "AliasRefused", "correct spec.model.promotedAlias"),
        (("unaliased", "Latest", "1"), "AliasRefused", "reserved"),
        (("unaliased", "v7", "1"), "AliasRefused", "reserved"),
    ],
)
async def test_an_alias_that_cannot_be_set_is_explained(
    mlflow: Mlflow, registry: MlflowRegistry, asked: tuple[str, str, str], reason: str, words: str
) -> None:
    if isinstance(await registry.resolve("models:/unaliased/1"), Unresolved):
        mlflow.create("unaliased")
        mlflow.register("unaliased", {"MLmodel": b"1"}, digest=DIGEST)
    answer = await registry.set_alias(*asked)
    assert answer is not None
    assert answer.reason == reason
    assert words in answer.message


async def test_a_name_with_odd_characters(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    name = "pinguine & co. 100% gr\u00fcn?"
    mlflow.create(name)
    mlflow.register(name, {"MLmodel": b"1"}, digest=DIGEST)
    assert await registry.resolve(f"models:/{name}/1") == ResolvedModel(name, "1", DIGEST)


async def test_without_a_tag_the_digest_is_that_of_the_files(
    mlflow: Mlflow, registry: MlflowRegistry, tmp_path: Path
) -> None:
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    mlflow.create("untagged")
    version = mlflow.register("untagged", FILES)
    resolved = await registry.resolve(f"models:/untagged/{version}")
    assert resolved == ResolvedModel("untagged", version, digest_directory(tmp_path))


async def test_what_was_trusted_first_stays_though_the_files_change(
    mlflow: Mlflow, registry: MlflowRegistry, session: aiohttp.ClientSession
) -> None:
    mlflow.create("changed")
    run = mlflow.post("runs/create", {"experiment_id": "0"})["run"]["info"]
    path = f"{run['artifact_uri'].removeprefix('mlflow-artifacts:/')}/model/MLmodel"
    mlflow.put(path, b"as reviewed")
    mlflow.register_source("changed", f"{run['artifact_uri']}/model", run_id=run["run_id"])
    first = await registry.resolve("models:/changed/1")
    mlflow.put(path, b"as forged")
    assert await registry.resolve("models:/changed/1") == first
    assert await MlflowRegistry(session, mlflow.address, timeout=60).resolve("models:/changed/1") != first


async def test_a_model_that_is_deleted_and_registered_anew_is_not_the_one_that_was_trusted(
    mlflow: Mlflow, registry: MlflowRegistry
) -> None:
    mlflow.create("again")
    mlflow.register("again", {"MLmodel": b"old"})
    old = await registry.resolve("models:/again/1")
    mlflow.post("registered-models/delete", {"name": "again"}, method="DELETE")
    mlflow.create("again")
    assert mlflow.register("again", {"MLmodel": b"new"}) == "1", "MLflow counts from 1 again"
    new = await registry.resolve("models:/again/1")
    assert isinstance(new, ResolvedModel)
    assert new != old


async def test_a_version_and_a_digest_must_agree(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    mlflow.create("agreed")
    mlflow.register("agreed", {"MLmodel": b"1"}, digest=DIGEST)
    assert await registry.resolve(f"models:/agreed/1#{DIGEST}") == ResolvedModel("agreed", "1", DIGEST)
    answer = await refusal(registry, f"models:/agreed/1#{DIGEST.replace('0a', '0b')}")
    assert (answer.reason, "spec.model.digest" in answer.message) == ("DigestMismatch", True)
    mlflow.register_source("agreed", "s3://bucket/model")
    assert await registry.resolve(f"models:/agreed/2#{DIGEST}") == ResolvedModel("agreed", "2", DIGEST)


async def test_what_a_run_has_in_its_own_folder(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    run = mlflow.run({"model/MLmodel": b"flavors"})
    found = await registry.resolve(f"runs:/{run['run_id']}/model")
    expected = digest([("MLmodel", 7, sha256(b"flavors").hexdigest())])
    assert found == ResolvedModel("model", run["run_id"][:8], expected, source=f"{run['artifact_uri']}/model")
    assert (await refusal(registry, f"runs:/{run['run_id']}/nothing")).reason == "ArtifactMissing"
    assert (await refusal(registry, f"runs:/{run['run_id']}/nothing.of:it")).reason == "ArtifactMissing"
    assert (await refusal(registry, "runs:/0b5e6c1f/model")).reason == "RunNotFound"


async def test_of_what_a_run_has_logged_as_models_the_newest_counts(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    run = mlflow.run({"model/left": b"by an older client"})
    for content in (b"older", b"newer"):
        model = mlflow.log_model(run["run_id"], "model", {"MLmodel": content})
    found = await registry.resolve(f"runs:/{run['run_id']}/model")
    expected = digest([("MLmodel", 5, sha256(b"newer").hexdigest())])
    assert found == ResolvedModel("model", run["run_id"][:8], expected, source=model["artifact_uri"])


@pytest.mark.parametrize("logged", [True, False], ids=["logged model", "own folder"])
async def test_what_was_pinned_of_a_run_is_what_a_pod_fetches(
    mlflow: Mlflow, registry: MlflowRegistry, tmp_path: Path, logged: bool
) -> None:
    run = mlflow.run({} if logged else {f"model/{path}": content for path, content in FILES.items()})
    if logged:
        mlflow.log_model(run["run_id"], "model", FILES)
    found = await registry.resolve(f"runs:/{run['run_id']}/model")
    assert isinstance(found, ResolvedModel)
    assert found.source is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's client warns about its own code while it is imported
        download(found.source, tmp_path, tracking_uri=mlflow.address, what="the model")
    assert digest_directory(tmp_path) == found.digest


async def test_a_model_that_is_still_being_logged_is_waited_for(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    run = mlflow.run({})
    mlflow.log_model(run["run_id"], "model", {}, status="PENDING")
    assert (await refusal(registry, f"runs:/{run['run_id']}/model")).reason == "VersionNotReady"


async def test_no_such_model(registry: MlflowRegistry) -> None:
    for uri in ("models:/nobody@champion", "models:/nobody/1"):
        answer = await refusal(registry, uri)
        assert answer.reason == "ModelNotFound"
        assert "'nobody'" in answer.message
        assert "register it, or correct spec.model.uri" in answer.message


async def test_no_such_alias_or_version(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    mlflow.create("bare")
    alias = await refusal(registry, "models:/bare@champion")
    assert (alias.reason, "'champion'" in alias.message) == ("AliasNotFound", True)
    version = await refusal(registry, "models:/bare/7")
    assert (version.reason, "version 7" in version.message) == ("VersionNotFound", True)


async def test_another_kind_of_store_needs_the_tag(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    mlflow.create("elsewhere")
    mlflow.register_source("elsewhere", "s3://bucket/model")
    answer = await refusal(registry, "models:/elsewhere/1")
    assert answer.reason == "DigestMissing"
    assert "sluice.dev/digest" in answer.message
    assert "(s3)" in answer.message
    mlflow.register_source("elsewhere", "s3://bucket/model", digest=DIGEST)
    assert await registry.resolve("models:/elsewhere/2") == ResolvedModel("elsewhere", "2", DIGEST)


async def test_a_version_without_files(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    mlflow.create("hollow")
    mlflow.register("hollow", {})
    assert (await refusal(registry, "models:/hollow/1")).reason == "ArtifactMissing"


async def test_a_tag_that_is_no_digest(mlflow: Mlflow, registry: MlflowRegistry) -> None:
    mlflow.create("mistagged")
    mlflow.register("mistagged", {"MLmodel": b"1"}, digest="latest")
    assert (await refusal(registry, "models:/mistagged/1")).reason == "DigestInvalid"


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 10), ("MAX_FILES", 3), ("MAX_DEPTH", 2)])
async def test_nobody_makes_the_operator_read_without_end(
    mlflow: Mlflow, registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(artifact, limit, value)
    name = f"large-{limit}"
    mlflow.create(name)
    mlflow.register(name, FILES)
    answer = await refusal(registry, f"models:/{name}/1")
    assert answer.reason == "DigestMissing"
    assert str(value) in answer.message
