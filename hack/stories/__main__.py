"""Writes docs/stories.md: what people see at each moment of each story, from a real cluster.

`python -m hack.stories --cluster NAME` lives through all of them (about fifteen minutes) and keeps what was printed;
with `--only STORY` the others stay as they were told last.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable

from hack.stack.commands import ROOT, StackError
from hack.stack.install import bring_up
from hack.stories.strategies import (
    ab_test,
    blue_green,
    gates,
    recreate,
    shadow,
    sticky_canary,
    variants,
    without_gateway,
)
from hack.stories.teller import NAMESPACE, NeverHappenedError, Teller
from hack.stories.trouble import mistakes, no_traffic, superseded, surroundings
from hack.stories.versions import bad_version, cannot_start, first_install, good_version

INTRODUCTION = """\
# Stories

What `kubectl get md` and `kubectl sluice status` show at each moment, to somebody who is woken at night: what it is
doing, why, and what can be done. Everything below was printed by a real cluster; `python -m hack.stories` wrote this
file. The states themselves are tested in `tests/simulation/test_cli.py`, with the promise that every command which is
recommended is granted at that moment.
"""
STORIES = (
    *(first_install, good_version, bad_version, cannot_start),
    *(blue_green, recreate, shadow, ab_test, variants, sticky_canary, gates, without_gateway),
    *(no_traffic, superseded, surroundings, mistakes),
)


def main() -> int:
    """Live through the stories and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--only", nargs="+", choices=[story.__name__ for story in STORIES], help="tell these only")
    options = parser.parse_args()
    tell = Teller(bring_up(options.cluster, print))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    tell.shell.apply(json.dumps(namespace))
    chosen = [story for story in STORIES if not options.only or story.__name__ in options.only]
    untold = [story.__name__ for story in chosen if not _told(tell, story)]
    tell.shell.attempt("kubectl", "delete", "md", "--all", "-n", NAMESPACE, "--timeout=90s")
    tell.shell.attempt("kubectl", "delete", "namespace", NAMESPACE, "--wait=false")
    file = ROOT / "docs/stories.md"
    told = sections("\n".join(tell.written))
    if options.only:
        told = sections(file.read_text()) | told
    file.write_text(re.sub(r"[ \t]+\n", "\n", "\n".join([INTRODUCTION, *told.values()])))
    return 1 if untold else 0


def sections(text: str) -> dict[str, str]:
    """Return the stories of a text, by their titles."""
    found = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {story.partition("\n")[0]: f"{story.strip()}\n" for story in found}


def _told(tell: Teller, story: Callable[[Teller], None]) -> bool:
    """Live through one story; one that does not come to its end is left out, and said."""
    before = list(tell.written)
    try:
        story(tell)
    except (NeverHappenedError, StackError) as error:
        tell.written = before
        print(f"{story.__name__}: {error}", file=sys.stderr, flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
