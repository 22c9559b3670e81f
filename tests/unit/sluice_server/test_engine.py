"""What is loaded, what is refused, and the sentence that says why."""

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.models import infer_signature
from sluice_server.engine import Engine, load
from sluice_server.errors import BadRequestError, ModelFaultError
from sluice_server.termination import GivingUpError
from sluice_server.warmup import warm_up

from tests.unit.sluice_server import models


def edit(directory: Path, change: Any) -> Path:
    file = directory / "MLmodel"
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content))
    return directory


@pytest.fixture
def saved(tmp_path: Path, classifier_dir: Path) -> Path:
    return Path(shutil.copytree(classifier_dir, tmp_path / "model"))


def test_a_pipeline_is_loaded_and_warm(classifier_dir: Path, classifier: Engine) -> None:
    assert warm_up(classifier, classifier_dir) is True
    assert classifier.predict(models.ROWS.head(2)).tolist() == models.SPECIES[:2].tolist()


@pytest.mark.parametrize("boosted", [False, True])
def test_trees_are_on_the_allow_list(tmp_path: Path, boosted: bool) -> None:
    directory = models.save_trees(tmp_path / "model", boosted=boosted)
    assert warm_up(load(directory, trust_pickle=False), directory) is True


def test_estimators_do_not_start_processes_of_their_own(classifier: Engine) -> None:
    pipeline = classifier._pyfunc._model_impl._predict.__self__
    assert pipeline.get_params()["columntransformer__n_jobs"] == 1


def test_the_prediction_function_of_the_model_is_used(tmp_path: Path) -> None:
    directory = models.save(models.classifier(), tmp_path / "model", pyfunc_predict_fn="predict_proba")
    assert load(directory, trust_pickle=False).predict(models.ROWS.head(2)).shape == (2, 3)


def test_a_pickle_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    directory = models.save(models.classifier(), tmp_path / "model", serialization_format="cloudpickle")
    with pytest.raises(GivingUpError, match=r"^UntrustedModel: .*cloudpickle"):
        load(directory, trust_pickle=False)
    assert warm_up(load(directory, trust_pickle=True), directory) is True


def test_a_python_model_is_served_if_it_is_trusted(tmp_path: Path) -> None:
    rows = pd.DataFrame({"x": [1.5, 2.5]})
    with warnings.catch_warnings(record=True):  # MLflow's advice on type hints

        class Doubling(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # MLflow has no types
            def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
                return model_input["x"] * params["factor"]

        mlflow.pyfunc.save_model(
            str(tmp_path / "model"),
            python_model=Doubling(),
            signature=infer_signature(rows, rows["x"], params={"factor": 2}),
            input_example=rows,
            pip_requirements=["mlflow"],
        )
    with pytest.raises(GivingUpError, match=r"^UntrustedModel: .*loader mlflow.pyfunc.model"):
        load(tmp_path / "model", trust_pickle=False)
    engine = load(tmp_path / "model", trust_pickle=True)
    assert warm_up(engine, tmp_path / "model") is True
    assert engine.predict(rows, {"factor": 3}).tolist() == [4.5, 7.5]


def test_code_in_the_model_is_refused(saved: Path) -> None:
    edit(saved, lambda content: content["flavors"]["python_function"].update(code="code"))
    with pytest.raises(GivingUpError, match=r"^UntrustedModel: .*own code"):
        load(saved, trust_pickle=False)


def test_a_type_off_the_allow_list_is_refused_even_if_the_model_trusts_it(tmp_path: Path) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = make_pipeline(FunctionTransformer(os.path.basename), models.classifier())
    directory = models.save(model, tmp_path / "model", skops_trusted_types=["numpy.dtype", "posixpath.basename"])
    with pytest.raises(GivingUpError, match=r"^UntrustedModel: .*does not trust: posixpath.basename"):
        load(directory, trust_pickle=False)


@pytest.mark.parametrize("name", ["../outside.skops", "/etc/passwd"])
def test_a_path_out_of_the_model_is_refused(saved: Path, name: str) -> None:
    edit(saved, lambda content: content["flavors"]["sklearn"].update(pickled_model=name))
    with pytest.raises(GivingUpError, match="outside the model"):
        load(saved, trust_pickle=False)


def test_an_unknown_prediction_function_is_refused(saved: Path) -> None:
    edit(saved, lambda content: content["flavors"]["python_function"].update(predict_fn="__init__"))
    with pytest.raises(GivingUpError, match="unknown prediction function"):
        load(saved, trust_pickle=False)


def test_a_missing_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(GivingUpError, match=r"^ModelLoadFailed: .*MLmodel cannot be read"):
        load(tmp_path, trust_pickle=False)


def test_a_broken_file_is_a_sentence(saved: Path) -> None:
    (saved / "model.skops").write_bytes(b"no zip file")
    with pytest.raises(GivingUpError, match=r"^ModelLoadFailed: BadZipFile"):
        load(saved, trust_pickle=False)


def test_a_model_without_pyfunc_flavor_is_a_sentence(saved: Path) -> None:
    edit(saved, lambda content: content["flavors"].pop("python_function"))
    with pytest.raises(GivingUpError, match=r"^ModelLoadFailed: .*python_function"):
        load(saved, trust_pickle=False)


def test_a_model_that_fails_on_its_own_example_does_not_get_ready(saved: Path) -> None:
    models.change_example(saved, island="Atlantis")
    with pytest.raises(GivingUpError, match=r"^WarmUpFailed: .*Atlantis"):
        warm_up(load(saved, trust_pickle=False), saved)


def test_an_example_that_does_not_fit_the_signature_is_a_sentence(saved: Path) -> None:
    models.change_example(saved, mass="heavy")
    with pytest.raises(GivingUpError, match=r"^WarmUpFailed: .*mass"):
        warm_up(load(saved, trust_pickle=False), saved)


def test_an_example_outside_the_model_is_refused(saved: Path) -> None:
    edit(saved, lambda content: content["saved_input_example_info"].update(serving_input_path="../../x"))
    with pytest.raises(GivingUpError, match=r"^UntrustedModel: "):
        warm_up(load(saved, trust_pickle=False), saved)


def test_without_an_example_there_is_nothing_to_warm_up(saved: Path) -> None:
    edit(saved, lambda content: content.pop("saved_input_example_info"))
    assert warm_up(load(saved, trust_pickle=False), saved) is False


def test_a_request_that_does_not_fit_is_the_clients_fault(classifier: Engine) -> None:
    with pytest.raises(BadRequestError, match=r"missing inputs \['island'\]") as caught:
        classifier.predict(models.ROWS[["length", "mass"]])
    assert (caught.value.status, caught.value.code) == (400, "INVALID_PARAMETER_VALUE")


def test_a_bad_parameter_is_the_clients_fault(classifier: Engine) -> None:
    with pytest.raises(BadRequestError, match="temperature"):
        classifier.predict(models.ROWS.head(1), {"temperature": "hot"})


def test_a_fault_of_the_model_keeps_its_cause_for_the_log(classifier: Engine) -> None:
    rows = models.ROWS.head(1).assign(island="Atlantis")
    with pytest.raises(ModelFaultError) as caught:
        classifier.predict(rows)
    assert "Atlantis" in str(caught.value.__cause__)
    assert "Atlantis" not in caught.value.message


def test_predictions_are_those_of_the_estimator(classifier: Engine) -> None:
    expected = models.classifier(unknown_island="error").predict(models.ROWS)
    np.testing.assert_array_equal(classifier.predict(models.ROWS), expected)
