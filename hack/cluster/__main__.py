"""Command line: `python3 -m hack.cluster COMMAND [--name NAME]`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hack.cluster import host
from hack.cluster.buildah import CONFIG, Buildah
from hack.cluster.errors import ClusterError
from hack.cluster.health import Health
from hack.cluster.images import Images
from hack.cluster.lifecycle import Lifecycle
from hack.cluster.loading import Loader
from hack.cluster.paths import Cache, ClusterPaths
from hack.cluster.ports import Ports
from hack.cluster.progress import Progress


def parser() -> argparse.ArgumentParser:
    """All commands in one place."""
    top = argparse.ArgumentParser(prog="python3 -m hack.cluster", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for command, text in {
        "up": "build what is missing, start the cluster, or repair it",
        "down": "take the cluster away completely",
        "status": "say how it is: exit code 0 healthy, 1 not running, 2 half dead",
        "kubeconfig": "print the path of its kubeconfig",
        "env": "print shell lines that point a shell at it",
        "load": "import images into it",
    }.items():
        sub = commands.add_parser(command, help=text)
        sub.add_argument("--name", default="sluice", help="which cluster (default: %(default)s)")
        if command == "load":
            sub.add_argument("images", nargs="+", metavar="IMAGE_REF")
    image = commands.add_parser("image", help="build images").add_subparsers(dest="image_command", required=True)
    build = image.add_parser("build", help="build a Dockerfile")
    build.add_argument("--tag", required=True)
    build.add_argument("--file", type=Path, required=True)
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    build.add_argument("context", type=Path)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error the user can act on is one message, not a traceback."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except BrokenPipeError:  # `status | head -1`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("Interrupted: run the same command again, it goes on where it stopped.", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    cache, progress = Cache.default(), Progress()
    if options.command == "image":
        return _build_image(options, cache, progress)
    paths = ClusterPaths.of(options.name)
    if options.command == "up":
        Lifecycle(paths, cache, progress).up()
    elif options.command == "down":
        Lifecycle(paths, cache, progress).down()
    elif options.command == "status":
        health = Health.of(paths)
        print(health.table(paths), flush=True)
        return health.state.value
    elif options.command == "load":
        _load(options.images, cache, paths, progress)
    else:
        ports = Ports.load(paths)
        if ports is None or not paths.kubeconfig.exists():
            raise ClusterError(f"Cluster {paths.name} is not there: run `{up_command(paths)}`.")
        print(paths.kubeconfig if options.command == "kubeconfig" else shell_lines(paths, ports))
    return 0


def shell_lines(paths: ClusterPaths, ports: Ports) -> str:
    """Lines for `eval`."""
    return "\n".join([
        f"export KUBECONFIG={paths.kubeconfig}",
        f"export GATEWAY_URL=http://127.0.0.1:{ports.gateway}",
        f"export MLFLOW_TRACKING_URI=http://127.0.0.1:{ports.mlflow}",
        f"export PATH={paths.state}/bin:$PATH",
    ])  # fmt: skip


def up_command(paths: ClusterPaths) -> str:
    """What to type next."""
    return f"python3 -m hack.cluster up --name {paths.name}"


def _load(images: Sequence[str], cache: Cache, paths: ClusterPaths, progress: Progress) -> None:
    if not paths.containerd_socket.exists():
        raise ClusterError(f"Cluster {paths.name} is not running: run `{up_command(paths)}`.")
    loader = Loader(cache, Buildah(cache), paths)
    for image in images:
        with progress.step(f"load {image}"):
            loader.load(image)


def _build_image(options: argparse.Namespace, cache: Cache, progress: Progress) -> int:
    host.check()
    host.install_packages(progress)
    buildah = Buildah(cache)
    Images(cache, buildah, progress).base()
    command = buildah.build(options.tag, options.file, options.context, options.build_arg)
    environment = {"REGISTRIES_CONFIG_PATH": str(CONFIG / "registries.conf")}
    return subprocess.run(["env", *(f"{k}={v}" for k, v in environment.items()), *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
