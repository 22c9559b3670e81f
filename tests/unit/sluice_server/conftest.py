"""Models and a running server, made once for all tests of the server."""

import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():  # MLflow warns about its own code while it is imported
    warnings.simplefilter("ignore")
    importlib.import_module("mlflow.pyfunc")

from sluice_server.engine import Engine, load

from tests.unit.sluice_server import models
from tests.unit.sluice_server.collecting import Collector, collecting
from tests.unit.sluice_server.running import Running, start


@pytest.fixture(scope="session")
def classifier_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.save(models.classifier(unknown_island="error"), tmp_path_factory.mktemp("models") / "classifier")


@pytest.fixture(scope="session")
def tensor_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.save_tensor_regressor(tmp_path_factory.mktemp("models") / "tensor")


@pytest.fixture(scope="session")
def classifier(classifier_dir: Path) -> Engine:
    return load(classifier_dir, trust_pickle=False)


@pytest.fixture(scope="session")
def server(classifier_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(classifier_dir, tmp_path_factory.mktemp("server"), SLUICE_WORKERS="2")
    yield running
    running.stop()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector
