"""Which model is served: the `model` part of a spec."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sluice.api.base import ApiModel, cel, matching, validations

Digest = Annotated[
    str,
    matching(
        r"^sha256:[0-9a-f]{64}$",
        "this is not a digest: write sha256: and 64 hex digits, as `sluice-train digest FOLDER` prints it",
        max_length=71,
    ),
]

AliasName = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9_-]+$",
        "this is not the name of an alias: use letters, digits, '_' and '-', for example champion",
        max_length=255,
    ),
]


DIGEST_RULES = (
    cel(
        "has(self.digest) || self.uri.matches('^(models|runs):')",
        "a store can change what it holds: set model.digest too, which `sluice-train digest FOLDER` prints "
        "for a copy of the model",
    ),
    cel(
        "!has(self.digest) || !self.uri.startsWith('models:') || !self.uri.contains('@')",
        "an alias moves, and the digest would not move with it: remove model.digest, or name a version",
    ),
)


class ModelVersion(ApiModel):
    """Where a model comes from."""

    uri: str = Field(
        max_length=500,
        description="models:/NAME@ALIAS follows an alias of the MLflow registry; models:/NAME/VERSION stays at one; "
        "runs:/RUN_ID/PATH is what a run has logged; or the address of a folder in an object store.",
        json_schema_extra=validations(
            cel(
                "self.matches('^((models|runs|mlflow-artifacts):/|(s3|gs|abfss|wasbs|https?)://)')",
                "write models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN_ID/PATH or the address of a folder in a "
                "store that pods reach, with s3://, gs://, abfss://, wasbs://, https:// or mlflow-artifacts:/",
            ),
            cel(
                "!self.startsWith('models:') || self.matches('^models:/[^/@]+(@[^/@]+|/[1-9][0-9]*)$')",
                "write models:/NAME@ALIAS or models:/NAME/VERSION with a whole number, "
                "for example models:/penguins@champion or models:/penguins/7",
            ),
            cel(
                "!self.startsWith('runs:') || self.matches('^runs:/[A-Za-z0-9][A-Za-z0-9_-]*(/[^/]+)+$')",
                "write runs:/RUN_ID/PATH, where PATH is the name the model was logged with, "
                "for example runs:/0b5e6c1f0d3b4f6c8a7d9e2f1a3c5b7d/model",
            ),
            cel(
                "self.matches('^(models|runs):') || self.matches('^[a-z0-9-]+:(//[^/]+)?(/[^/]+)+$')",
                "name a folder inside the store, without a slash at the end, for example s3://bucket/models/penguins",
            ),
            cel(
                r"self.startsWith('models:') || !self.matches('[?#%\'\"\\\\\\s]|/[.]{1,2}(/|$)')",
                "the path has spaces, quotes, '?', '#', '%' or '..': name the folder as the store shows it; "
                "tokens belong into a Secret of server.envFrom",
            ),
            cel(
                "!self.matches('^https?:') || self.matches('^https?://[^/@]+/.*mlflow-artifacts/artifacts/')",
                "over HTTP only MLflow serves folders: write "
                "https://HOST/api/2.0/mlflow-artifacts/artifacts/PATH, without a password in it",
            ),
        ),
    )
    digest: Digest | None = Field(
        default=None,
        description="What the files of the model must be; needed where no registry says it. "
        "`sluice-train digest FOLDER` prints it.",
    )

    model_config = ApiModel.model_config | {"json_schema_extra": validations(*DIGEST_RULES)}

    @property
    def reference(self) -> str:
        """Return all that says which model is wanted, in one text."""
        return reference(self.uri, self.digest)


class ModelSource(ModelVersion):
    """Where the model comes from, and whom its registry is to be told of."""

    promoted_alias: AliasName | None = Field(
        default=None, description="An alias of the same model that Sluice moves to each version it has promoted."
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            *DIGEST_RULES,
            cel(
                "!has(self.promotedAlias) || self.uri.startsWith('models:/')",
                "only a model of the registry has aliases: remove model.promotedAlias, or name the model as "
                "models:/NAME@ALIAS",
            ),
            cel(
                "!has(self.promotedAlias) || !self.uri.endsWith('@' + self.promotedAlias)",
                "model.promotedAlias is the alias that model.uri follows: name another one, for example "
                "uri: models:/penguins@candidate and promotedAlias: champion",
            ),
            cel(
                "!has(self.promotedAlias) || !self.promotedAlias.lowerAscii().matches('^(latest|v[0-9]+)$')",
                "latest, and v with a number, are reserved by MLflow: name another alias in model.promotedAlias",
            ),
        )
    }


def reference(uri: str, digest: str | None) -> str:
    """Join URI and digest, as in `s3://bucket/penguins#sha256:…`."""
    return f"{uri}#{digest}" if digest else uri
