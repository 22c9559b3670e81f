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
from sluice.registry.runs import artifact_uri
from sluice.registry.uri import ModelUri, RunUri, StoreUri, is_in_reach, parse, title, unpin

API = "api/2.0/mlflow"
TIMEOUT_SECONDS = 10.0
SAY_IT = "set spec.model.digest, which `sluice-train digest FOLDER` prints for a copy of the model"


class MlflowRegistry:
    """One MLflow tracking server."""

    def __init__(self, session: aiohttp.ClientSession, tracking_uri: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._rest = Rest(session, tracking_uri, timeout=timeout)
        self._trusted: dict[tuple[str, ...], str] = {}
        self._computing = asyncio.Lock()

    async def resolve(self, reference: str) -> ResolvedModel | Unresolved:
        """Find what a URI, or `URI#DIGEST`, names now. What can go wrong out there is an answer, not an exception."""
        uri, digest = unpin(reference)
        try:
            wanted = parse(uri)
        except ValueError as problem:
            return Unresolved("UriInvalid", str(problem))
        try:
            match wanted:
                case ModelUri():
                    return await self._resolve(wanted, digest)
                case RunUri():
                    return await self._run(wanted, digest)
                case StoreUri():
                    return _stored(wanted, digest)
        except RefusalError as refusal:
            return refusal.unresolved

    async def set_alias(self, model: str, alias: str, version: str) -> Unresolved | None:
        """Let an alias name a version; return why that failed, None if it is done. Doing it again changes nothing."""
        try:
            await self._set_alias(model, alias, version)
        except RefusalError as refusal:
            return refusal.unresolved
        return None

    async def _set_alias(self, model: str, alias: str, version: str) -> None:
        try:
            await self._rest.post(f"{API}/registered-models/alias", name=model, alias=alias, version=version)
        except MissingError as why:
            await self._version(ModelUri(model, version=version))  # explains what is missing, if something is
            raise RefusalError(
                "AliasRefused",
                f"{self._rest.address} does not let {model}/{version} have the alias {alias!r} ({why}): "
                "correct spec.model.promotedAlias",
            ) from None

    async def _resolve(self, wanted: ModelUri, expected: str | None) -> ResolvedModel:
        version = await self._version(wanted)
        number = version.get("version")
        if version.get("name") != wanted.name or not re.fullmatch(r"[0-9]+", str(number)):
            raise self._strange(wanted)
        model = f"{wanted.name}/{number}"
        if (status := version.get("status", "READY")) != "READY":
            raise RefusalError(
                "VersionNotReady", f"{model} is {status} in the registry: wait until it is READY, or register it again"
            )
        digest = _tags(version).get(DIGEST_TAG) or expected or await self._first_use(wanted, version, model)
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise RefusalError(
                "DigestInvalid", f"the tag {DIGEST_TAG} of {model} is not sha256: and 64 hex digits: register it again"
            )
        if expected not in (None, digest):
            raise RefusalError(
                "DigestMismatch",
                f"{model} has the digest {digest} in the registry, but spec.model.digest is {expected}: correct it, "
                "or find out who changed the model",
            )
        return ResolvedModel(name=wanted.name, version=str(number), digest=digest)

    async def _run(self, wanted: RunUri, expected: str | None) -> ResolvedModel:
        source = await artifact_uri(self._rest, wanted)
        name, run = title(wanted.path), wanted.run_id[:8]
        what = f"{wanted.path!r} of run {wanted.run_id}"
        if not is_in_reach(source):
            raise RefusalError(
                "StoreOutOfReach",
                f"the files of {what} are at {source}, which pods do not reach: let MLflow serve artifacts itself "
                "(--artifacts-destination) or keep them in an object store",
            )
        if expected:
            return ResolvedModel(name=name, version=_short(expected), digest=expected, source=source)
        digest = await self._trust((source,), source, what, remedy=SAY_IT)
        return ResolvedModel(name=name, version=run, digest=digest, source=source)

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
            return await self._trust(key, await self._artifact_uri(wanted, key[1]), model)
        return self._trusted[key]

    async def _trust(self, key: tuple[str, ...], uri: str, what: str, **words: str) -> str:
        if key not in self._trusted:
            async with self._computing:
                if key not in self._trusted:  # somebody else may have done it while we waited
                    self._trusted[key] = await artifact_digest(self._rest, uri, what, **words)
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


def _stored(wanted: StoreUri, digest: str | None) -> ResolvedModel:
    """A store is not asked: the digest says what must be there, and pods verify it."""
    if digest is None:
        raise RefusalError("DigestMissing", f"{wanted.uri} can change what it holds: {SAY_IT}")
    return ResolvedModel(name=title(wanted.path), version=_short(digest), digest=digest, source=wanted.uri)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:8]
