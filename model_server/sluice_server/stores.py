"""Downloads a folder from wherever MLflow's artifact code can read, and says in a sentence why it could not.

The clients of the stores raise exceptions of their own, of packages that may not be there. They are told apart by what
they all carry: an HTTP status, or the operating system's error below them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluice_server.termination import GivingUpError

_NEEDS = {
    "s3": "boto3",
    "gs": "google-cloud-storage",
    "abfss": "azure-storage-file-datalake and azure-identity",
    "wasbs": "azure-storage-blob and azure-identity",
}
_PASSWORD = re.compile(r"//[^/@\s]*@")
_REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
_MISSING = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}
_CHARACTERS = 500


def download(uri: str, target: Path, *, tracking_uri: str, what: str) -> None:
    """Downloads all files at `uri` into the directory `target`; `what` names them in messages.

    Raises:
        GivingUpError: ArtifactMissing, UnsafeArtifact, StoreUnsupported, and Unreachable, Denied or Invalid with
            Registry or Store before it.
        OSError: the files cannot be stored.
    """
    # Seconds; errors before it are told sooner.
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: PLC0415

    scheme = uri.partition(":")[0]
    said = _Words(what, scheme, _PASSWORD.sub("//", tracking_uri))
    try:
        get_artifact_repository(uri, tracking_uri=tracking_uri, registry_uri=tracking_uri).download_artifacts(
            "", str(target)
        )
    except ImportError as error:
        needs = _NEEDS.get(scheme, error.name)
        raise GivingUpError(
            "StoreUnsupported",
            f"the server's image cannot read {scheme}: addresses: add {needs} to it and name that image in "
            "server.image.",
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # ours: a path on the volume
            raise
        raise said.explain(error) from error
    if not any(path.is_file() for path in target.rglob("*")):
        raise GivingUpError("ArtifactMissing", f"{what} has no files in {said.place}.")


class _Words:
    """What to say about one download."""

    def __init__(self, what: str, scheme: str, registry: str) -> None:
        self._what = what
        self._kind = "Registry" if scheme in ("models", "mlflow-artifacts") else "Store"
        self.place = f"the artifact store of the registry at {registry}" if self._kind == "Registry" else "that store"
        self._who = f"the registry at {registry}" if self._kind == "Registry" else "the store"

    def explain(self, error: Exception) -> GivingUpError:
        why = _deepest(error)
        code = getattr(error, "error_code", "")
        status = next(_statuses(error), None)
        if code in _REFUSED or status in (401, 403) or "Credential" in type(error).__name__:
            return GivingUpError(
                f"{self._kind}Denied",
                f"{self._who} does not let this pod read {self._what} ({why.rstrip('.')}): give it credentials by a "
                "Secret in server.envFrom, or by server.serviceAccountName.",
            )
        if code in _MISSING or status == 404:
            return GivingUpError("ArtifactMissing", f"{self._who} has no {self._what}, or its files are gone.")
        if code == "INVALID_PARAMETER_VALUE":
            return GivingUpError("UnsafeArtifact", f"{self._what} cannot be downloaded: {why}")
        if code or status or isinstance(error, OSError) or _is_of_a_client(error):
            return GivingUpError(f"{self._kind}Unreachable", f"{self._who} did not deliver {self._what}: {why}")
        return GivingUpError(
            f"{self._kind}Invalid", f"{self._who} described {self._what} in a form that MLflow does not know: {why}"
        )


def _is_of_a_client(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in {"botocore", "boto3", "google", "azure", "requests", "urllib3"}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _statuses(error: Exception) -> Iterator[int]:
    """Every HTTP status that an error of MLflow, requests, botocore, google or azure tells of."""
    for cause in _chain(error):
        response: Any = getattr(cause, "response", None)
        if isinstance(response, dict):  # botocore
            response = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        for status in (response, getattr(response, "status_code", None), getattr(cause, "status_code", None)):
            if isinstance(status, int):
                yield status
    if found := re.search(r"\b(40[134]) (?:Client Error|\()|\((40[134])\)", str(error)):
        yield int(found[1] or found[2])


def _deepest(error: Exception) -> str:
    """What the operating system said, if it began there; else what the client said, without passwords, in one line."""
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror}."
        if isinstance(cause, TimeoutError):
            return "no answer in time."
    said = " ".join(_PASSWORD.sub("//", str(getattr(error, "message", None) or error)).split())
    said = said.partition("##### ")[2] or said  # MLflow's list of failed files
    return f"{said[:_CHARACTERS]}{'…' if len(said) > _CHARACTERS else ''}" or f"{type(error).__name__}."
