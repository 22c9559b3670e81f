"""From a model URI to a version and its digest, by MLflow's REST API (facts tried against MLflow 3.17)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import aiohttp

from sluice.core.observation import ResolvedModel, Unresolved
from sluice.registry.artifact import DIGEST_TAG, artifact_digest
from sluice.registry.rest import MissingError, RefusalError, Rest
from sluice.registry.uri import ModelUri, parse

API = "api/2.0/mlflow"
TIMEOUT_SECONDS = 10.0


class MlflowRegistry:
    """One MLflow tracking server."""

    def __init__(self, session: aiohttp.ClientSession, tracking_uri: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._rest = Rest(session, tracking_uri, timeout=timeout)
        self._trusted: dict[tuple[str, ...], str] = {}
        self._computing = asyncio.Lock()

    async def resolve(self, uri: str) -> ResolvedModel | Unresolved:
        """Find the version that a URI names now. What can go wrong out there is an answer, not an exception."""
        try:
            wanted = parse(uri)
        except ValueError as problem:
            return Unresolved("UriInvalid", str(problem))
        try:
            return await self._resolve(wanted)
        except RefusalError as refusal:
            return refusal.unresolved

    async def _resolve(self, wanted: ModelUri) -> ResolvedModel:
        version = await self._version(wanted)
        number = version.get("version")
        if version.get("name") != wanted.name or not re.fullmatch(r"[0-9]+", str(number)):
            raise self._strange(wanted)
        model = f"{wanted.name}/{number}"
        if (status := version.get("status", "READY")) != "READY":
            raise RefusalError(
                "VersionNotReady", f"{model} is {status} in the registry: wait until it is READY, or register it again"
            )
        digest = _tags(version).get(DIGEST_TAG) or await self._first_use(wanted, version, model)
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise RefusalError(
                "DigestInvalid", f"the tag {DIGEST_TAG} of {model} is not sha256: and 64 hex digits: register it again"
            )
        return ResolvedModel(name=wanted.name, version=str(number), digest=digest)

    async def _version(self, wanted: ModelUri) -> dict[str, Any]:
        try:
            if wanted.alias is not None:
                answer = await self._rest.json(f"{API}/registered-models/alias", name=wanted.name, alias=wanted.alias)
            else:
                answer = await self._rest.json(
                    f"{API}/model-versions/get", name=wanted.name, version=str(wanted.version)
                )
        except MissingError:
            await self._explain(wanted)
        version = answer.get("model_version")
        if not isinstance(version, dict):
            raise self._strange(wanted)
        return version

    async def _explain(self, wanted: ModelUri) -> NoReturn:
        """Tell a missing model from a missing alias or version: MLflow's error codes do not (alias: 400, not 404)."""
        try:
            await self._rest.json(f"{API}/registered-models/get", name=wanted.name)
        except MissingError:
            raise RefusalError(
                "ModelNotFound",
                f"the registry at {self._rest.address} has no model {wanted.name!r}: "
                "register it, or correct spec.model.uri",
            ) from None
        if wanted.alias is not None:
            raise RefusalError(
                "AliasNotFound",
                f"model {wanted.name!r} has no alias {wanted.alias!r}: "
                "set it on a version in MLflow, or correct spec.model.uri",
            )
        raise RefusalError(
            "VersionNotFound",
            f"model {wanted.name!r} has no version {wanted.version}: register it, or correct spec.model.uri",
        )

    async def _first_use(self, wanted: ModelUri, version: Mapping[str, Any], model: str) -> str:
        """Return the digest of a version without a tag: what it was when first seen, for as long as we run.

        One at a time, so that many untagged models do not fill the network; and a model that was deleted and
        registered anew counts from 1 again, so the time of creation is part of what is remembered.
        """
        key = (wanted.name, str(version.get("version")), str(version.get("creation_timestamp")))
        if key not in self._trusted:
            async with self._computing:
                if key not in self._trusted:  # somebody else may have done it while we waited
                    artifact_uri = await self._artifact_uri(wanted, key[1])
                    self._trusted[key] = await artifact_digest(self._rest, artifact_uri, model)
        return self._trusted[key]

    async def _artifact_uri(self, wanted: ModelUri, version: str) -> str:
        try:
            answer = await self._rest.json(f"{API}/model-versions/get-download-uri", name=wanted.name, version=version)
        except MissingError:  # deleted between two requests
            await self._explain(ModelUri(wanted.name, version=version))
        return str(answer.get("artifact_uri", ""))

    def _strange(self, wanted: ModelUri) -> RefusalError:
        return RefusalError(
            "RegistryInvalid",
            f"{self._rest.address} described model {wanted.name!r} in a form that is not MLflow's: "
            "check the operator's tracking URI",
        )


def _tags(version: Mapping[str, Any]) -> dict[str, str]:
    tags = version.get("tags")
    pairs = tags if isinstance(tags, list) else []
    return {str(tag.get("key")): str(tag.get("value")) for tag in pairs if isinstance(tag, dict)}
