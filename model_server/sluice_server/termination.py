"""How a container says why it gave up.

Kubernetes shows what a container wrote to its termination log as the container's last message, and the operator copies
it into the ModelDeployment's status. So it is one sentence that begins with a word a program can match.
"""

import os
import sys
from pathlib import Path

_KUBERNETES_KEEPS_BYTES = 4096


class GivingUpError(Exception):
    """The container cannot do its work; `reason` is one CamelCase word, `message` one sentence for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


def report(error: GivingUpError) -> int:
    """Tells Kubernetes and the log; returns the exit code."""
    text = " ".join(str(error).split())
    print(text, file=sys.stderr, flush=True)
    write(text)
    return 1


def write(text: str) -> None:
    """Leaves the container's last message for Kubernetes."""
    path = Path(os.environ.get("SLUICE_TERMINATION_LOG", "/dev/termination-log"))
    try:
        path.write_bytes(text.encode()[:_KUBERNETES_KEEPS_BYTES])
    except OSError as problem:  # outside Kubernetes there is no such file; the log has the sentence
        print(f"cannot write {path}: {problem.strerror}", file=sys.stderr, flush=True)
