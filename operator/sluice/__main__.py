"""Where the operator is put together: settings, clients, handlers, run."""

from __future__ import annotations

import asyncio
import logging
import signal
from datetime import UTC, datetime

import aiohttp
import kopf
from pythonjsonlogger.json import JsonFormatter

from sluice.controller.apply import Applier
from sluice.controller.daemon import Daemon
from sluice.controller.handlers import Handlers, configure, register
from sluice.controller.reconcile import Reconciler
from sluice.controller.wakeups import Wakeups
from sluice.kube.client import Kube, connect
from sluice.registry.mlflow import MlflowRegistry
from sluice.registry.watch import RegistryWatch
from sluice.settings import Settings
from sluice.sources.pods import scrape


async def run(settings: Settings) -> None:
    """Run the operator until it is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    client = await connect()
    try:
        async with aiohttp.ClientSession() as session:
            kube, wakeups = Kube(client), Wakeups()
            watch = RegistryWatch(
                MlflowRegistry(session, settings.mlflow_tracking_uri), interval=settings.registry_poll_seconds
            )
            reconciler = Reconciler(
                api=kube,
                registry=watch,
                scrape=lambda pods: scrape(session, pods, settings.scrape_timeout_seconds),
                applier=Applier(kube, settings.mlflow_tracking_uri),
                server_image=settings.server_image,
                clock=lambda: datetime.now(UTC),
            )
            handlers = Handlers(Daemon(reconciler, kube, wakeups), watch, wakeups)
            await _operate(handlers, watch, settings, stop)
    finally:
        await client.close()


async def _operate(handlers: Handlers, watch: RegistryWatch, settings: Settings, stop: asyncio.Event) -> None:
    """Run kopf and the registry's poller; when either ends, both do."""
    registry, kopf_settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    register(registry, handlers)
    configure(kopf_settings)
    operator = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=kopf_settings,
            clusterwide=True,
            standalone=True,
            stop_flag=stop,
            liveness_endpoint=f"http://0.0.0.0:{settings.liveness_port}/healthz",
        )
    )
    poller = asyncio.create_task(watch.run())
    try:
        done, _ = await asyncio.wait({operator, poller}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        stop.set()
        poller.cancel()
        await asyncio.gather(operator, poller, return_exceptions=True)


def set_up_logging(level: str) -> None:
    """Log JSON lines, one each."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter("{asctime}{levelname}{name}{message}", style="{", rename_fields={"asctime": "time"})
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The kubelet's probes, several a minute.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLevelName(level)))


def main() -> None:
    """Run as `python -m sluice`."""
    settings = Settings()
    set_up_logging(settings.log_level)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
