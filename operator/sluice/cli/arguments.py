"""The command line: every command and its options. Nothing heavy is imported for it."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn, Protocol

from sluice.cli import words
from sluice.cli.errors import Exit

EPILOG = """\
Exit codes: 0 done (wait: promoted) · 1 refused, rolled back · 2 waits for a person · 3 timeout · 4 error
"""
# Options of kubectl's own that are passed on to it.
PASSED_ON = {
    "kubeconfig": ("FILE", "the kubeconfig to use"),
    "context": ("NAME", "the context of the kubeconfig to use"),
    "cluster": ("NAME", "the cluster of the kubeconfig to use"),
    "user": ("NAME", "the user of the kubeconfig to use"),
    "as": ("USER", "act as somebody else, if you may"),
}


class Add(Protocol):
    """Adds a command to the parser."""

    def __call__(self, name: str, text: str, *, named: bool = True) -> argparse.ArgumentParser:
        """Return the command's own parser."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose exit code for wrong usage does not mean something else here."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and how to learn more."""
        self.exit(Exit.ERROR, f"error: {message}\nSee: {self.prog} --help\n")


def parser() -> Parser:
    """Return the parser of everything."""
    shared = common()
    top = Parser(
        prog=program(), parents=[shared], epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="See and steer the rollouts of ModelDeployments.",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser, required=True)

    def add(name: str, text: str, *, named: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".", parents=[shared])
        if named:
            sub.add_argument("name", metavar="NAME", help="a ModelDeployment")
        return sub

    status = add("status", "show how a ModelDeployment is, why, and what you can do")
    status.add_argument("-w", "--watch", action="store_true", help="go on showing until ctrl-C")
    status.add_argument("--wait", action="store_true", help="the same as the command wait")
    _output(status)
    _waiting(status)
    listing = add("list", "list ModelDeployments", named=False)
    listing.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    _output(listing)
    history = add("history", "list the rollouts so far, or all decisions of one")
    history.add_argument("record", nargs="?", metavar="ROLLOUT", help="number or name of a rollout")
    _output(history)
    explain = add("explain", "tell every decision of a rollout, and what it was made from")
    explain.add_argument("record", nargs="?", metavar="ROLLOUT", help="number or name of a rollout; default: the last")
    _output(explain)
    _waiting(add("wait", "wait until a rollout ends; the exit code says how"))
    _actions(add)
    completion = add("completion", "print a script that completes kubectl-sluice in a shell", named=False)
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    return top


def program() -> str:
    """Return what the user types: kubectl starts a plugin by the name of its file."""
    return "kubectl sluice" if sys.argv[:1] and sys.argv[0].endswith("kubectl-sluice") else "kubectl-sluice"


def passed_on(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the options that kubectl gets too."""
    found = ((name, getattr(options, f"kube_{name}", None)) for name in PASSED_ON)
    return tuple(f"--{name}={value}" for name, value in found if value is not None)


def common() -> Parser:
    """Return the options that every command has.

    What is not given is left out (SUPPRESS): the same option may stand before or after the command, and the other
    place must not reset it.
    """
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = shared.add_argument_group("options of kubectl")
    group.add_argument("-n", "--namespace", help="the namespace; default: that of the context")
    for name, (metavar, text) in PASSED_ON.items():
        group.add_argument(f"--{name}", dest=f"kube_{name}", metavar=metavar, help=text)
    return shared


def _actions(add: Add) -> None:
    promote = add("promote", "skip the present pause or analysis, or promote what has won its test")
    promote.add_argument("--full", action="store_true", help="skip all steps that are left")
    others = (
        add("abort", "roll the candidate back: all traffic to stable"),
        add("retry", "begin the step again, or try a rejected revision again"),
    )
    for sub in (promote, *others):
        sub.add_argument("--revision", help="only if this is the revision; default: the one that is there")
    pause = add("pause", "stop going on, by spec.paused; harm still rolls back")
    resume = add("resume", "go on, by spec.paused")
    rollback = add("rollback", "go back to an earlier revision, at once while its pods are warm")
    rollback.add_argument("--to", metavar="REVISION|VERSION", help="default: the one that was stable before")
    for sub in (promote, *others, pause, resume, rollback):
        sub.add_argument("--no-wait", action="store_true", help="do not wait for the operator's answer")
        sub.add_argument("--timeout", type=_duration, default=20.0, help="for the answer; default 20s")


def _output(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: text")


def _waiting(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--timeout", type=_duration, default=None, help="for example 30m; default: none")
    sub.add_argument(
        "--version", metavar="VERSION", help="wait for this model version, also if its rollout has not begun yet"
    )


def _duration(text: str) -> float:
    try:
        return words.seconds(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write for example 90s, 10m or 1h30m") from None
