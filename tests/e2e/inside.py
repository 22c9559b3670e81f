"""A steady load from a pod: what is reached within the cluster only."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hack.load import REVISION, VERSION, Answer
from tests.e2e.subject import Subject

NAME = "client"
# Open loop, as `hack.load`: one line of JSON for each answer. A client that would keep its connections.
CLIENT = f"""
import asyncio, itertools, json, sys, time
import aiohttp
url, rate, rows = sys.argv[1], float(sys.argv[2]), itertools.cycle(json.loads(sys.argv[3]))
async def send(session, row):
    sent = time.monotonic()
    try:
        async with session.post(url, json={{"dataframe_records": [row]}}) as answer:
            await answer.read()
            found = [answer.status, answer.headers.get("{REVISION}", ""), answer.headers.get("{VERSION}", ""), ""]
    except (aiohttp.ClientError, TimeoutError, OSError) as problem:
        found = [0, "", "", type(problem).__name__]
    print(json.dumps([sent, time.monotonic(), *found]), flush=True)
async def main():
    timeout, connector = aiohttp.ClientTimeout(total=10), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as group:
        due = time.monotonic()
        while True:
            group.create_task(send(session, next(rows)))
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
asyncio.run(main())
"""


@dataclass
class InsideLoad:
    """Sends rows to the Service of a ModelDeployment, from a pod beside it, until the end of the block."""

    subject: Subject
    rows: Sequence[dict[str, Any]]
    rate: float
    kept: list[Answer] = field(default_factory=list)

    @property
    def answers(self) -> list[Answer]:
        """What was answered so far."""
        return self.kept or self._read()

    def __enter__(self) -> InsideLoad:
        subject, security = self.subject, {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        url = f"http://{subject.name}.{subject.namespace}.svc/invocations"
        container = {
            "name": NAME, "image": subject.stack.images["operator"], "imagePullPolicy": "Never",
            "command": ["python", "-c", CLIENT, url, str(self.rate), json.dumps(list(self.rows))],
            "securityContext": security,
        }  # fmt: skip
        spec = {
            "containers": [container], "terminationGracePeriodSeconds": 0, "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        }  # fmt: skip
        meta = {"name": NAME, "namespace": subject.namespace}
        subject.stack.shell.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}))
        subject.until(lambda _: bool(self._read()), "requests are answered")
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(1)  # what is under way is answered
        self.kept = self._read()
        self.subject.kubectl("delete", "pod", NAME, "--wait=true")

    def _read(self) -> list[Answer]:
        done = self.subject.stack.shell.attempt("kubectl", "--namespace", self.subject.namespace, "logs", NAME)
        lines = [line for line in done.stdout.splitlines() if line.startswith("[") and line.endswith("]")]
        return [Answer(*json.loads(line)) for line in lines]
