"""Small real models, saved by MLflow the way training saves them."""

import json
import warnings
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sluice_server.trusted_types import TRUSTED_TYPES

ROWS = pd.DataFrame(
    {
        "length": [39.1, 46.5, None, 50.0, 38.8, 45.2, 49.3, 36.7] * 5,
        "mass": [3750.0, 4500.0, 3200.0, 5700.0, 3450.0, None, 5400.0, 3300.0] * 5,
        "island": ["Torgersen", "Dream", "Dream", "Biscoe", "Torgersen", "Biscoe", "Biscoe", "Dream"] * 5,
    }
)
SPECIES = np.array(["Adelie", "Chinstrap", "Adelie", "Gentoo", "Adelie", "Gentoo", "Gentoo", "Adelie"] * 5)
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(DataType.double, "length", required=False),
            ColSpec(DataType.double, "mass", required=False),
            ColSpec(DataType.string, "island"),
        ]
    ),
    outputs=Schema([ColSpec(DataType.string)]),
    params=ParamSchema([ParamSpec("temperature", DataType.double, 1.0)]),
)


def classifier(*, unknown_island: str = "ignore") -> Pipeline:
    """Imputers and encoders in one pipeline; with unknown_island="error" it fails on islands it has not seen."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, ["length", "mass"]), (OneHotEncoder(handle_unknown=unknown_island), ["island"]), n_jobs=2
    )
    return make_pipeline(columns, LogisticRegression()).fit(ROWS, SPECIES)


def save(model: Any, directory: Path, **options: Any) -> Path:
    """Saves a pipeline on penguins in MLflow's format."""
    defaults: dict[str, Any] = {
        "signature": SIGNATURE,
        "input_example": ROWS.head(2),
        "skops_trusted_types": list(TRUSTED_TYPES),
        "pip_requirements": ["scikit-learn"],  # or MLflow starts an interpreter to find out, which takes seconds
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints of MLflow about integer columns and pickles
        mlflow.sklearn.save_model(model, str(directory), **(defaults | options))
    return directory


def save_tensor_regressor(directory: Path) -> Path:
    """A model whose signature is a tensor of shape (-1, 3)."""
    numbers = np.arange(30.0).reshape(10, 3)
    model = LinearRegression().fit(numbers, numbers.sum(axis=1))
    return save(model, directory, signature=infer_signature(numbers, model.predict(numbers)), input_example=numbers[:2])


def save_trees(directory: Path, *, boosted: bool) -> Path:
    """A forest or boosted trees, whose nodes are types of their own; the integer columns are exact."""
    rows = pd.DataFrame({"x": np.arange(40), "y": np.arange(40)[::-1] * 0.5})
    kind = HistGradientBoostingRegressor(max_iter=3) if boosted else RandomForestRegressor(n_estimators=3, n_jobs=-1)
    model = kind.fit(rows, np.arange(40.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signature = infer_signature(rows, model.predict(rows))
    return save(model, directory, signature=signature, input_example=rows.head(2))


def change_example(directory: Path, **values: Any) -> None:
    """Overwrites cells in the first row of the saved serving example."""
    file = directory / "serving_input_example.json"
    example = json.loads(file.read_text())
    split = example["dataframe_split"]
    for column, value in values.items():
        split["data"][0][split["columns"].index(column)] = value
    file.write_text(json.dumps(example))
