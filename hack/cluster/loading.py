"""Brings images from the store into a cluster, sending only the layers it does not have yet."""

import fcntl
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from hack.cluster.buildah import Buildah
from hack.cluster.errors import ClusterError
from hack.cluster.paths import Cache, ClusterPaths
from hack.cluster.references import normalize
from hack.cluster.shell import run


@dataclass(frozen=True)
class Loader:
    """Image store → OCI layout (shared, each layer exported once) → the cluster's containerd."""

    cache: Cache
    buildah: Buildah
    paths: ClusterPaths

    def load(self, reference: str) -> bool:
        """Import one image; False if the cluster had it already."""
        name = normalize(reference)
        image = self.buildah.image_id(name)
        if image is None:
            raise ClusterError(
                f"There is no image {name}: build it with `python3 -m hack.cluster image build --tag {reference} …`."
            )
        loaded = self._loaded()
        if loaded.get(name) == image and name in self.ctr("images", "list", "-q").split():
            return False
        manifest = self.export(image)
        present = set(self.ctr("content", "list", "-q").split())
        self._import(name, manifest, present)
        self.paths.loaded.write_text(json.dumps({**self._loaded(), name: image}, indent=1), encoding="utf-8")
        return True

    def export(self, image: str) -> dict[str, Any]:
        """Write the image's blobs to the layout and return its manifest's descriptor."""
        self.cache.layout.mkdir(parents=True, exist_ok=True)
        with _locked(self.cache.root / "layout.lock"):
            found = self._descriptor(image)
            if found is None:
                self.buildah.export(image, self.cache.layout)
                found = self._descriptor(image)
        if found is None:
            raise ClusterError(f"Image {image} did not arrive in {self.cache.layout}: delete that directory.")
        return found

    def ctr(self, *arguments: str) -> str:
        """Talk to the cluster's containerd in the kubelet's namespace."""
        return run(["ctr", f"--address={self.paths.containerd_socket}", "--namespace=k8s.io", *arguments])

    def _descriptor(self, image: str) -> dict[str, Any] | None:
        index = self.cache.layout / "index.json"
        if not index.exists():
            return None
        manifests: list[dict[str, Any]] = json.loads(index.read_text(encoding="utf-8"))["manifests"]
        named = (m for m in manifests if m.get("annotations", {}).get("org.opencontainers.image.ref.name") == image)
        return next(named, None)

    def _loaded(self) -> dict[str, str]:
        try:
            content: dict[str, str] = json.loads(self.paths.loaded.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content

    def _import(self, name: str, descriptor: dict[str, Any], present: set[str]) -> None:
        command = ["ctr", f"--address={self.paths.containerd_socket}", "--namespace=k8s.io", "images", "import", "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as ctr:
            with suppress(BrokenPipeError):  # ctr says why
                write_archive(cast(IO[bytes], ctr.stdin), self.cache.layout, name, descriptor, present)
            said, _ = ctr.communicate()
        if ctr.returncode != 0:
            raise ClusterError(f"containerd refused {name}: {said.decode(errors='replace').strip()}")


def write_archive(out: IO[bytes], layout: Path, name: str, descriptor: dict[str, Any], present: set[str]) -> None:
    """Stream an OCI archive of one image without the blobs that are already there."""
    named = {**descriptor, "annotations": {"io.containerd.image.name": name}}
    index = {"schemaVersion": 2, "manifests": [named]}
    with tarfile.open(fileobj=out, mode="w|") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(archive, "index.json", json.dumps(index).encode())
        for digest in blobs(layout, descriptor):
            if digest not in present:
                path = _blob(layout, digest)
                archive.add(path, arcname=str(path.relative_to(layout)))


def blobs(layout: Path, descriptor: dict[str, Any]) -> Iterable[str]:
    """Digests of an image: manifest, configuration, layers."""
    manifest = json.loads(_blob(layout, descriptor["digest"]).read_bytes())
    return [descriptor["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]


def _blob(layout: Path, digest: str) -> Path:
    algorithm, _, value = digest.partition(":")
    return layout / "blobs" / algorithm / value


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
