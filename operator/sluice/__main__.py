"""Where the operator is put together: settings, clients, handlers, run."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import uuid
from collections.abc import Coroutine
from typing import Any, NoReturn

import aiohttp

from sluice import logs
from sluice.controller.apply import Applier
from sluice.controller.clock import SteadyClock
from sluice.controller.daemon import Daemon
from sluice.controller.echoes import Echoes, Noted
from sluice.controller.gates import Gates
from sluice.controller.handlers import Handlers
from sluice.controller.leadership import Leadership
from sluice.controller.metrics import Counted, Metrics
from sluice.controller.reconcile import Reconciler
from sluice.controller.records import Records
from sluice.controller.wakeups import Wakeups
from sluice.controller.web import Web
from sluice.controller.work import Work
from sluice.kube.client import Kube, connect
from sluice.kube.fence import Fence
from sluice.kube.horizon import Horizon
from sluice.kube.lease import Election
from sluice.notify.channels import Channels
from sluice.notify.notices import Notices, nobody
from sluice.pauses import keep_pauses_short
from sluice.registry.mlflow import MlflowRegistry
from sluice.registry.watch import RegistryWatch
from sluice.settings import Settings
from sluice.sources import collector, experiments
from sluice.sources.hooks import Hooks, post
from sluice.sources.pods import scrape

log = logging.getLogger(__name__)

DRAIN_SECONDS = 3.0
RELEASE_SECONDS = 5.0


async def run(settings: Settings) -> bool:
    """Wait to lead, lead, and hand over; return whether that was because somebody said so."""
    stop = asyncio.Event()
    own_signals(stop)
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    leadership = Leadership(Election(identity), settings.lease_namespace, settings.lease_name)
    metrics, work = Metrics(leadership.leads), Work()
    web = Web(healthy=lambda: work.problem, ready=lambda: leadership.problem, metrics=metrics.registry)
    async with web.serve(settings.port):
        leadership.start()
        await first(leadership.began.wait(), stop.wait())
        if not stop.is_set():
            await lead(settings, leadership, metrics, work, stop)
        await leadership.release(RELEASE_SECONDS)
    return stop.is_set()


async def lead(settings: Settings, leadership: Leadership, metrics: Metrics, work: Work, stop: asyncio.Event) -> None:
    """Work until told to stop, or until a part of the work ends; then write no more, and hand over."""
    clock = SteadyClock()
    echoes, horizon = Echoes(), Horizon()
    fence = Fence(Noted(Kube(await connect(), clock.hear, horizon=horizon), echoes), leadership.leads)
    wakeups = Wakeups()
    async with aiohttp.ClientSession() as session:
        mlflow = MlflowRegistry(session, settings.mlflow_tracking_uri)
        watch = RegistryWatch(Counted(mlflow, metrics), interval=settings.registry_poll_seconds)
        records = Records(fence, settings.record_history)
        notices = notifying(settings, metrics)
        hooks = Hooks(lambda asked: post(session, asked), wakeups.wake, leadership.leads)
        gates = Gates(fence, settings.mlflow_tracking_uri, hooks)
        reconciler = Reconciler(
            api=fence,
            registry=watch,
            scrape=lambda pods: scrape(session, pods, settings.scrape_timeout_seconds),
            compare=lambda name: collector.counts(
                session, settings.collector_url, name, settings.scrape_timeout_seconds
            ),
            test=lambda name, primary: experiments.results(
                session,
                settings.collector_url,
                name,
                primary.metric,
                primary.aggregate.lower(),
                int(primary.window.total_seconds()),
                settings.scrape_timeout_seconds,
            ),
            applier=Applier(
                fence,
                settings.mlflow_tracking_uri,
                records,
                fence.guards(mlflow.set_alias),
                gates,
                metrics,
                notices.tell if notices else nobody,
                settings.collector_url,
            ),
            server_image=settings.server_image,
            clock=clock,
            records=records,
        )
        handlers = Handlers(Daemon(reconciler, fence, wakeups, metrics), watch, wakeups, gates.forget, echoes, horizon)
        try:
            await work.start(handlers, lambda: own_signals(stop), settings.namespaces, notices)
            await first(work.ended(), stop.wait())
        finally:
            await fence.close(DRAIN_SECONDS)
            await leadership.release(RELEASE_SECONDS)


def notifying(settings: Settings, metrics: Metrics) -> Notices | None:
    """Return who notifies people, if anybody is to be notified; what is wrong with the channels is told now."""
    if settings.notify_urls is None:
        return None
    channels = Channels(settings.notify_urls)
    for problem in channels.problems():
        log.error("nobody is notified there: %s", problem)
    return Notices(channels, metrics.noticed, settings.notify_left_out)


def own_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT say that it is time to hand over."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of them has come."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def main() -> NoReturn:
    """Run as `python -m sluice`."""
    settings = Settings()
    logs.set_up(settings.log_level)
    keep_pauses_short()
    told = asyncio.Runner().run(run(settings))
    # The Lease is released. kopf would now cancel each task there is and wait for them, up to minutes, for nothing.
    os._exit(0 if told else 1)


if __name__ == "__main__":
    main()
