"""Data, and a real tracking server that is started in the way the manifest starts it in the cluster."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

with warnings.catch_warnings():  # MLflow warns about its own code while it is imported
    warnings.simplefilter("ignore")
    import mlflow.pyfunc.scoring_server
    import mlflow.sklearn  # noqa: F401

from sluice_training.data import Dataset, load
from sluice_training.demo import DEMO_VERSIONS
from sluice_training.register import Registered, register
from sluice_training.splits import Split, split
from sluice_training.trained import Trained, train_demo_version
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tests.unit.sluice_training import tracking

PER_PROCESS = (
    ("_tracking_service.utils", "_tracking_uri"),
    ("_model_registry.utils", "_registry_uri"),
    ("fluent", "_active_experiment_id"),
)


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """As the command line does: threads of OpenMP on a busy machine only wait for each other."""
    with threadpool_limits(1):
        yield


@contextmanager
def _mlflow_as_it_was() -> Iterator[None]:
    """`register` is made for a process of its own: MLflow keeps server and experiment per process and for its children.

    Tests of other packages may follow in this one.
    """
    with pytest.MonkeyPatch.context() as process:
        for module, name in PER_PROCESS:
            process.setattr(f"mlflow.tracking.{module}.{name}", None)
        for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID"):
            process.setenv(variable, "")  # so that it is known whether it was there
            process.delenv(variable)
        yield


@pytest.fixture(scope="module", autouse=True)
def _nothing_stays() -> Iterator[None]:
    with _mlflow_as_it_was():
        yield


@pytest.fixture(scope="session")
def data() -> Dataset:
    return load()


@pytest.fixture(scope="session")
def parts(data: Dataset) -> Split:
    return split(data)


@pytest.fixture(scope="session")
def demo() -> dict[str, Trained]:
    return {kind: train_demo_version(version) for kind, version in DEMO_VERSIONS.items()}


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tracking.serve(tmp_path_factory.mktemp("mlflow")) as uri:
        yield uri


@pytest.fixture(scope="session")
def registered(tracking_uri: str, demo: dict[str, Trained]) -> dict[str, Registered]:
    with _mlflow_as_it_was():
        return {kind: register(each, name="penguins", tracking_uri=tracking_uri) for kind, each in demo.items()}
