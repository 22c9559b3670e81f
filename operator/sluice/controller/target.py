"""The ModelDeployment that a plan is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.api.spec import ModelDeploymentSpec
from sluice.kube.api import Manifest
from sluice.logs import about
from sluice.resources.naming import owner_reference


@dataclass(frozen=True)
class Target:
    """Its identity, the version of it that was read, and what it wants."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    spec: ModelDeploymentSpec

    @property
    def owner(self) -> Manifest:
        """The owner reference of everything made for it."""
        return owner_reference(name=self.name, uid=self.uid)

    @property
    def about(self) -> Mapping[str, str]:
        """The `extra` of a log call."""
        return about(self.namespace, self.name)
