"""What a cluster has to offer, and how programs of others are called."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hack.cluster.errors import ClusterError

MANIFESTS = Path(__file__).resolve().parents[1] / "cluster" / "manifests"
Push = Callable[[str], None]


class Provider(Protocol):
    """One cluster. All raise `ClusterError` with a sentence that says what to do."""

    @property
    def engine(self) -> str | None:
        """What has to build its images, "buildah" or "docker"; None: whichever is there."""

    def up(self) -> None:
        """Bring it up with a Gateway `public` in namespace `gateways`; nothing to do if it is."""

    def down(self) -> None:
        """Take it away."""

    def status(self) -> int:
        """Print how it is; 0 is well."""

    def env(self) -> Mapping[str, str]:
        """KUBECONFIG, GATEWAY_URL, and where they are known MLFLOW_TRACKING_URI and PATH."""

    def reference(self, image: str) -> str:
        """How pods name an image that is called `image` here."""

    def load(self, images: Sequence[str], push: Push) -> None:
        """Bring images into it; `push` sends one to the registry of its name."""


def state(*names: str) -> Path:
    """A file of ours that outlives this process, below a directory that only this user can read."""
    path = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state").joinpath("sluice", *names)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def need(program: str, hint: str) -> None:
    """Say what to install where a program is missing."""
    if shutil.which(program) is None:
        raise ClusterError(f"{program} is not there: {hint}.")


def attempt(command: Sequence[str], stdin: str | None = None) -> tuple[bool, str]:
    """Run a program that may fail; return whether it did not, and the last thing it said."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    said = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()
    return done.returncode == 0, said
