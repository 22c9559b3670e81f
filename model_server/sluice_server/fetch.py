"""`python -m sluice_server.fetch`: the init container. Brings one pinned model version into the pod and verifies it.

It never loads the model. What it leaves in the directory is complete and has the digest it was told, or the pod does
not start. It gives up early, in a sentence, and lets Kubernetes do the retrying.
"""

import errno
import os
import shutil
import signal
import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sluice_server.digest import NOT_OF_THE_ARTIFACT, UnsafeFileError, digest_directory
from sluice_server.stores import download
from sluice_server.termination import GivingUpError, report

# Two tries of 5 s and a second between them: the sentence about an unreachable registry is there within about 20 s.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "AWS_MAX_ATTEMPTS": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_INCOMING = ".incoming"
_MARK = "MLmodel"
_CHANGED = "they were changed after they were first seen."
_CHANGED_OR_WRONG = "they were changed since, or spec.model.digest is not theirs."


class FetchSettings(BaseSettings):
    """What the operator tells the init container."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, protected_namespaces=())

    tracking_uri: str = Field(validation_alias="MLFLOW_TRACKING_URI")
    model_name: str
    model_version: str
    model_digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    model_dir: Path = Path("/model")
    model_uri: str | None = Field(default=None, description="Where the files are, if not with that version.")

    @property
    def uri(self) -> str:
        """Where MLflow's artifact code finds the files."""
        return self.model_uri or f"models:/{self.model_name}/{self.model_version}"

    @property
    def what(self) -> str:
        """The model version in a sentence."""
        return self.model_uri or f"{self.model_name} version {self.model_version}"


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
        GivingUpError: DigestMismatch, VolumeFull, VolumeError, or what `stores.download` says.
    """
    incoming = settings.model_dir / _INCOMING
    try:
        _empty(settings.model_dir)
        incoming.mkdir()
        _bring(settings, incoming)
        _move_up(incoming)
    except OSError as error:
        reason = "VolumeFull" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "VolumeError"
        raise GivingUpError(
            reason, f"{settings.what} cannot be stored in {settings.model_dir}: {error.strerror}."
        ) from error


def _arrived(settings: FetchSettings, directory: Path) -> str:
    """Downloads once; returns the digest of what came."""
    _empty(directory)
    download(settings.uri, directory, tracking_uri=settings.tracking_uri, what=settings.what)
    for name in NOT_OF_THE_ARTIFACT:
        (directory / name).unlink(missing_ok=True)
    try:
        return digest_directory(directory)
    except UnsafeFileError as error:
        raise GivingUpError("UnsafeArtifact", f"{settings.what} is refused: {error}.") from error


def _bring(settings: FetchSettings, directory: Path) -> None:
    """Something on the way may have cut a file short: only what comes twice is what the store holds."""
    found = _arrived(settings, directory)
    if found == settings.model_digest:
        return
    again = _arrived(settings, directory)
    if again == settings.model_digest:
        return
    if again != found:
        raise GivingUpError(
            "RegistryUnreachable", f"{settings.what} came twice with different content: the connection is not sound."
        )
    raise GivingUpError(
        "DigestMismatch",
        f"the files of {settings.what} have the digest {found}, but {settings.model_digest} was pinned: "
        + (_CHANGED_OR_WRONG if settings.model_uri else _CHANGED),
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
