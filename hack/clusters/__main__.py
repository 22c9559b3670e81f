"""`python3 -m hack.clusters up|down|status|env --name NAME`; NAME is kind, current, or an embedded cluster's."""

import argparse
import sys
from collections.abc import Sequence

from hack.cluster.errors import ClusterError
from hack.clusters.named import named


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error the user can act on is one message, not a traceback."""
    parser = argparse.ArgumentParser(prog="python3 -m hack.clusters", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "env"))
    parser.add_argument("--name", default="sluice", help="which cluster (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        cluster = named(options.name)
        if options.command == "status":
            return cluster.status()
        if options.command == "env":
            print("\n".join(f"export {name}={value}" for name, value in cluster.env().items()), flush=True)
        elif options.command == "up":
            cluster.up()
        else:
            cluster.down()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
