"""Brings up everything that the product needs, and the product: `python -m hack.stack`."""

from __future__ import annotations

import argparse
import sys

from hack.stack.commands import StackError
from hack.stack.install import bring_up


def main() -> int:
    """Show the progress; say where things are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", required=True, help="kind, current (your own), or the name of an embedded one")
    try:
        stack = bring_up(parser.parse_args().cluster, print)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"· gateway {stack.gateway_url}, MLflow {stack.mlflow_url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
