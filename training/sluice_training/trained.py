"""A fitted model together with everything that is told about it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import pandas as pd
from sklearn.pipeline import Pipeline
from sluice_server.checks.golden import GoldenRows

from sluice_training.data import FEATURES, Dataset, load, to_records
from sluice_training.demo import DemoVersion
from sluice_training.errors import UserError
from sluice_training.evaluate import Evaluation, answers, evaluate
from sluice_training.metrics import Scores
from sluice_training.pipelines import build, candidate
from sluice_training.splits import Split, split

Params = Mapping[str, str | int]


@dataclass(frozen=True)
class Trained:
    """A fitted pipeline, one row that it answers, and how it did.

    golden: the held-out rows that its author judged it by, with their labels.
    evaluation: on held-out rows as the author of the model prepared them; this is what goes into MLflow.
    reality: on held-out rows as clients send them. The two differ only for the demo's careless versions.
    """

    pipeline: Pipeline
    example: pd.DataFrame
    golden: GoldenRows
    evaluation: Evaluation
    reality: Evaluation
    description: str
    params: Params


def train_candidate(name: str, *, seed: int = 0) -> Trained:
    """Train a candidate on the training rows.

    Raises:
        UserError: no candidate has this name.
    """
    parts = split(load(), seed=seed)
    pipeline = build(name, seed=seed).fit(parts.train.features, parts.train.species)
    params: Params = {"model": name, "seed": seed, "rows": len(parts.train)}
    return _judge(pipeline, parts, parts, candidate(name).summary, params)


def train_demo_version(version: DemoVersion, *, seed: int = 0) -> Trained:
    """Train one of the demo's versions as its recipe says."""
    parts = split(load(), seed=seed)
    prepared = version.seen_by_its_author(parts)
    params: Params = {"kind": version.kind, "model": version.model, "seed": seed, "rows": len(prepared.train)}
    trained = _judge(version.fit(parts, seed=seed), prepared, parts, version.summary, params)
    version.deliver(trained.pipeline)
    return trained


def example_row(pipeline: Pipeline, data: Dataset) -> pd.DataFrame:
    """The first complete row that the pipeline answers, as a table of one row.

    Raises:
        UserError: it answers none.
    """
    complete = data.features.dropna()
    for at in range(len(complete)):
        row = complete.iloc[[at]].reset_index(drop=True)
        if answers(pipeline, row).all():
            return row
    raise UserError("The model answers none of its rows, so there is no input example to warm it up with.")


def golden_rows(data: Dataset) -> GoldenRows:
    """Rows and labels in the form in which a gate replays them."""
    rows = tuple(tuple(record[name] for name in FEATURES) for record in to_records(data.features))
    return GoldenRows(FEATURES, rows, tuple(data.species))


def figures(evaluation: Evaluation) -> Iterator[tuple[str, float]]:
    """Names and values to log: `heldout/accuracy`, `heldout/sex/male/accuracy`, …; undefined values are left out."""
    yield from _named("heldout", evaluation.whole.scores)
    for part in evaluation.segments:
        yield from _named(f"heldout/{part.column}/{part.value}", part.scores)


def _judge(pipeline: Pipeline, prepared: Split, real: Split, about: str, params: Params) -> Trained:
    evaluation = evaluate(pipeline, prepared.held_out)
    reality = evaluation if prepared is real else evaluate(pipeline, real.held_out)
    example, golden = example_row(pipeline, prepared.train), golden_rows(prepared.held_out)
    return Trained(pipeline, example, golden, evaluation, reality, about, params)


def _named(prefix: str, scores: Scores | None) -> Iterator[tuple[str, float]]:
    for name, value in asdict(scores).items() if scores else ():
        if not math.isnan(value):
            yield f"{prefix}/{name}", value
