"""The project's own images: `python3 -m hack.images build|refs|load`.

An image's tag is the hash of everything it is made of, so the same sources are built once and a cluster never runs an
old image under a new name. Needs nothing but Python, and buildah or Docker.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.buildah import Buildah
from hack.cluster.paths import Cache

ROOT = Path(__file__).resolve().parents[1]


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
    Image("mlflow", "hack/mlflow/Dockerfile", ("requirements/tracking.lock",)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; standard output has only `NAME=REF` lines."""
    options = _parser().parse_args(arguments)
    try:
        chosen = choose(options.images)
        if options.command != "refs":
            engine = options.engine or ("buildah" if shutil.which("buildah") else "docker")
            build(chosen, engine)
        if options.command == "load":
            references = [image.reference() for image in chosen]
            _run([sys.executable, "-m", "hack.cluster", "load", "--name", options.cluster, *references])
        for image in chosen:
            print(f"{image.name}={image.reference()}", flush=True)
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def choose(names: Sequence[str]) -> list[Image]:
    """Those named, or all."""
    known = {image.name: image for image in IMAGES}
    if unknown := [name for name in names if name not in known]:
        raise ImageError(f"there is no image {unknown[0]}: choose from {', '.join(known)}.")
    return [image for name, image in known.items() if name in names or not names]


def build(images: Iterable[Image], engine: str) -> None:
    """Builds those that are not there yet."""
    for image in images:
        reference = image.reference()
        if _exists(reference, engine):
            _say(f"{reference} is there")
            continue
        _say(f"building {reference} …")
        begun = time.monotonic()
        if engine == "docker":
            command = ["docker", "build", "--tag", reference, "--file", image.dockerfile, "."]
        else:  # also makes the base image, where no registry can be asked for it
            command = [sys.executable, "-m", "hack.cluster", "image", "build"]
            command += ["--tag", reference, "--file", image.dockerfile, "."]
        _run(command)
        _say(f"built {reference} in {time.monotonic() - begun:.0f} s")


def _exists(reference: str, engine: str) -> bool:
    if engine == "docker":
        return (
            subprocess.run(["docker", "image", "inspect", reference], capture_output=True, check=False).returncode == 0
        )
    return shutil.which("buildah") is not None and Buildah(Cache.default()).image_id(reference) is not None


def _run(command: Sequence[str]) -> None:
    """Runs a command in the root of the repository, its output as progress."""
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
        raise ImageError(f"`{' '.join(command)}` failed: its output is above.")


def _say(text: str) -> None:
    print(f"· {text}", file=sys.stderr, flush=True)


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
        sub.add_argument("--engine", choices=["buildah", "docker"], help="default: buildah where it is installed")
        if command == "load":
            sub.add_argument("--cluster", default="sluice", metavar="NAME")
    return top


if __name__ == "__main__":
    sys.exit(main())
