"""Tells people what happened: as Kubernetes Events, and by whatever else notifies them."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime

from sluice.api.base import API_VERSION, KIND
from sluice.controller.memory import Memory
from sluice.controller.target import Target
from sluice.core.plan import Event
from sluice.kube.api import EVENTS, KubeApi, Manifest
from sluice.kube.errors import ConflictError, KubeError, RefusedError
from sluice.notify.notices import Tell

log = logging.getLogger(__name__)


async def tell_untold(target: Target, memory: Memory, api: KubeApi, tell: Tell) -> None:
    """Create the events still to be told; the next look tries again, and traffic never waits for them."""
    while memory.untold:
        event, at = memory.untold[0]
        try:
            await api.create(EVENTS, event_object(target, event, at))
            tell(target.namespace, target.name, event)
        except ConflictError:
            log.debug("event %s was told before", event.reason, extra=target.about)
        except RefusedError as error:
            log.warning("event %s is refused: %s", event.reason, error, extra=target.about)
        except KubeError:
            return
        memory.untold.pop(0)


def event_object(target: Target, event: Event, at: datetime) -> Manifest:
    """Render an event; its name follows from its content, so that telling it again changes nothing."""
    time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    content = (target.uid, event.reason, event.message, event.about or at.isoformat(timespec="milliseconds"))
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{target.name}.{digest}", "namespace": target.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION, "kind": KIND, "name": target.name, "namespace": target.namespace,
            "uid": target.uid,
        },
        "type": str(event.type),
        "reason": event.reason,
        "message": event.message[:1024],
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "source": {"component": "sluice"},
        "reportingComponent": "sluice.dev/operator",
    }  # fmt: skip
