"""A port of this machine that leads into a cluster, by kubectl."""

from __future__ import annotations

import atexit
import re
import subprocess

from hack.stack.commands import Shell, StackError


def forward(shell: Shell, namespace: str, target: str, port: int) -> str:
    """Forward a free port on 127.0.0.1 until this process ends; return its URL.

    kubectl forwards to one pod: when that pod goes, so does the forward.
    """
    command = ["kubectl", "--namespace", namespace, "port-forward", "--address", "127.0.0.1", target, f":{port}"]
    process = subprocess.Popen(command, env=dict(shell.env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    atexit.register(process.terminate)
    line = process.stdout.readline() if process.stdout else ""
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    if found is None:
        process.terminate()
        _, said = process.communicate(timeout=10)
        raise StackError(f"{' '.join(command)} failed: {said.strip()}")
    return f"http://127.0.0.1:{found[1]}"
