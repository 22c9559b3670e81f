"""Which revision the user wants: its identity, independent of the operator's own version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from sluice.api.spec import ModelDeploymentSpec, Server
from sluice.api.status import ModelDeploymentStatus, Revision
from sluice.core.observation import ResolvedModel, Unresolved


def revision_of(server: Server, model: ResolvedModel, image: str) -> Revision:
    """Name what runs by a hash of what the user says about pods, the model's digest and the server's image."""
    # Without what equals a default: a field that a newer operator adds must not change the name of what runs.
    said = server.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"image": image}
    model_identity = {"model": model.name, "digest": model.digest} | ({"source": model.source} if model.source else {})
    identity = json.dumps({"server": said} | model_identity, sort_keys=True)
    return Revision(
        name=hashlib.sha256(identity.encode()).hexdigest()[:10],
        model_name=model.name,
        model_version=model.version,
        digest=model.digest,
        image=image,
        source=model.source,
    )


def wanted_revision(
    spec: ModelDeploymentSpec, status: ModelDeploymentStatus, model: ResolvedModel, default_image: str
) -> Revision:
    """Return the revision that spec and registry ask for.

    Who names no server image keeps the one each revision was made with: a new default, as it comes with an
    upgrade of the operator, re-rolls nothing.
    """
    wanted = revision_of(spec.server, model, spec.server.image or default_image)
    for revision in _known(status):
        image = spec.server.image or revision.image
        if revision_of(spec.server, model, image).name == revision.name:
            return revision
    return wanted


def changed_digest(status: ModelDeploymentStatus, model: ResolvedModel) -> Unresolved | None:
    """Refuse a version that was pinned to another digest before: a version's content never changes by itself."""
    for revision in _known(status):
        same_version = (revision.model_name, revision.model_version) == (model.name, model.version)
        if same_version and revision.digest != model.digest:
            return Unresolved(
                "DigestChanged",
                f"{model.name}/{model.version} has another digest in the registry ({model.digest[:15]}…) than when it "
                f"was pinned ({revision.digest[:15]}…), so somebody may have changed it: "
                + ("log it in a new run" if model.source else "register a new version"),
            )
    return None


def _known(status: ModelDeploymentStatus) -> Iterator[Revision]:
    if status.stable:
        yield status.stable
    if status.rollout:
        yield status.rollout.revision
        yield from (one.revision for one in status.rollout.variants)
    yield from (entry.revision for entry in status.rejected)
    yield from (entry.revision for entry in reversed(status.retired))
