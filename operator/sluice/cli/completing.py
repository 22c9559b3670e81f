"""`kubectl_complete-sluice`: what may come next; kubectl asks it when somebody presses the tab key.

It is given the words after `kubectl sluice`, the last one as far as it is typed, and prints one proposal a line, with
a tab and what it means; the last line is `:4`, which tells kubectl's shell code not to propose file names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence

from sluice.cli import arguments, reading, words
from sluice.cli.errors import CliError
from sluice.cli.kubectl import Api, Connect, Kubectl
from sluice.cli.view import Object, rejected_entries

NO_FILES = ":4"
# Options with a value, by what that value is.
_VALUES = {"-n": "namespace", "--namespace": "namespace", "--revision": "revision", "--to": "to", "-o": "output",
           "--output": "output"}  # fmt: skip


def main(argv: Sequence[str] | None = None, connect: Connect = Kubectl) -> int:
    """Print what may come next; whatever goes wrong, nobody wants an error between two keys."""
    typed = list(sys.argv[1:] if argv is None else argv) or [""]
    try:
        for proposal in propose(typed, connect):
            print(proposal)
    except CliError:
        pass
    print(NO_FILES)
    return 0


def propose(typed: Sequence[str], connect: Connect) -> Iterator[str]:
    """Yield what may come next."""
    *before, last = typed
    option, equals, _ = last.partition("=")
    previous = before[-1] if before else ""
    kind = _VALUES.get(option) if equals else _VALUES.get(previous)
    prefix = f"{option}=" if equals else ""
    found: Iterable[str]
    if kind:
        found = _values(kind, before, connect)
    elif last.startswith("-"):
        found = _options(before)
    else:
        found = _words(before, connect)
    yield from (prefix + one for one in found if (prefix + one).startswith(last))


def _values(kind: str, before: Sequence[str], connect: Connect) -> Iterator[str]:
    if kind == "output":
        yield from ("text", "json")
        return
    api, namespace = _cluster(before, connect)
    if kind == "namespace":
        for found in reading.items(api, "/api/v1/namespaces"):
            yield found["metadata"]["name"]
        return
    placed = _placed(before)
    if len(placed) > 1:
        raw = reading.model_deployment(api, namespace or api.namespace(), placed[1])
        yield from _revisions(raw.get("status") or {}, kind)


def _revisions(status: Object, kind: str) -> Iterator[str]:
    entries: list[Object] = list(status.get("retired", ())) if kind == "to" else [*rejected_entries(status)]
    if kind == "revision" and status.get("rollout"):
        entries.append(status["rollout"])
    for entry in entries:
        yield f"{entry['revision']['name']}\t{words.version(entry['revision'])}"


def _options(before: Sequence[str]) -> Iterator[str]:
    parser = _parser(before)
    for action in parser._actions:
        for option in action.option_strings:
            if option.startswith("--"):
                yield f"{option}\t{action.help or ''}"


def _words(before: Sequence[str], connect: Connect) -> Iterator[str]:
    placed = _placed(before)
    if not placed:
        for action in _subparsers(arguments.parser())._choices_actions:
            yield f"{action.dest}\t{action.help}"
    elif placed[0] == "completion":
        yield from ("bash", "zsh", "fish") if len(placed) == 1 else ()
    elif placed[0] != "list" and len(placed) == 1:
        api, namespace = _cluster(before, connect)
        for found in reading.model_deployments(api, namespace or api.namespace()):
            yield f"{found['metadata']['name']}\t{(found.get('status') or {}).get('message', '')[:60]}"
    elif placed[0] in ("history", "explain") and len(placed) == 2:
        api, namespace = _cluster(before, connect)
        for record in reversed(reading.records(api, namespace or api.namespace(), placed[1])):
            outcome = (record.get("status") or {}).get("outcome", "")
            yield f"{record['metadata']['name'].rpartition('-')[2]}\t{outcome}"


def _cluster(before: Sequence[str], connect: Connect) -> tuple[Api, str | None]:
    common = arguments.Parser(parents=[arguments.common()], add_help=False)
    options, _ = common.parse_known_args(_without_command(before))
    return connect(arguments.passed_on(options)), getattr(options, "namespace", None)


def _without_command(before: Sequence[str]) -> list[str]:
    """Leave out an option at the end whose value is being typed."""
    return list(before[:-1] if before and before[-1] in _VALUES else before)


def _placed(before: Sequence[str]) -> list[str]:
    """Return the words that are no options and no values of options."""
    takes = set(_VALUES) | {f"--{name}" for name in arguments.PASSED_ON} | {"--timeout", "--version"}
    return [
        word for index, word in enumerate(before)
        if not word.startswith("-") and not (index and before[index - 1] in takes)
    ]  # fmt: skip


def _parser(before: Sequence[str]) -> argparse.ArgumentParser:
    top = arguments.parser()
    placed = _placed(before)
    found: dict[str, argparse.ArgumentParser] = dict(_subparsers(top).choices)
    return found.get(placed[0], top) if placed else top


def _subparsers(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[arguments.Parser]:
    return next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))


if __name__ == "__main__":
    sys.exit(main())
