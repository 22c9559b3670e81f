"""`kubectl sluice`: reads the command line, runs one command, and turns errors into sentences."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import closing

from sluice.cli import arguments
from sluice.cli.errors import CliError, Exit
from sluice.cli.kubectl import Connect, Kubectl
from sluice.cli.session import Session


def main(argv: Sequence[str] | None = None, connect: Connect = Kubectl) -> int:
    """Run one command; a mistake of the user is a sentence, never a traceback."""
    options = arguments.parser().parse_args(argv)
    try:
        command = importlib.import_module(f"sluice.cli.commands.{options.command}")
        with closing(connect(arguments.passed_on(options))) as api:
            code: int = command.run(Session(api, options))
    except CliError as error:
        tell(error)
        return error.code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "rich":
            raise
        tell(CliError("the plugin was installed without rich", "pip install 'sluice[cli]'"))
        return Exit.ERROR
    except BrokenPipeError:  # `… | head -1`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def tell(error: CliError) -> None:
    """Write an error to stderr."""
    print(f"error: {error.message}", file=sys.stderr)
    for line in error.hint.splitlines():
        print(f"  {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
