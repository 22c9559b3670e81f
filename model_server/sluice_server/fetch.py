"""`python -m sluice_server.fetch`: the init container. Brings one pinned model version into the pod and verifies it.

It never loads the model. What it leaves in the directory is complete and has the digest it was told, or the pod does
not start. It gives up early, in a sentence, and lets Kubernetes do the retrying.
"""

import errno
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sluice_server.digest import NOT_OF_THE_ARTIFACT, UnsafeFileError, digest_directory
from sluice_server.termination import GivingUpError, report

# Two tries of 5 s and a second between them: the sentence about an unreachable registry is there within about 20 s.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_INCOMING = ".incoming"
_MARK = "MLmodel"
_PASSWORD = re.compile(r"//[^/\s]*@")
_REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}


class FetchSettings(BaseSettings):
    """What the operator tells the init container."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, protected_namespaces=())

    tracking_uri: str = Field(validation_alias="MLFLOW_TRACKING_URI")
    model_name: str
    model_version: str
    model_digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    model_dir: Path = Path("/model")

    @property
    def what(self) -> str:
        """The model version in a sentence."""
        return f"{self.model_name} version {self.model_version}"


def main() -> int:
    """Fetches and verifies; returns the exit code."""
    # The first process of a container ignores signals it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        settings = FetchSettings()
    except ValueError as error:
        return report(GivingUpError("InvalidSettings", str(error)))
    try:
        fetch(settings)
    except GivingUpError as error:
        return report(error)
    print(f"fetched {settings.what}, {settings.model_digest}", file=sys.stderr)
    return 0


def fetch(settings: FetchSettings) -> None:
    """Leaves the verified model in `settings.model_dir`, and nothing else.

    Raises:
        GivingUpError: ArtifactMissing, RegistryUnreachable, RegistryDenied, DigestMismatch, UnsafeArtifact, VolumeFull
            or VolumeError.
    """
    incoming = settings.model_dir / _INCOMING
    try:
        _empty(settings.model_dir)
        incoming.mkdir()
        _download(settings, incoming)
        for name in NOT_OF_THE_ARTIFACT:
            (incoming / name).unlink(missing_ok=True)
        _verify(settings, incoming)
        _move_up(incoming)
    except OSError as error:
        reason = "VolumeFull" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "VolumeError"
        raise GivingUpError(
            reason, f"{settings.what} cannot be stored in {settings.model_dir}: {error.strerror}."
        ) from error


def _download(settings: FetchSettings, target: Path) -> None:
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - seconds; errors before it are told sooner
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    uri = f"models:/{settings.model_name}/{settings.model_version}"
    try:
        download_artifacts(artifact_uri=uri, dst_path=str(target), tracking_uri=settings.tracking_uri)
    except MlflowException as error:
        raise _explain(settings, error) from error
    if not any(path.is_file() for path in target.rglob("*")):
        raise GivingUpError(
            "ArtifactMissing", f"{settings.what} has no files in the artifact store of {_safe(settings)}."
        )


def _explain(settings: FetchSettings, error: Any) -> GivingUpError:
    why = _PASSWORD.sub("//", _deepest(error))
    code = getattr(error, "error_code", "")
    if code in _REFUSED:
        return GivingUpError("RegistryDenied", f"{_safe(settings)} does not let this pod read {settings.what}.")
    if code in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"} or "404" in error.message:
        return GivingUpError("ArtifactMissing", f"{_safe(settings)} has no {settings.what}, or its files are gone.")
    if code == "INVALID_PARAMETER_VALUE":
        return GivingUpError("UnsafeArtifact", f"{settings.what} cannot be downloaded: {why}")
    return GivingUpError("RegistryUnreachable", f"{_safe(settings)} did not deliver {settings.what}: {why}")


def _deepest(error: Any) -> str:
    """What the operating system said, if it began there; else what MLflow said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror}."
        if isinstance(cause, TimeoutError):
            return "no answer in time."
        cause = cause.__cause__ or cause.__context__
    return str(error.message)


def _safe(settings: FetchSettings) -> str:
    return f"the registry at {_PASSWORD.sub('//', settings.tracking_uri)}"


def _verify(settings: FetchSettings, directory: Path) -> None:
    try:
        found = digest_directory(directory)
    except UnsafeFileError as error:
        raise GivingUpError("UnsafeArtifact", f"{settings.what} is refused: {error}.") from error
    if found != settings.model_digest:
        raise GivingUpError(
            "DigestMismatch",
            f"the files of {settings.what} have the digest {found}, but {settings.model_digest} was pinned: they were "
            "changed after they were first seen.",
        )


def _empty(directory: Path) -> None:
    """An init container that runs again starts from nothing. The directory may be a mount point, so it stays."""
    directory.mkdir(parents=True, exist_ok=True)
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _move_up(incoming: Path) -> None:
    """Puts the verified files in place; the file without which nothing can be loaded comes last."""
    for entry in sorted(incoming.iterdir(), key=lambda path: path.name == _MARK):
        entry.rename(incoming.parent / entry.name)
    incoming.rmdir()


if __name__ == "__main__":
    sys.exit(main())
