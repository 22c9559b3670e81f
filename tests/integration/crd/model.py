"""Which model, and what the object is called."""

from __future__ import annotations

from typing import Any

from tests.integration.crd.objects import ALIAS, DIGEST, VALID, changed
from tests.integration.crd.sentences import (
    ALIAS_DIGEST,
    ALIAS_ELSEWHERE,
    ALIAS_FOLLOWED,
    ALIAS_NAME,
    ALIAS_RESERVED,
    FOLDER,
    HTTP,
    NAME,
    NO_DIGEST,
    PATH,
    RUN,
    STORE,
    UNPINNED,
    URI,
)

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name of 41 characters": (changed(metadata__name="a" * 41), "the name is too long: shorten metadata.name"),
    "name begins with a digit": (changed(metadata__name="7penguins"), NAME),
    "name with a dot": (changed(metadata__name="penguins.v2"), NAME),
    "uri without scheme": (changed(model={"uri": "penguins"}), STORE),
    "uri without alias and version": (changed(model={"uri": "models:/penguins"}), URI),
    "uri with an empty alias": (changed(model={"uri": "models:/penguins@"}), URI),
    "uri with both": (changed(model={"uri": "models:/penguins@champion/7"}), URI),
    "uri with a stage": (changed(model={"uri": "models:/penguins/Production"}), URI),
    "uri with version 0": (changed(model={"uri": "models:/penguins/0"}), URI),
    "uri of a machine": (changed(model={"uri": "file:/models/penguins", "digest": DIGEST}), STORE),
    "path of a machine": (changed(model={"uri": "/models/penguins", "digest": DIGEST}), STORE),
    "run without a path": (changed(model={"uri": "runs:/0b5e"}), RUN),
    "run with a path that climbs": (changed(model={"uri": "runs:/0b5e/../m"}), PATH),
    "bucket alone": (changed(model={"uri": "s3://models", "digest": DIGEST}), FOLDER),
    "slash at the end": (changed(model={"uri": "s3://models/penguins/", "digest": DIGEST}), FOLDER),
    "two slashes": (changed(model={"uri": "s3://models//penguins", "digest": DIGEST}), FOLDER),
    "version of an object": (changed(model={"uri": "s3://models/penguins?versionId=1", "digest": DIGEST}), PATH),
    "web server": (changed(model={"uri": "https://models.example.org/penguins", "digest": DIGEST}), HTTP),
    "password in the uri": (
        changed(model={"uri": "https://me:pw@example.org/mlflow-artifacts/artifacts/m", "digest": DIGEST}),
        HTTP,
    ),
    "bucket without a digest": (changed(model={"uri": "s3://models/penguins"}), UNPINNED),
    "digest of an alias": (changed(model={"uri": "models:/penguins@champion", "digest": DIGEST}), ALIAS_DIGEST),
    "short digest": (changed(model={"uri": "s3://models/penguins", "digest": "sha256:0a"}), NO_DIGEST),
    "promoted alias that is followed": (changed(model={"uri": ALIAS, "promotedAlias": "candidate"}), ALIAS_FOLLOWED),
    "promoted alias with a space": (changed(model={"uri": ALIAS, "promotedAlias": "the best"}), ALIAS_NAME),
    "promoted alias that is reserved": (changed(model={"uri": ALIAS, "promotedAlias": "Latest"}), ALIAS_RESERVED),
    "promoted alias like a version": (changed(model={"uri": ALIAS, "promotedAlias": "v7"}), ALIAS_RESERVED),
    "promoted alias of a bucket": (
        changed(model={"uri": "s3://models/penguins", "promotedAlias": "champion"}),
        ALIAS_ELSEWHERE,
    ),
    "no spec": ({key: value for key, value in VALID.items() if key != "spec"}, "spec: Required value"),
    "no model": (changed(model=None), "spec.model: Required value"),
    "no uri": (changed(model={}), "spec.model.uri: Required value"),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "the smallest object": VALID,
    "name of 40 characters": changed(metadata__name="a" * 40),
    "name with digits and dashes": changed(metadata__name="penguins-2"),
    "uri with a version": changed(model={"uri": "models:/penguins/7"}),
    "uri with a long version": changed(model={"uri": "models:/penguins/1234567890"}),
    "model name with spaces": changed(model={"uri": "models:/adelie penguins@champion"}),
    "uri with a version and a digest": changed(model={"uri": "models:/penguins/7", "digest": DIGEST}),
    "run": changed(model={"uri": "runs:/0b5e6c1f0d3b4f6c8a7d9e2f1a3c5b7d/model"}),
    "run with a digest": changed(model={"uri": "runs:/0b5e/models/best", "digest": DIGEST}),
    **{
        f"{uri.partition(':')[0]} store": changed(model={"uri": uri, "digest": DIGEST})
        for uri in (
            "s3://models/penguins",
            "gs://models/a/penguins-v1.2",
            "abfss://models@account.dfs.core.windows.net/penguins",
            "wasbs://models@account.blob.core.windows.net/penguins",
            "https://mlflow.example.org/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts",
            "http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts",
            "mlflow-artifacts:/1/models/m-1/artifacts",
        )
    },
    "promoted alias": changed(model={"uri": ALIAS, "promotedAlias": "champion"}),
    "promoted alias that ends alike": changed(
        model={"uri": "models:/penguins@the-champion", "promotedAlias": "champion"}
    ),
    "promoted alias beside a version": changed(model={"uri": "models:/penguins/7", "promotedAlias": "v7x"}),
    "paused": changed(paused=True),
}
