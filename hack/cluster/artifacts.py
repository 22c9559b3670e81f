"""Everything that must be on the machine before a cluster can start, made in parallel."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hack.cluster import gateway, host, versions
from hack.cluster.build import GATEWAY, KUBE, METRICS, TOOLS, Toolchain, build
from hack.cluster.buildah import Buildah
from hack.cluster.images import Images
from hack.cluster.paths import Cache
from hack.cluster.progress import Progress

T = TypeVar("T")

SYSTEM_IMAGES = (versions.PAUSE_IMAGE, versions.GATEWAY_IMAGE, versions.ENVOY_IMAGE)


@dataclass(frozen=True)
class Artifacts:
    """Programs and the chart; the images are in the store."""

    tools: Path
    kube: Path
    metrics: Path
    gateway: Path
    chart: Path


def prepare(cache: Cache, progress: Progress) -> Artifacts:
    """Compile on all cores while packages and the base image arrive; what is cached costs nothing."""
    images = Images(cache, Buildah(cache), progress)
    toolchain = Toolchain.find(cache, progress)
    with ThreadPoolExecutor(max_workers=8) as pool:
        tools = pool.submit(build, TOOLS, toolchain, cache, progress)
        kube = pool.submit(build, KUBE, toolchain, cache, progress)
        metrics = pool.submit(build, METRICS, toolchain, cache, progress)
        envoy_gateway = pool.submit(build, GATEWAY, toolchain, cache, progress)
        chart = pool.submit(gateway.chart, cache, toolchain)
        packages = pool.submit(host.install_packages, progress)

        def after_packages(make: Callable[[], None], *needs: Future[Path]) -> Future[None]:
            def wait_and_make() -> None:
                packages.result()
                for need in needs:
                    need.result()
                make()

            return pool.submit(wait_and_make)

        def base_and_envoy() -> None:
            images.base()
            images.envoy()

        made = [
            after_packages(base_and_envoy),
            after_packages(lambda: images.pause(tools.result()), tools),
            after_packages(lambda: images.gateway(envoy_gateway.result()), envoy_gateway),
        ]
        for future in made:
            future.result()
        return Artifacts(tools.result(), kube.result(), metrics.result(), envoy_gateway.result(), chart.result())
