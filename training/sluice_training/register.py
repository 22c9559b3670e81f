"""Log a trained model to MLflow and register it as a version that Sluice can roll out.

What a version carries: the run with its parameters and figures, the pipeline saved by skops, a signature, an input
example that works, the rows that judged it with their labels, and the digest of its files as a tag. The digest is taken
from the files as the server gives them back, and written together with the version, so nobody ever sees the version
without it.
"""

from __future__ import annotations

import io
import logging
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

import mlflow
import mlflow.sklearn
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, Schema
from sluice_server.checks import golden
from sluice_server.digest import digest_directory
from sluice_server.trusted_types import TRUSTED_TYPES

from sluice_training.data import CATEGORIES, FEATURES, YEAR
from sluice_training.errors import UserError
from sluice_training.evaluate import answers
from sluice_training.trained import Trained, figures

DIGEST_TAG = "sluice.dev/digest"


@dataclass(frozen=True)
class Registered:
    """A new version of a registered model."""

    name: str
    version: int
    digest: str
    run_id: str


def register(trained: Trained, *, name: str, tracking_uri: str) -> Registered:
    """Log the model in a run of the experiment `name`, then create the next version of the model `name`.

    Raises:
        UserError: the pipeline does not answer its own input example, so no pod could warm it up; or MLflow refuses.
    """
    if not answers(trained.pipeline, trained.example).all():
        raise UserError("The model does not answer its own input example, so no pod could warm it up: not registered.")
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(tracking_uri)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        run_id, model_uri = _log(trained, name)
        digest = stored_digest(model_uri)
        created = _create_version(name, model_uri, digest)
    except (MlflowException, OSError) as error:
        raise UserError(f"MLflow at {tracking_uri} failed: {str(error).splitlines()[0]}") from error
    return Registered(name, int(created.version), digest, run_id)


def stored_digest(model_uri: str) -> str:
    """The digest of a model's files as MLflow's client downloads them."""
    with tempfile.TemporaryDirectory(prefix="sluice-digest-") as folder:
        return digest_directory(Path(mlflow.artifacts.download_artifacts(model_uri, dst_path=folder)))


def signature() -> ModelSignature:
    """Every feature is a column that must be sent; its value may be missing. The answer is the name of a species."""
    inputs = [ColSpec(_column_type(name), name) for name in FEATURES]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec("string")]))


def _log(trained: Trained, name: str) -> tuple[str, str]:
    """Returns the id of the run and the URI of the logged model (`models:/m-…`, not registered yet)."""
    mlflow.set_experiment(name)
    with redirect_stdout(io.StringIO()), mlflow.start_run(description=trained.description) as run:
        mlflow.log_params(dict(trained.params))
        mlflow.log_metrics(dict(figures(trained.evaluation)))
        logged = mlflow.sklearn.log_model(
            trained.pipeline,
            name=name,
            signature=signature(),
            input_example=trained.example,
            serialization_format="skops",
            skops_trusted_types=list(TRUSTED_TYPES),
            pip_requirements=_requirements(),
        )
        _add_golden_set(trained, logged.model_id)
    return run.info.run_id, logged.model_uri


def _add_golden_set(trained: Trained, model_id: str) -> None:
    """Put the rows that judged the model among its files, before anybody takes a digest of them."""
    with tempfile.TemporaryDirectory(prefix="sluice-golden-") as folder:
        trained.golden.write(Path(folder))
        mlflow.MlflowClient().log_model_artifacts(model_id, folder, golden.FOLDER)


def _create_version(name: str, model_uri: str, digest: str) -> ModelVersion:
    with redirect_stderr(io.StringIO()):  # it would tell there what the command line tells anyway
        return mlflow.register_model(model_uri, name, tags={DIGEST_TAG: digest})


def _column_type(name: str) -> str:
    if name in CATEGORIES:
        return "string"
    return "long" if name == YEAR else "double"


def _requirements() -> list[str]:
    """What the model needs. Stated, because MLflow would otherwise load the model in a new process to find out."""
    return [f"{package}=={installed(package)}" for package in ("numpy", "pandas", "scikit-learn", "skops")]
