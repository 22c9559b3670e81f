"""What every command has at hand."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TextIO

from sluice.cli import arguments, reading
from sluice.cli.kubectl import Api


@dataclass
class Session:
    """One call of the plugin: the cluster, the options, where to write, and what time it is."""

    api: Api
    options: argparse.Namespace
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    now: Callable[[], datetime] = reading.now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def namespace(self) -> str:
        """The namespace that was named, or that of the context."""
        named: str | None = getattr(self.options, "namespace", None)
        return named or self.api.namespace()

    @property
    def name(self) -> str:
        """The ModelDeployment that was named; `md/NAME` is understood too."""
        name: str = self.options.name
        return name.rpartition("/")[2]

    @property
    def flags(self) -> tuple[str, ...]:
        """The options that commands we recommend need as well."""
        return arguments.passed_on(self.options)

    @property
    def json(self) -> bool:
        """Whether a script asks."""
        return getattr(self.options, "output", "text") == "json"

    def say(self, text: str) -> None:
        """Write a line."""
        print(text, file=self.out, flush=True)

    def warn(self, text: str) -> None:
        """Write a line that is no result."""
        print(text, file=self.err, flush=True)
