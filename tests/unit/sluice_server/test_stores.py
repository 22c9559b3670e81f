"""Models that are not in the registry: fetched by MLflow's own artifact code, and refused in a sentence."""

import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sluice_server import fetch, stores
from sluice_server.digest import digest_directory

from tests.unit.sluice_server.registry import ARTIFACTS, ROOT, Registry, serve

BUCKET = "s3://models/penguins"
SERVED = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def registry(classifier_dir: Path) -> Iterator[Registry]:
    with serve(classifier_dir) as serving:
        yield serving


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.fixture
def run(registry: Registry, classifier_dir: Path, target: Path, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    environment = {
        "MLFLOW_TRACKING_URI": registry.url,
        "SLUICE_MODEL_NAME": "penguins",
        "SLUICE_MODEL_VERSION": "0a0a0a0a",
        "SLUICE_MODEL_DIGEST": digest_directory(classifier_dir),
        "SLUICE_MODEL_DIR": str(target),
        "SLUICE_TERMINATION_LOG": str(tmp_path / "log"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        "HOME": str(tmp_path),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (fetch._ENVIRONMENT | environment).items():
            patch.setenv(name, value)
        yield patch
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def s3(classifier_dir: Path) -> Iterator[str]:
    """An S3 server that holds the model; it wants credentials, but any."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of botocore's own
            client = boto3.client(
                "s3", endpoint_url=address, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
            )
            client.create_bucket(Bucket="models")
            for path in classifier_dir.rglob("*"):
                if path.is_file():
                    client.upload_file(str(path), "models", f"penguins/{path.relative_to(classifier_dir).as_posix()}")
        yield address
    finally:
        server.stop()


@pytest.fixture
def with_s3(run: pytest.MonkeyPatch, s3: str) -> pytest.MonkeyPatch:
    run.setenv("MLFLOW_S3_ENDPOINT_URL", s3)
    run.setenv("AWS_ACCESS_KEY_ID", "a")
    run.setenv("AWS_SECRET_ACCESS_KEY", "b")
    run.setenv("SLUICE_MODEL_URI", BUCKET)
    run.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    from mlflow.store.artifact import s3_artifact_repo

    s3_artifact_repo._cached_get_s3_client.cache_clear()
    return run


def refusal(tmp_path: Path) -> str:
    assert fetch.main() == 1
    return (tmp_path / "log").read_text()


@pytest.mark.usefixtures("with_s3")
def test_a_model_in_a_bucket_is_fetched(target: Path, classifier_dir: Path) -> None:
    assert fetch.main() == 0
    assert digest_directory(target) == digest_directory(classifier_dir)


def test_a_digest_that_is_not_the_buckets_says_which_is(
    with_s3: pytest.MonkeyPatch, tmp_path: Path, classifier_dir: Path
) -> None:
    with_s3.setenv("SLUICE_MODEL_DIGEST", "sha256:" + "0a" * 32)
    text = refusal(tmp_path)
    assert text.startswith(f"DigestMismatch: the files of {BUCKET} have the digest {digest_directory(classifier_dir)}")
    assert "spec.model.digest" in text


@pytest.mark.parametrize("uri", ["s3://models/whales", "s3://elsewhere/penguins"])
def test_a_folder_or_bucket_that_is_not_there(with_s3: pytest.MonkeyPatch, tmp_path: Path, uri: str) -> None:
    with_s3.setenv("SLUICE_MODEL_URI", uri)
    assert refusal(tmp_path).startswith("ArtifactMissing: ")


def test_without_credentials_the_place_for_them_is_named(with_s3: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        with_s3.delenv(name)
    text = refusal(tmp_path)
    assert text.startswith("StoreDenied: ")
    assert "server.envFrom" in text


def test_a_store_that_is_down(with_s3: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_s3.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    assert refusal(tmp_path).startswith("StoreUnreachable: the store did not deliver s3://models/penguins: ")


@pytest.mark.parametrize("scheme", ["gs", "abfss", "wasbs"])
def test_a_store_whose_client_is_not_in_the_image(run: pytest.MonkeyPatch, tmp_path: Path, scheme: str) -> None:
    host = "bucket" if scheme == "gs" else f"box@me.{'dfs' if scheme == 'abfss' else 'blob'}.core.windows.net"
    run.setenv("SLUICE_MODEL_URI", f"{scheme}://{host}/penguins")
    text = refusal(tmp_path)
    assert text.startswith(f"StoreUnsupported: the server's image cannot read {scheme}: addresses: add ")
    assert stores._NEEDS[scheme] in text


@pytest.mark.parametrize("form", ["mlflow-artifacts:/{root}", "{url}" + SERVED + "/{root}"])
def test_another_folder_that_mlflow_serves(
    run: pytest.MonkeyPatch, registry: Registry, target: Path, classifier_dir: Path, form: str
) -> None:
    run.setenv("SLUICE_MODEL_URI", form.format(url=registry.url, root=ROOT))
    assert fetch.main() == 0
    assert digest_directory(target) == digest_directory(classifier_dir)


def swap(registry: Registry, change: Callable[[int, str, bytes], tuple[int, bytes]]) -> None:
    """Change answers on their way: called with the number of the answer, its path and body."""
    honest, count = registry.answer, iter(range(10_000))

    def answer(path: str) -> tuple[int, bytes]:
        status, body = honest(path)
        changed = change(next(count), path, body)
        return (status, body) if changed is None else changed

    registry.answer = answer  # type: ignore[method-assign, assignment]


GARBAGE: dict[str, tuple[int, bytes]] = {
    "a web page": (200, b"<html>welcome</html>"),
    "a list": (200, b"[1, 2]"),
    "files that are none": (200, b'{"files": 7, "artifact_uri": "mlflow-artifacts:/1"}'),
    "files without names": (200, b'{"files": [{}], "artifact_uri": "mlflow-artifacts:/1"}'),
    "an address that is none": (200, b'{"artifact_uri": 7}'),
    "nothing": (200, b""),
    "half an answer": (200, b'{"artifact_uri": "mlflow-art'),
}


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("said", GARBAGE)
def test_a_registry_that_talks_nonsense_is_asked_again_later(registry: Registry, tmp_path: Path, said: str) -> None:
    swap(registry, lambda *_: GARBAGE[said])
    assert refusal(tmp_path).partition(": ")[0] in {"RegistryInvalid", "RegistryUnreachable"}


def is_file(path: str) -> bool:
    return path.startswith(f"{ARTIFACTS}/") and path.endswith("model.skops")


def test_a_file_that_comes_short_once_is_fetched_again(
    run: pytest.MonkeyPatch, registry: Registry, target: Path, classifier_dir: Path
) -> None:
    seen: list[str] = []

    def change(_: int, path: str, body: bytes) -> tuple[int, bytes]:
        first = is_file(path) and path not in seen
        seen.append(path)
        return 200, body[:100] if first else body

    swap(registry, change)
    run.setenv("SLUICE_MODEL_URI", f"mlflow-artifacts:/{ROOT}")
    assert fetch.main() == 0
    assert digest_directory(target) == digest_directory(classifier_dir)


def test_files_that_come_short_each_time_are_no_proof_of_a_change(
    run: pytest.MonkeyPatch, registry: Registry, tmp_path: Path
) -> None:
    swap(registry, lambda number, path, body: (200, body[: 100 + number] if is_file(path) else body))
    run.setenv("SLUICE_MODEL_URI", f"mlflow-artifacts:/{ROOT}")
    assert refusal(tmp_path).startswith("RegistryUnreachable: ")


def test_a_download_that_breaks_off_is_tried_again_later(
    run: pytest.MonkeyPatch, registry: Registry, tmp_path: Path
) -> None:
    registry.broken_off = True
    run.setenv("SLUICE_MODEL_URI", f"mlflow-artifacts:/{ROOT}")
    assert refusal(tmp_path).startswith("RegistryUnreachable: ")


def test_a_password_in_an_error_is_not_told(run: pytest.MonkeyPatch) -> None:
    error: Any = RuntimeError("GET https://me:secret@mlflow/x failed")
    assert stores._deepest(error) == "GET https://mlflow/x failed"
