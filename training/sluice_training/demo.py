"""The versions of one model that the demo and the benchmarks roll out.

Each is one real pipeline trained on real rows. The bad ones are bad in the way that happens to people: two authors
prepared the rows carelessly, judged the model on rows prepared in the same way, and saw nothing. Their input example is
such a row too, so a warm-up succeeds, and the fault only shows under real traffic. A third one's model is as good as
any, and asks for each row a service that was quick only where it was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from sluice_training.data import CATEGORIES, Dataset
from sluice_training.errors import UserError
from sluice_training.pipelines import build, preprocessing, slow_down
from sluice_training.splits import Split

MISSED_ISLAND = "Torgersen"
SLOW_SECONDS = 0.3


@dataclass(frozen=True)
class DemoVersion:
    """A recipe: which model, behind which preprocessing, on which rows."""

    kind: str
    summary: str
    model: str
    prepare: Callable[[], ColumnTransformer]
    rows: Callable[[Dataset], Dataset]
    seconds_per_row: float = 0.0

    def seen_by_its_author(self, parts: Split) -> Split:
        """The rows as the author of this version prepared them, to learn from and to judge by."""
        return Split(train=self.rows(parts.train), held_out=self.rows(parts.held_out))

    def fit(self, parts: Split, *, seed: int = 0) -> Pipeline:
        """Train on the author's rows."""
        train = self.seen_by_its_author(parts).train
        return build(self.model, seed=seed, prepare=self.prepare()).fit(train.features, train.species)

    def deliver(self, pipeline: Pipeline) -> None:
        """Change a judged pipeline to what it is like away from its author's machine."""
        if self.seconds_per_row:
            slow_down(pipeline, self.seconds_per_row)


def demo_version(kind: str) -> DemoVersion:
    """Find a recipe by its kind.

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    if kind not in DEMO_VERSIONS:
        raise UserError(f"There is no demo version '{kind}'. Choose one of: {', '.join(DEMO_VERSIONS)}.")
    return DEMO_VERSIONS[kind]


def _as_they_are(data: Dataset) -> Dataset:
    return data


def _without_one_island(data: Dataset) -> Dataset:
    """The rows of one island got lost in an export."""
    return data.where(data.features["island"] != MISSED_ISLAND)


def _lower_cased(data: Dataset) -> Dataset:
    """A clean-up script lower-cased all text; the callers of the model never ran it."""
    text = {name: data.features[name].str.lower() for name in CATEGORIES}
    return Dataset(data.features.assign(**text), data.species)


def _only_the_flipper() -> ColumnTransformer:
    return preprocessing(["flipper_length_mm"], [])


def _strict() -> ColumnTransformer:
    return preprocessing(on_unknown="error")


def _waiting() -> ColumnTransformer:
    return preprocessing(waits=True)


DEMO_VERSIONS: Mapping[str, DemoVersion] = MappingProxyType(
    {
        each.kind: each
        for each in (
            DemoVersion("first", "knows the length of the flipper only", "tree", _only_the_flipper, _as_they_are),
            DemoVersion("better", "uses every feature", "logistic", preprocessing, _as_they_are),
            DemoVersion(
                "failing",
                f"never saw {MISSED_ISLAND}, and its encoder refuses what it does not know",
                "logistic",
                _strict,
                _without_one_island,
            ),
            DemoVersion(
                "broken",
                "learned from lower-cased text, and its encoder refuses what it does not know",
                "logistic",
                _strict,
                _lower_cased,
            ),
            DemoVersion(
                "slow",
                f"uses every feature, and waits {SLOW_SECONDS * 1000:.0f} ms for each row",
                "logistic",
                _waiting,
                _as_they_are,
                SLOW_SECONDS,
            ),
        )
    }
)
