"""Loads one model without trusting it, and asks it for predictions."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel

from sluice_server.errors import BadRequestError, ModelFaultError
from sluice_server.termination import GivingUpError
from sluice_server.trusted_types import TRUSTED_TYPES

_PREDICTORS = frozenset({"predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba"})

log = logging.getLogger(__name__)


class Engine:
    """A loaded model behind its signature."""

    def __init__(self, metadata: Any, model: Any, predict_fn: str = "predict") -> None:
        self.metadata = metadata
        self.input_schema = metadata.get_input_schema()
        self.output_schema = metadata.get_output_schema()
        params = metadata.get_params_schema()
        self.param_names = tuple(param.name for param in params.params) if params is not None else ()
        self._pyfunc = PyFuncModel(model_meta=metadata, model_impl=_Faults(getattr(model, predict_fn)))

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Predictions for `data`, which is whatever MLflow's parsers made of a request.

        Raises:
            BadRequestError: data or params do not fit the signature.
            ModelFaultError: they fit, and the model failed.
        """
        try:
            return self._pyfunc.predict(data, params)
        except MlflowException as error:
            raise BadRequestError(_why(error), code=error.error_code) from error


def load(directory: Path, *, trust_pickle: bool) -> Engine:
    """The model in `directory`; of formats that can run code only if `trust_pickle`.

    Raises:
        GivingUpError: UntrustedModel or ModelLoadFailed, with the sentence for the user.
    """
    metadata = _metadata(directory)
    pyfunc = metadata.flavors.get("python_function")
    if pyfunc is None:
        raise GivingUpError(
            "ModelLoadFailed", "the model has no python_function flavor: log it with MLflow's log_model."
        )
    try:
        sklearn = metadata.flavors.get("sklearn", {})
        if sklearn.get("serialization_format") == "skops" and not _code_of(metadata):
            return _load_skops(directory, metadata, sklearn["pickled_model"])
        if trust_pickle:
            return _load_trusted(directory, metadata)
    except GivingUpError:
        raise
    except Exception as error:
        log.exception("the model cannot be loaded")
        raise GivingUpError("ModelLoadFailed", f"{type(error).__name__}: {error}") from error
    if code := _code_of(metadata):
        raise GivingUpError("UntrustedModel", f"the model brings its own code ({code}), which would run in the server.")
    how = sklearn.get("serialization_format") or f"its own loader {pyfunc.get('loader_module')}"
    raise GivingUpError(
        "UntrustedModel",
        f"the model is saved with {how}, which can run any code while it is loaded: save it with "
        "serialization_format='skops', or trust pickles in the ModelDeployment.",
    )


def _metadata(directory: Path) -> Any:
    try:
        return Model.load(str(directory / "MLmodel"))
    except Exception as error:
        raise GivingUpError("ModelLoadFailed", f"{directory / 'MLmodel'} cannot be read: {error}") from error


def _code_of(metadata: Any) -> str | None:
    return next((flavor["code"] for flavor in metadata.flavors.values() if flavor.get("code")), None)


def _load_skops(directory: Path, metadata: Any, name: str) -> Engine:
    import skops.io  # noqa: PLC0415 - seconds of imports that other formats do not need

    file = (directory / name).resolve()
    if not file.is_relative_to(directory.resolve()):
        raise GivingUpError("UntrustedModel", f"MLmodel names a file outside the model: {name}.")
    unknown = set(skops.io.get_untrusted_types(file=file))
    if refused := sorted(unknown.difference(TRUSTED_TYPES)):
        raise GivingUpError("UntrustedModel", f"the model holds types the server does not trust: {', '.join(refused)}.")
    estimator = skops.io.load(file, trusted=sorted(unknown))
    _one_job(estimator)
    predict_fn = metadata.flavors["python_function"].get("predict_fn", "predict")
    if predict_fn not in _PREDICTORS:
        raise GivingUpError("ModelLoadFailed", f"the model asks for the unknown prediction function {predict_fn}.")
    return Engine(metadata, estimator, predict_fn)


def _load_trusted(directory: Path, metadata: Any) -> Engine:
    import mlflow.pyfunc  # noqa: PLC0415

    log.warning("loading a format that can run code, because the ModelDeployment trusts it")
    loaded = mlflow.pyfunc.load_model(str(directory), suppress_warnings=True)
    return Engine(metadata, loaded._model_impl, metadata.flavors["python_function"].get("predict_fn", "predict"))


def _one_job(estimator: Any) -> None:
    """Parallelism belongs to workers and threads: an estimator that starts processes per request is slower."""
    jobs = {name: 1 for name in estimator.get_params(deep=True) if name == "n_jobs" or name.endswith("__n_jobs")}
    estimator.set_params(**jobs)


class _Faults:
    """Tells what the model raises apart from what the checks before it raise."""

    def __init__(self, predict: Callable[..., Any]) -> None:
        self._predict = predict
        params = inspect.signature(predict).parameters.get("params")
        self._takes_params = params is not None and params.kind is not inspect.Parameter.VAR_KEYWORD

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        try:
            return self._predict(data, params=params) if self._takes_params else self._predict(data)
        except Exception as error:
            raise ModelFaultError("The model failed on this request; the server's log says why.") from error


def _why(error: Any) -> str:
    """MLflow's reason without the whole request in it."""
    cause = error.__context__
    reason = getattr(cause, "message", None) or (str(cause) if cause else error.message)
    return f"The request does not fit the model's signature. {reason}"
