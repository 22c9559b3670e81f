"""Buildah on a store of our own, in a mount namespace of its own: nothing stays mounted or mixed up."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.errors import ClusterError
from hack.cluster.paths import SOURCES, Cache
from hack.cluster.references import normalize
from hack.cluster.shell import run

CONFIG = SOURCES / "config" / "buildah"
RUN_ROOT = "/run/sluice/storage"
UNSHARE = ("unshare", "--mount", "--propagation", "private")


@dataclass(frozen=True)
class Buildah:
    """The commands that this project needs, with the options that this kind of machine needs."""

    cache: Cache

    def __call__(self, *arguments: str | Path) -> str:
        """Run one buildah command."""
        return run(self.command(*arguments), env={"REGISTRIES_CONFIG_PATH": str(CONFIG / "registries.conf")})

    def command(self, *arguments: str | Path) -> list[str]:
        """The full command line, for callers that want the output on the terminal."""
        self.cache.storage.mkdir(parents=True, exist_ok=True)
        store = ["--root", self.cache.storage, "--runroot", RUN_ROOT, "--storage-driver", "overlay"]
        buildah = ["buildah", *store, "--registries-conf", CONFIG / "registries.conf", *arguments]
        return [*UNSHARE, *(str(part) for part in buildah)]

    def export(self, image: str, layout: Path) -> None:
        """Write an image to an OCI layout; layers that lie there are not written again, and none is compressed."""
        source = f"containers-storage:[overlay@{self.cache.storage}+{RUN_ROOT}]@{image}"
        run([*UNSHARE, "skopeo", "--policy", CONFIG / "policy.json", "copy", "--quiet", "--format", "oci",
             "--dest-oci-accept-uncompressed-layers", source, f"oci:{layout}:{image}"])  # fmt: skip

    def image_id(self, reference: str) -> str | None:
        """The id of an image in the store, or None."""
        with suppress(ClusterError):
            listed = self("images", "--format", "{{.ID}}", "--no-trunc", normalize(reference)).split()
            return listed[0].removeprefix("sha256:") if listed else None
        return None

    def commit(self, container: str, reference: str, config: Sequence[str]) -> None:
        """Turn a working container into an image; a fixed time makes the same content the same image."""
        self("config", *config, container)
        self("commit", "--quiet", "--rm", "--timestamp", "0", "--signature-policy", CONFIG / "policy.json",
             container, reference)  # fmt: skip

    def build(self, tag: str, dockerfile: Path, context: Path, arguments: Sequence[str]) -> list[str]:
        """The command line that builds a Dockerfile."""
        return self.command(
            "bud", "--isolation", "chroot", "--layers", "--pull-never", "--format", "docker",
            "--signature-policy", CONFIG / "policy.json", *machine_volumes(self.cache),
            *(part for argument in arguments for part in ("--build-arg", argument)),
            "--tag", normalize(tag), "--file", dockerfile, context,
        )  # fmt: skip


def machine_volumes(cache: Cache) -> list[str]:
    """Lend RUN steps this machine's certificates and package sources; mounted, they are not in the image."""
    lent = {"/etc/pip.conf": pip_config(os.environ), "/etc/uv/uv.toml": uv_config(os.environ)}
    volumes = []
    bundle = os.environ.get("SSL_CERT_FILE")
    if bundle and Path(bundle).is_file():
        volumes.append((bundle, "/etc/ssl/certs/ca-certificates.crt"))
    for target, text in lent.items():
        source = cache.root / "lent" / Path(target).name
        if text:
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(text, encoding="utf-8")
            volumes.append((str(source), target))
    return [part for source, target in volumes for part in ("--volume", f"{source}:{target}:ro")]


def pip_config(environment: Mapping[str, str]) -> str:
    """Translate pip's environment into the file that RUN steps see."""
    names = {"PIP_INDEX_URL": "index-url", "PIP_EXTRA_INDEX_URL": "extra-index-url",
             "PIP_DEFAULT_TIMEOUT": "timeout", "PIP_TRUSTED_HOST": "trusted-host"}  # fmt: skip
    lines = [f"{option} = {environment[name]}" for name, option in names.items() if environment.get(name)]
    if environment.get("SSL_CERT_FILE"):
        lines.append("cert = /etc/ssl/certs/ca-certificates.crt")
    return "\n".join(["[global]", *lines, ""]) if lines else ""


def uv_config(environment: Mapping[str, str]) -> str:
    """Do the same for uv, which reads neither pip's files nor the system's certificates by itself."""
    lines = ["system-certs = true"] if environment.get("SSL_CERT_FILE") else []
    index = environment.get("UV_INDEX_URL") or environment.get("UV_DEFAULT_INDEX") or environment.get("PIP_INDEX_URL")
    if index:
        lines.append(f'index-url = "{index}"')
    return "\n".join([*lines, ""]) if lines else ""
