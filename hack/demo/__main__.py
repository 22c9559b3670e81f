"""Tells the story: version 1 live, 2 promoted, 3 (failing) and 5 (slow) rolled back; non-zero if not so."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from sluice_training.data import request_rows

from hack.demo.view import View
from hack.demo.watching import Sight, Watcher
from hack.load import Answer, Load
from hack.stack.commands import ROOT, StackError
from hack.stack.install import Stack, bring_up

NAMESPACE, NAME, ALIAS = "demo", "penguins", "champion"
RATE = 100.0
PATIENCE_SECONDS = 240.0


class DemoError(Exception):
    """Something that should have happened did not."""


@dataclass
class Story:
    """One run of the demo."""

    stack: Stack
    watcher: Watcher
    view: View
    load: Load | None = None

    def install(self) -> None:
        """Put version 1 live, from nothing."""
        shell = self.stack.shell
        self.view.title("1. Version 1 goes live")
        shell.kubectl("delete", "modeldeployment", NAME, "--namespace", NAMESPACE, "--ignore-not-found")
        self.stack.move_alias(ALIAS, 1)
        shell.apply((ROOT / "hack/demo/namespace.yaml").read_text())
        shell.kubectl("apply", "--namespace", NAMESPACE, "-f", "examples/canary.yaml")
        self.until(lambda sight: sight.ready and sight.stable == "1", "version 1 serves")

    def good(self) -> None:
        """Roll out a better version under traffic; nobody may notice."""
        self.view.title("2. The alias moves to version 2, a better model: it is promoted step by step")
        since = self.mark()
        self.stack.move_alias(ALIAS, 2)
        self.until(lambda sight: sight.stable == "2" and not sight.candidate, "version 2 is stable")
        time.sleep(2)
        self.nobody_failed(since)

    def bad(self) -> None:
        """Roll out a version that answers 500 on some rows; it must be gone in no time."""
        self.view.title("3. The alias moves to version 3, which fails on some rows: it is rolled back")
        since = self.mark()
        self.stack.move_alias(ALIAS, 3)
        self.until(lambda sight: sight.rejected == "3" and not sight.candidate, "version 3 is rolled back")
        self.until_off("3")
        self.summary(self.answers()[since:], "3")

    def slow(self) -> None:
        """Roll out a version that is right and slow; nobody gets an error, and it is gone soon."""
        self.view.title("4. The alias moves to version 5, as good as version 2 but slow: it is rolled back")
        since = self.mark()
        self.stack.move_alias(ALIAS, 5)
        sight = self.until(lambda sight: sight.rejected == "5" and not sight.candidate, "version 5 is rolled back")
        if not sight.why.startswith("slower"):
            raise DemoError(f"version 5 was rolled back for something else than being slow: {sight.why}")
        self.until_off("5")
        self.nobody_failed(since)
        self.slowness(self.answers()[since:], "5")

    def until(self, true: Callable[[Sight], bool], what: str) -> Sight:
        """Watch until something is so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            sight = self.watcher.look()
            self.view.show(sight, self.answers())
            if true(sight):
                return sight
            time.sleep(0.4)
        raise DemoError(f"did not happen within {PATIENCE_SECONDS:.0f} s: {what}")

    def until_off(self, version: str) -> None:
        """Wait until clients got nothing from a version for three seconds."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            last = max((a.done for a in self.answers()[-5000:] if a.version == version), default=0.0)
            if time.monotonic() - last > 3:
                return
            self.view.show(self.watcher.look(), self.answers())
            time.sleep(0.4)
        raise DemoError(f"version {version} still gets traffic")

    def answers(self) -> list[Answer]:
        """Everything clients got so far."""
        return self.load.answers if self.load else []

    def mark(self) -> int:
        """Remember this point of the clients' log."""
        return len(self.answers())

    def nobody_failed(self, since: int) -> None:
        """Check the clients' log."""
        answers = self.answers()[since:]
        failed = [answer for answer in answers if answer.failed]
        if failed:
            raise DemoError(f"{len(failed)} of {len(answers)} requests failed, for example {failed[0]}")
        self.say(f"{len(answers)} requests during this rollout, 0 failed")

    def summary(self, answers: list[Answer], version: str) -> None:
        """Say who was hurt by the bad version, and that it was nobody else."""
        failed = [answer for answer in answers if answer.failed]
        others = [answer for answer in failed if answer.version != version]
        if others or not failed:
            raise DemoError(f"expected failures of version {version} only; others: {others[:3]}")
        span = max(a.done for a in answers if a.version == version) - failed[0].done
        self.say(
            f"{len(failed)} of {len(answers)} requests failed, all on version {version}; "
            f"it was off traffic {span:.1f} s after its first failure"
        )

    def slowness(self, answers: list[Answer], version: str) -> None:
        """Say what the slow version did to its clients, and for how long."""
        slow = [answer for answer in answers if answer.version == version]
        others = [answer for answer in answers if answer.version != version]
        its, theirs = (1000 * median(a.done - a.sent for a in some) for some in (slow, others))
        span = max(a.done for a in slow) - slow[0].done
        self.say(
            f"version {version} gave {len(slow)} of {len(answers)} answers, in {its:.0f} ms (others {theirs:.0f} ms); "
            f"it was off traffic {span:.1f} s after its first answer, up to 10 s of them its warm-up"
        )

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.view.say(text)


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    console, began = Console(highlight=False), time.monotonic()
    cluster = parser.parse_args().cluster
    try:
        stack = bring_up(cluster, console.print)
        ready = time.monotonic() - began
        tell(stack, console)
    except (StackError, DemoError) as problem:
        console.print(f"[red]The demo failed:[/red] {problem}")
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(f"\nSet-up took {ready:.0f} s, the story {time.monotonic() - began - ready:.0f} s.")
    console.print(NEXT.format(kubeconfig=stack.shell.env["KUBECONFIG"], down=taking_away(cluster)))
    return 0


def tell(stack: Stack, console: Console) -> None:
    """Tell the four chapters."""
    with View(console) as view:
        story = Story(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]), view)
        story.install()
        url = f"{stack.gateway_url}/penguins/invocations"
        with Load(url, request_rows(), RATE) as load:
            story.load = load
            story.good()
            story.bad()
            story.slow()


NEXT = """
The cluster stays up. Look around:

  export KUBECONFIG={kubeconfig}
  kubectl get md -n demo                    what runs, and what is being rolled out
  kubectl describe md penguins -n demo      why: conditions and events
  kubectl get httproute,pods -n demo        what Sluice made of it
  {down}
"""


def taking_away(cluster: str) -> str:
    """Return the command that takes a cluster away, or says how where it is not ours, and what it does."""
    command = "make cluster-down" + ("" if cluster == "sluice" else f" CLUSTER={cluster}")
    return f"{command:40}  {'how to take away what was put there' if cluster == 'current' else 'take it all away'}"


if __name__ == "__main__":
    sys.exit(main())
