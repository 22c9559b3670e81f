"""The project's own images: `python3 -m hack.images build|refs|load`.

An image's tag is the hash of everything it is made of, so the same sources are built once and a cluster never runs an
old image under a new name. Needs nothing but Python, and buildah or Docker.
"""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hack.cluster import host
from hack.cluster.buildah import CONFIG, Buildah
from hack.cluster.errors import ClusterError
from hack.cluster.images import Images
from hack.cluster.paths import Cache
from hack.cluster.progress import Progress
from hack.cluster.shell import run, succeeds
from hack.clusters.named import named

ROOT = Path(__file__).resolve().parents[1]
PROGRESS = Progress()


class ImageError(Exception):
    """Something the user can act on."""


@dataclass(frozen=True)
class Image:
    """One image; `sources` are the files and packages that its Dockerfile copies, from the root of the repository."""

    name: str
    dockerfile: str
    sources: tuple[str, ...]

    def reference(self, root: Path = ROOT) -> str:
        """Name and tag; the tag changes whenever something that goes into the image does."""
        total = hashlib.sha256()
        for path in sorted(self._files(root)):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{content}  {path.relative_to(root).as_posix()}\n".encode())
        return f"localhost/sluice-{self.name}:{total.hexdigest()[:16]}"

    def _files(self, root: Path) -> Iterator[Path]:
        for source in (self.dockerfile, *self.sources):
            path = root / source
            if path.is_file():
                yield path
            elif path.is_dir():
                yield from (p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
            else:
                raise ImageError(f"{source} is missing: run this in a complete checkout.")


IMAGES = (
    Image("server", "model_server/Dockerfile", ("requirements/server.lock", "model_server/sluice_server")),
    Image(
        "operator",
        "operator/Dockerfile",
        (
            "requirements/operator.lock",
            "operator/sluice",
            "model_server/sluice_server/__init__.py",
            "model_server/sluice_server/digest.py",
        ),
    ),
    Image("collector", "collector/Dockerfile", ("requirements/collector.lock", "collector/sluice_collector")),
    Image("mlflow", "hack/mlflow/Dockerfile", ("requirements/tracking.lock",)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; standard output has only `NAME=REF` lines."""
    options = _parser().parse_args(arguments)
    try:
        cluster = named(options.cluster)
        references = {image: cluster.reference(image.reference()) for image in choose(options.images)}
        if options.command == "load":
            engine = _engine(cluster.engine)
            build(references, engine)
            cluster.load(list(references.values()), engine.push)
        elif options.command == "build":
            build(references, _engine(options.engine or cluster.engine))
    except (ImageError, ClusterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for image, reference in references.items():
        print(f"{image.name}={reference}", flush=True)
    return 0


def choose(names: Sequence[str]) -> list[Image]:
    """Those named, or all."""
    known = {image.name: image for image in IMAGES}
    if unknown := [name for name in names if name not in known]:
        raise ImageError(f"there is no image {unknown[0]}: choose from {', '.join(known)}.")
    return [image for name, image in known.items() if name in names or not names]


class Engine(Protocol):
    """What builds images and keeps them."""

    def prepare(self) -> None:
        """Whatever has to be there before the first build."""

    def has(self, reference: str) -> bool:
        """Whether an image is there already."""

    def build(self, image: Image, reference: str) -> None:
        """Builds one; called from several threads."""

    def push(self, reference: str) -> None:
        """Sends one to the registry of its name, with the credentials of the user's own log-in there."""


class Docker:
    """An ordinary Docker, which pulls the base image from its registry."""

    def prepare(self) -> None:
        """Asks whether the daemon runs."""
        if not shutil.which("docker"):
            raise ImageError("docker is not there: install it, or build with --engine buildah.")
        if not succeeds(["docker", "info"]):
            raise ImageError("Docker is not running: start it (`docker info` says more), and run this again.")

    def has(self, reference: str) -> bool:
        """Asks the daemon."""
        return shutil.which("docker") is not None and succeeds(["docker", "image", "inspect", reference])

    def build(self, image: Image, reference: str) -> None:
        """From the root of the repository."""
        run(["docker", "build", "--tag", reference, "--file", image.dockerfile, "."], cwd=ROOT)
        if not self.has(reference):
            raise ImageError(f"Docker has built {reference} without keeping it: `docker buildx use default` may help.")

    def push(self, reference: str) -> None:
        """After `docker login`."""
        with PROGRESS.step(f"push {reference}"):
            run(["docker", "push", "--quiet", reference])


class LocalBuildah:
    """The embedded cluster's buildah, with a base image made here."""

    def __init__(self) -> None:
        self._cache = Cache.default()
        self._buildah = Buildah(self._cache)

    def prepare(self) -> None:
        """Brings the tools and the base image, once for all builds."""
        host.check()
        host.install_packages(PROGRESS)
        Images(self._cache, self._buildah, PROGRESS).base()

    def has(self, reference: str) -> bool:
        """Looks into the cluster's image store."""
        return shutil.which("buildah") is not None and self._buildah.image_id(reference) is not None

    def build(self, image: Image, reference: str) -> None:
        """From the root of the repository."""
        registries = {"REGISTRIES_CONFIG_PATH": str(CONFIG / "registries.conf")}
        run(self._buildah.build(reference, Path(image.dockerfile), Path("."), []), cwd=ROOT, env=registries)

    def push(self, reference: str) -> None:
        """After `buildah login`."""
        with PROGRESS.step(f"push {reference}"):
            self._buildah("push", "--quiet", "--signature-policy", CONFIG / "policy.json", reference)


def build(references: Mapping[Image, str], engine: Engine) -> None:
    """Builds those that are not there yet, two at a time: unpacking packages keeps one CPU busy."""
    missing = {image: reference for image, reference in references.items() if not engine.has(reference)}
    for reference in references.values():
        if reference not in missing.values():
            PROGRESS.say(f"{reference} is there")
    if not missing:
        return
    engine.prepare()

    def one(image: Image) -> None:
        with PROGRESS.step(f"image {missing[image]}"):
            engine.build(image, missing[image])

    with ThreadPoolExecutor(2) as pool:  # the largest is the last of the list and begins first
        list(pool.map(one, reversed(missing)))


def _engine(name: str | None) -> Engine:
    if name == "docker" or (name is None and not shutil.which("buildah") and shutil.which("docker")):
        return Docker()
    return LocalBuildah()


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(image.name for image in IMAGES)
    top = argparse.ArgumentParser(prog="python3 -m hack.images", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for command, text in {
        "build": "build the images that are not there yet",
        "refs": "print their references without building",
        "load": "build them and load them into a cluster",
    }.items():
        sub = commands.add_parser(command, help=text)
        sub.add_argument("images", nargs="*", metavar="IMAGE", help=f"of {names}")
        if command == "build":
            sub.add_argument("--engine", choices=["buildah", "docker"], help="default: buildah where it is installed")
        sub.add_argument("--cluster", default="sluice", metavar="NAME", help="whose images: kind, current or embedded")
    return top


if __name__ == "__main__":
    sys.exit(main())
