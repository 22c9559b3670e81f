"""The command line `sluice-train`.

Progress and tables for people go to standard error; standard output holds the result only, as one line of JSON per
version or row, so a script can read it. What takes seconds to import (sklearn, mlflow) is imported by the command that
needs it: `sluice-train alias` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from sluice_training import commands
from sluice_training.errors import UserError

SETTINGS = {
    "OMP_NUM_THREADS": "1",  # a few hundred rows: threads would only wait for each other
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # about 15 seconds, not minutes, when the server goes away
}
"""Set unless the environment says otherwise, before anything reads them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, or 1 with one sentence on standard error."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    chosen = parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except UserError as error:
        print(f"sluice-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sluice-train: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(
        prog="sluice-train", description="Train, judge and register models that Sluice rolls out (Palmer penguins)."
    )
    add = top.add_subparsers(required=True, metavar="COMMAND").add_parser

    validate = add("validate", help="compare the candidate models by k-fold cross-validation")
    validate.add_argument("--models", default="", help="comma-separated names (default: all)")
    validate.add_argument("--folds", type=int, default=10, help="number of folds (default: 10)")
    _seed(validate).set_defaults(run=commands.validate)

    evaluate = add("evaluate", help="judge one model on held-out rows, also per segment")
    evaluate.add_argument("--model", default="logistic", help="name of the candidate (default: logistic)")
    evaluate.add_argument("--by", default="island,sex,year", help="comma-separated columns that form segments")
    _seed(evaluate).set_defaults(run=commands.evaluate)

    register = add("register", help="train one candidate and register it as a new version")
    register.add_argument("--model", default="logistic", help="name of the candidate (default: logistic)")
    register.add_argument("--alias", help="alias to move to the new version")
    _seed(_registry(register)).set_defaults(run=commands.register)

    one = add("demo-version", help="make one version for the demo")
    one.add_argument("kind", help="first, better, failing, broken or slow")
    one.add_argument("--alias", help="alias to move to the new version")
    _registry(one).set_defaults(run=commands.demo_version)

    several = add("demo-versions", help="make the versions of the demo, in order, without an alias")
    several.add_argument("--kinds", default="first,better,failing", help="comma-separated (default: %(default)s)")
    _registry(several).set_defaults(run=commands.demo_versions)

    alias = add("alias", help="move an alias to a version")
    alias.add_argument("--alias", required=True, help="the alias, for example champion")
    alias.add_argument("--version", required=True, type=int, help="number of the version")
    _registry(alias).set_defaults(run=commands.alias)

    digest = add("digest", help="print the digest of a model's folder, for spec.model.digest")
    digest.add_argument("folder", help="the folder with the file MLmodel, as the store holds it")
    digest.set_defaults(run=commands.digest)

    rows = add("rows", help="print the rows of the data set as a client sends them, one JSON object per line")
    _seed(rows).set_defaults(run=commands.rows)
    return top


def _registry(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("--name", required=True, help="name of the registered model, for example penguins")
    command.add_argument("--tracking-uri", help="address of the MLflow server (default: MLFLOW_TRACKING_URI)")
    return command


def _seed(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("--seed", type=_seed_value, default=0, help="seed of all random choices (default: 0)")
    return command


def _seed_value(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to {2**32 - 1}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
