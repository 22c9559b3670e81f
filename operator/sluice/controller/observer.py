"""What the controller tells whoever counts along; by default nobody does."""

from __future__ import annotations

from typing import Final

from sluice.api.status import ModelDeploymentStatus


class Observer:
    """Told of each look and of each status that was stored. Does nothing; must never fail or wait."""

    def looked(self, seconds: float) -> None:
        """A look came to its end, well or not, after so many seconds."""

    def failed(self, kind: str) -> None:
        """A look failed; `kind` is the class of the error."""

    def stored(self, namespace: str, name: str, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> None:
        """The API server has a new status; told once for each, also when its answer was lost."""

    def stands(self, namespace: str, name: str, status: ModelDeploymentStatus) -> None:
        """This is how things stand after a look, stored or soon to be."""

    def gone(self, namespace: str, name: str) -> None:
        """A ModelDeployment is looked at no more."""


NOBODY: Final = Observer()
