"""What each command of `sluice-train` does. The imports stand inside the functions for the sake of quick commands."""

# ruff: noqa: PLC0415
from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from sluice_training.errors import UserError
from sluice_training.registry import Registry, check_alias, check_name

if TYPE_CHECKING:
    from sluice_training.trained import Trained

TABLE_WIDTH = 160


def validate(chosen: Namespace) -> None:
    """Print the table of all candidates."""
    from sluice_training.data import load
    from sluice_training.pipelines import CANDIDATES
    from sluice_training.splits import split
    from sluice_training.tables import validation_table
    from sluice_training.validate import validate as run

    console = _console()
    train = split(load(), seed=chosen.seed).train
    results = []
    for result in run(_words(chosen.models) or list(CANDIDATES), train, folds=chosen.folds, seed=chosen.seed):
        console.print(f"· {result.model}: {CANDIDATES[result.model].summary}")
        results.append(result)
    console.print(validation_table(results, folds=chosen.folds, rows=len(train)))


def evaluate(chosen: Namespace) -> None:
    """Print the table of one model on held-out rows."""
    from sluice_training.data import load
    from sluice_training.evaluate import check_columns
    from sluice_training.evaluate import evaluate as run
    from sluice_training.pipelines import build
    from sluice_training.splits import split
    from sluice_training.tables import evaluation_table

    parts = split(load(), seed=chosen.seed)
    pipeline = build(chosen.model, seed=chosen.seed)
    check_columns(_words(chosen.by), parts.held_out)
    pipeline.fit(parts.train.features, parts.train.species)
    _console().print(evaluation_table(run(pipeline, parts.held_out, by=_words(chosen.by)), model=chosen.model))


def register(chosen: Namespace) -> None:
    """Train a candidate and register it; the alias is moved last, when everything else is in place."""
    registry = _checked(chosen)
    from sluice_training.pipelines import candidate

    candidate(chosen.model)
    registry.check_alive()
    from sluice_training.trained import train_candidate

    _store(registry, chosen.model, train_candidate(chosen.model, seed=chosen.seed), chosen)


def demo_version(chosen: Namespace) -> None:
    """Make one of the demo's versions."""
    _make_demo_versions([chosen.kind], chosen)


def demo_versions(chosen: Namespace) -> None:
    """Make several of the demo's versions in one process; the imports cost more than the training."""
    _make_demo_versions(_words(chosen.kinds), chosen)


def alias(chosen: Namespace) -> None:
    """Move an alias."""
    registry = _checked(chosen)
    registry.set_alias(chosen.name, chosen.alias, chosen.version)
    _console().print(f"✓ {chosen.name}@{chosen.alias} is version {chosen.version}")
    print(json.dumps({"name": chosen.name, "alias": chosen.alias, "version": chosen.version}))


def digest(chosen: Namespace) -> None:
    """Print the digest of a folder: the line alone, for scripts and for pasting."""
    from pathlib import Path

    from sluice_server.digest import UnsafeFileError, digest_directory

    folder = Path(chosen.folder)
    if not (folder / "MLmodel").is_file():
        raise UserError(f"{folder} holds no model: name the folder with the file MLmodel.")
    try:
        print(digest_directory(folder))
    except (UnsafeFileError, OSError) as error:
        raise UserError(f"{folder} has no digest: {error}.") from error


def rows(chosen: Namespace) -> None:
    """Print the rows that clients of the demo send."""
    from sluice_training.data import request_rows

    for row in request_rows(seed=chosen.seed):
        print(json.dumps(row, allow_nan=False))


def _make_demo_versions(kinds: Sequence[str], chosen: Namespace) -> None:
    registry = _checked(chosen)
    if not kinds:
        raise UserError("No kind of demo version is named.")
    from sluice_training.demo import demo_version as recipe

    versions = [recipe(kind) for kind in kinds]
    registry.check_alive()
    from sluice_training.trained import train_demo_version

    for version in versions:
        _console().print(f"· training '{version.kind}': {version.summary}")
        _store(registry, version.kind, train_demo_version(version), chosen)


def _store(registry: Registry, kind: str, trained: Trained, chosen: Namespace) -> None:
    """Register, then move the alias if one is wished, then tell."""
    from sluice_training.register import register as run

    made = run(trained, name=chosen.name, tracking_uri=registry.uri)
    wished = getattr(chosen, "alias", None)
    if wished:
        registry.set_alias(made.name, wished, made.version)
    title = f"{made.name} version {made.version} ('{kind}')" + (f", alias {wished}" if wished else "")
    _console().print(f"✓ {title}: {_told(trained)}")
    print(json.dumps({"kind": kind, "alias": wished, **asdict(made)}), flush=True)


def _told(trained: Trained) -> str:
    whole, real = trained.evaluation.whole, trained.reality.whole
    seen = f"accuracy {whole.scores.accuracy:.3f} on {whole.rows} held-out rows" if whole.scores else "no answer"
    if not real.failed:
        return seen
    return f"{seen} as its author prepared them; fails on {real.failed} of {real.rows} as clients send them"


def _checked(chosen: Namespace) -> Registry:
    """Refuse bad input before anything slow is done."""
    check_name(chosen.name)
    if getattr(chosen, "alias", None) is not None:
        check_alias(chosen.alias)
    uri = chosen.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise UserError("No MLflow tracking server is named: give --tracking-uri or set MLFLOW_TRACKING_URI.")
    return Registry(uri.rstrip("/"))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _console() -> Console:
    """For people, on standard error; wide enough for the tables when it is not a terminal."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=TABLE_WIDTH)
