"""Where the files are that a run has logged (facts tried against MLflow 3.17)."""

from __future__ import annotations

from typing import Any

from sluice.registry.rest import MissingError, RefusalError, Rest
from sluice.registry.uri import RunUri

API = "api/2.0/mlflow"


async def artifact_uri(rest: Rest, wanted: RunUri) -> str:
    """Return the address of the artifacts behind `runs:/RUN/PATH`.

    MLflow 3 keeps a model that a run logs beside the run, in a place of its own; the run's own folder has it only when
    an older client logged it. As in MLflow, the logged model counts, and of several with one name the newest.

    Raises:
        RefusalError: there is no such run, the model is not complete, or the registry did not answer.
    """
    run = await _run(rest, wanted)
    name, _, below = wanted.path.partition("/")
    model = await _logged_model(rest, str(run.get("experiment_id")), wanted.run_id, name)
    if model is None:
        return _joined(run, wanted.path)
    if (status := model.get("status", "LOGGED_MODEL_READY")) != "LOGGED_MODEL_READY":
        raise RefusalError(
            "VersionNotReady",
            f"model {name!r} of run {wanted.run_id} is {status}: wait until it is logged, or log it again",
        )
    return _joined(model, below)


async def _run(rest: Rest, wanted: RunUri) -> dict[str, Any]:
    try:
        answer = await rest.json(f"{API}/runs/get", run_id=wanted.run_id)
    except MissingError:
        raise RefusalError(
            "RunNotFound", f"the registry at {rest.address} has no run {wanted.run_id}: correct spec.model.uri"
        ) from None
    return _info(rest, answer.get("run"))


async def _logged_model(rest: Rest, experiment: str, run_id: str, name: str) -> dict[str, Any] | None:
    """Return the newest logged model of a name; neither name nor ID can have a quote in it."""
    try:
        answer = await rest.post(
            f"{API}/logged-models/search",
            experiment_ids=[experiment],
            filter=f"name = '{name}' AND source_run_id = '{run_id}'",
            order_by=[{"field_name": "creation_timestamp", "ascending": False}],
            max_results=1,
        )
    except MissingError:  # no name that a logged model can have
        return None
    models = answer.get("models", [])
    if not isinstance(models, list):
        raise _strange(rest)
    return _info(rest, models[0]) if models else None


def _info(rest: Rest, entity: object) -> dict[str, Any]:
    info = entity.get("info") if isinstance(entity, dict) else None
    if not isinstance(info, dict) or not info.get("artifact_uri"):
        raise _strange(rest)
    return info


def _joined(info: dict[str, Any], path: str) -> str:
    root = str(info["artifact_uri"]).rstrip("/")
    return f"{root}/{path}" if path else root


def _strange(rest: Rest) -> RefusalError:
    return RefusalError(
        "RegistryInvalid",
        f"{rest.address} described a run in a form that is not MLflow's: check the operator's tracking URI",
    )
