"""`python -m sluice_server.checks.golden_set`: rows with labels, through a new version before its first request."""

import sys
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from sluice_server.checks.answer import FAILED, PASSED, Answer, answered
from sluice_server.checks.asking import Client
from sluice_server.checks.golden import read
from sluice_server.checks.scores import Score, accuracy, mean_absolute_error


class GoldenSettings(BaseSettings):
    """What the operator tells this check; exactly one of `min_accuracy` and `max_mean_absolute_error`."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, protected_namespaces=())

    rows_dir: Path
    candidate_url: str
    stable_url: str
    min_accuracy: float | None = None
    max_mean_absolute_error: float | None = None
    margin_absolute: float | None = None
    max_rows: int = 500


def check(settings: GoldenSettings) -> Answer:
    """Judges the candidate, and stable on the same rows where that is asked for.

    Raises:
        CantTellError: there are no rows, or somebody can't be reached.
    """
    rows = read(settings.rows_dir, f"the {settings.rows_dir.name} version").first(settings.max_rows)
    ask = mean_absolute_error if settings.min_accuracy is None else accuracy
    candidate = ask(Client(settings.candidate_url, "the candidate").predict(rows), rows.labels)
    sentences, good = [_said(settings, candidate)], _good_enough(settings, candidate)
    if settings.margin_absolute is not None:
        stable = ask(Client(settings.stable_url, "stable").predict(rows), rows.labels)
        better = 1 if ask is accuracy else -1
        good = good and better * (candidate.value - stable.value) >= -settings.margin_absolute
        sentences.append(f"stable {_figure(settings, stable)}, at most {settings.margin_absolute:g} worse wanted")
    if candidate.unanswered:
        sentences.append(f"{len(candidate.unanswered)} rows without an answer ({candidate.unanswered[0].why})")
    return Answer(PASSED if good else FAILED, "; ".join(sentences))


def _good_enough(settings: GoldenSettings, score: Score) -> bool:
    if settings.min_accuracy is not None:
        return score.value >= settings.min_accuracy
    return settings.max_mean_absolute_error is None or score.value <= settings.max_mean_absolute_error


def _said(settings: GoldenSettings, score: Score) -> str:
    if settings.min_accuracy is not None:
        return f"accuracy {score.value:.3f} on {score.rows} rows, at least {settings.min_accuracy:g} wanted"
    return (
        f"mean absolute error {score.value:.4g} on {score.rows} rows, at most "
        f"{settings.max_mean_absolute_error:g} wanted"
    )


def _figure(settings: GoldenSettings, score: Score) -> str:
    return f"{score.value:.3f}" if settings.min_accuracy is not None else f"{score.value:.4g}"


if __name__ == "__main__":
    sys.exit(answered(lambda: check(GoldenSettings())))
