"""Says what is going on: one line per step, and a sign of life while a step takes long."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


def seconds(value: float) -> str:
    """Minutes matter for the long steps, tenths for the short ones."""
    return f"{value:.1f} s" if value < 60 else f"{int(value) // 60} min {int(value) % 60:02d} s"


class Progress:
    """Steps may run in parallel threads; a terminal shows those under way in one ticking line."""

    def __init__(self, out: TextIO | None = None, interval: float | None = None) -> None:
        self._out = out if out is not None else sys.stderr
        self._tty = self._out.isatty()
        self._interval = interval if interval is not None else (1.0 if self._tty else 30.0)
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._started = time.monotonic()
        self._ticker: threading.Thread | None = None

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Time a step and print its line when it ends."""
        begin = time.monotonic()
        with self._lock:
            self._running[title] = begin
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()
        try:
            yield
        except BaseException:
            self._finish(title, begin, "failed after")
            raise
        self._finish(title, begin, "")

    def say(self, text: str) -> None:
        """Print a line of its own, clear of the ticking one."""
        with self._lock:
            self._write(text)

    def total(self) -> str:
        """Time since the beginning."""
        return seconds(time.monotonic() - self._started)

    def _finish(self, title: str, begin: float, word: str) -> None:
        with self._lock:
            self._running.pop(title, None)
            spent = f"{word} {seconds(time.monotonic() - begin)}".strip()
            self._write(f"[{seconds(time.monotonic() - self._started):>12}] {title}: {spent}")

    def _write(self, text: str) -> None:
        print(("\r\033[K" if self._tty else "") + text, file=self._out, flush=True)

    def _tick(self) -> None:
        while True:
            time.sleep(self._interval)
            with self._lock:
                now = time.monotonic()
                active = [(title, now - since) for title, since in self._running.items()]
                line = ", ".join(f"{title} ({seconds(int(spent))})" for title, spent in active)
                if self._tty and line:
                    print(f"\r\033[K… {line}"[:160], end="", file=self._out, flush=True)
                elif active and max(spent for _, spent in active) >= self._interval:
                    print(f"… {line}", file=self._out, flush=True)
