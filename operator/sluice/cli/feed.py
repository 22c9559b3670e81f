"""Follows a ModelDeployment and its pods by watches, and gives a snapshot whenever something has changed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from sluice.cli import names, reading
from sluice.cli.errors import ApiError
from sluice.cli.kubectl import Api, Object
from sluice.cli.reading import Snapshot

# A burst of changes is one picture; and pictures are not older than this, for the ages in them.
GATHER_SECONDS = 0.2
REDRAW_SECONDS = 1.0
AGAIN_SECONDS = 2.0
# A watch whose reader was killed does not go on for long.
_LIMIT = "timeoutSeconds=300"


@dataclass
class Feed:
    """Snapshots of one ModelDeployment, for as long as somebody looks.

    A watch that ends or breaks begins again; while the API server is away `trouble` says so.
    """

    api: Api
    namespace: str
    name: str
    trouble: str = ""
    _changes: queue.Queue[tuple[str, Object] | ApiError] = field(default_factory=queue.Queue)
    _stop: threading.Event = field(default_factory=threading.Event)

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield a snapshot now and whenever time or the world has moved on.

        Raises:
            CliError: there is no such ModelDeployment (any more).
        """
        seen = reading.snapshot(self.api, self.namespace, self.name)
        raw, pods = seen.raw, {pod["metadata"]["uid"]: pod for pod in seen.pods}
        selector = quote(f"metadata.name={self.name}")
        self._follow(f"{names.resources(self.namespace)}?watch=1&{_LIMIT}&fieldSelector={selector}")
        self._follow(f"{reading.pods_path(self.namespace, self.name)}&watch=1&{_LIMIT}")
        try:
            while True:
                yield Snapshot(raw, tuple(pods.values()), reading.now())
                for change in self._gathered():
                    if isinstance(change, ApiError):
                        self.trouble = change.message
                        continue
                    self.trouble = ""
                    kind, changed = change
                    if changed.get("kind") == names.KIND:
                        raw = changed if kind != "DELETED" else _gone(self.namespace, self.name)
                    elif kind == "DELETED":
                        pods.pop(changed["metadata"]["uid"], None)
                    else:
                        pods[changed["metadata"]["uid"]] = changed
        finally:
            self._stop.set()

    def _gathered(self) -> Iterator[tuple[str, Object] | ApiError]:
        """Yield what has changed since, after waiting for it a while."""
        try:
            yield self._changes.get(timeout=REDRAW_SECONDS)
            self._stop.wait(GATHER_SECONDS)
            while True:
                yield self._changes.get_nowait()
        except queue.Empty:
            return

    def _follow(self, path: str) -> None:
        threading.Thread(target=self._watch, args=(path,), daemon=True).start()

    def _watch(self, path: str) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                for event in self.api.watch(path):
                    failures = 0
                    if event.get("type") != "BOOKMARK":
                        self._changes.put((event["type"], event["object"]))
                    if self._stop.is_set():
                        return
            except ApiError as error:
                if error.reason == "Forbidden" and "pods" in path:
                    return
                failures += 1
                if failures > 1:  # one failure is usual when the API server is busy, and nothing is lost by it
                    self._changes.put(error)
            self._stop.wait(AGAIN_SECONDS)


def _gone(namespace: str, name: str) -> Object:
    raise ApiError("NotFound", f"{names.KIND} {namespace}/{name} was deleted")
