"""What the init container brings, and what it refuses."""

import os
import signal
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from sluice_server import fetch
from sluice_server.digest import digest_directory
from sluice_server.engine import load
from sluice_server.warmup import warm_up

from tests.unit.sluice_server import models
from tests.unit.sluice_server.registry import Registry, serve


@pytest.fixture
def registry(classifier_dir: Path) -> Iterator[Registry]:
    with serve(classifier_dir) as serving:
        yield serving


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.fixture
def run(
    registry: Registry, classifier_dir: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """Sets what the operator would set; tests change a part of it."""
    environment = {
        "MLFLOW_TRACKING_URI": registry.url,
        "SLUICE_MODEL_NAME": "penguins",
        "SLUICE_MODEL_VERSION": "7",
        "SLUICE_MODEL_DIGEST": digest_directory(classifier_dir),
        "SLUICE_MODEL_DIR": str(target),
        "SLUICE_TERMINATION_LOG": str(tmp_path / "log"),
    }
    for name, value in (fetch._ENVIRONMENT | environment).items():
        monkeypatch.setenv(name, value)
    mlflow.set_tracking_uri(None)
    before = signal.getsignal(signal.SIGTERM)
    yield monkeypatch
    signal.signal(signal.SIGTERM, before)


def refusal(tmp_path: Path) -> str:
    assert fetch.main() == 1
    return (tmp_path / "log").read_text()


@pytest.mark.usefixtures("run")
def test_the_pinned_version_is_there_and_complete(target: Path, classifier_dir: Path, tmp_path: Path) -> None:
    assert fetch.main() == 0
    assert digest_directory(target) == digest_directory(classifier_dir)
    assert not (target / ".incoming").exists()
    assert not (target / "registered_model_meta").exists()
    assert not (tmp_path / "log").exists()


@pytest.mark.usefixtures("run")
def test_what_was_fetched_can_be_served(target: Path) -> None:
    assert fetch.main() == 0
    assert warm_up(load(target, trust_pickle=False), target) is True


@pytest.mark.usefixtures("run")
def test_a_second_run_starts_clean(target: Path, classifier_dir: Path) -> None:
    (target / ".incoming" / "half").mkdir(parents=True)
    (target / "leftover").write_text("x")
    (target / "link").symlink_to("/etc")
    assert fetch.main() == 0
    assert digest_directory(target) == digest_directory(classifier_dir)


@pytest.mark.usefixtures("run")
def test_changed_files_are_refused_and_not_left_where_the_server_looks(
    registry: Registry, target: Path, tmp_path: Path
) -> None:
    registry.files["model.skops"] += b"x"
    assert refusal(tmp_path).startswith("DigestMismatch: the files of penguins version 7 have the digest sha256:")
    assert not (target / "MLmodel").exists()


@pytest.mark.usefixtures("run")
def test_an_added_file_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.files["code/evil.py"] = b"x"
    assert refusal(tmp_path).startswith("DigestMismatch: ")


def test_a_version_that_does_not_exist_is_a_sentence(run: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run.setenv("SLUICE_MODEL_VERSION", "8")
    assert refusal(tmp_path).startswith("ArtifactMissing: the registry at http://127.0.0.1:")


@pytest.mark.usefixtures("run")
def test_a_version_whose_files_are_gone_is_a_sentence(registry: Registry, tmp_path: Path) -> None:
    registry.files.clear()
    assert refusal(tmp_path).startswith("ArtifactMissing: penguins version 7 has no files")


@pytest.mark.usefixtures("run")
def test_a_file_that_is_gone_is_a_sentence(registry: Registry, tmp_path: Path) -> None:
    registry.listed = [{"path": "MLmodel", "is_dir": False, "file_size": 5}]
    registry.files.clear()
    assert refusal(tmp_path).startswith("ArtifactMissing: ")


def test_a_registry_that_is_down_is_a_sentence(run: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{nobody.getsockname()[1]}")
        text = refusal(tmp_path)
    assert text.startswith("RegistryUnreachable: the registry at http://127.0.0.1:")
    assert "secret" not in text


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "PERMISSION_DENIED", "RegistryDenied"),
        (401, "UNAUTHENTICATED", "RegistryDenied"),
        (400, "INTERNAL_ERROR", "RegistryUnreachable"),
    ],
)
def test_a_registry_that_refuses_is_a_sentence(
    registry: Registry, tmp_path: Path, status: int, code: str, reason: str
) -> None:
    registry.status, registry.error = status, {"error_code": code, "message": "no"}
    assert refusal(tmp_path).startswith(f"{reason}: ")


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("path", ["../../evil", "/tmp/evil", "..%2F..%2Fevil", "a/../../../evil"])
def test_a_path_out_of_the_model_is_refused(registry: Registry, tmp_path: Path, path: str) -> None:
    registry.listed = [{"path": path, "is_dir": False, "file_size": 1}]
    registry.files[path] = b"x"
    assert refusal(tmp_path).split(":")[0] in {"UnsafeArtifact", "ArtifactMissing"}
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


def test_nonsense_in_the_environment_is_a_sentence(run: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run.setenv("SLUICE_MODEL_DIGEST", "md5:5")
    assert refusal(tmp_path).startswith("InvalidSettings: ")


def test_a_volume_that_cannot_be_written_is_a_sentence(run: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run.setenv("SLUICE_MODEL_DIR", str(tmp_path / "file" / "model"))
    assert refusal(tmp_path).startswith("VolumeError: penguins version 7 cannot be stored in ")


def test_a_registry_that_does_not_answer_is_given_up(run: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    run.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert refusal(tmp_path).startswith("RegistryUnreachable: ")


def test_a_version_from_a_real_registry_is_fetched(
    run: pytest.MonkeyPatch, classifier_dir: Path, target: Path, tmp_path: Path
) -> None:
    """MLflow's own store: the way a version points to its files has changed between MLflow's versions."""
    run.chdir(tmp_path)
    run.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's tables use what SQLAlchemy will drop
        with mlflow.start_run() as active:
            mlflow.log_artifacts(str(classifier_dir), "model")
        client = MlflowClient()
        client.create_registered_model("penguins")
        source = f"{active.info.artifact_uri}/model"
        version = client.create_model_version("penguins", source, active.info.run_id).version
        run.setenv("SLUICE_MODEL_VERSION", str(version))
        assert fetch.main() == 0
    assert digest_directory(target) == os.environ["SLUICE_MODEL_DIGEST"]
    assert load(target, trust_pickle=False).predict(models.ROWS.head(1)).tolist() == ["Adelie"]
