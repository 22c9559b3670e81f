"""Good and bad versions, by canary."""

from __future__ import annotations

import time

from hack.stories.teller import BETTER, FAILING, FIRST, NAME, NAMESPACE, Teller


def first_install(tell: Teller) -> None:
    """Nothing is there yet."""
    tell.story("The first version")
    tell.alias(FIRST)
    tell.apply()
    tell.until(lambda s: "rollout" in s, "it begins")
    tell.moment("Its pods import and warm up; no route exists before they are ready.")
    tell.serves(FIRST)
    tell.moment("It serves.")


def good_version(tell: Teller) -> None:
    """A good version, approved by a person."""
    tell.story("A good version, with a person's word before everyone gets it")
    tell.begin()
    with tell.traffic(30):
        tell.alias(BETTER)
        tell.until(lambda s: "rollout" in s, "it begins")
        tell.moment("CI has moved the alias: its first pod starts, without traffic.")
        tell.says("candidate", "of a proof")
        time.sleep(2)
        tell.moment("One in ten requests, and not yet enough of them.")
        tell.says("until somebody promotes")
        tell.moment("Proven safe at 10 %; `pause: {}` waits for a person.")
        tell.moment("She promotes it.", f"kubectl sluice promote {NAME} -n {NAMESPACE}")
        tell.serves(BETTER)
        tell.moment("Done; the old version stays warm for a while.")
        tell.moment("What has happened so far.", f"kubectl sluice history {NAME} -n {NAMESPACE}",
                    f"kubectl sluice explain {NAME} -n {NAMESPACE}")  # fmt: skip
        tell.moment("Second thoughts: back at once, its pods are warm.",
                    f"kubectl sluice rollback {NAME} -n {NAMESPACE}")  # fmt: skip
        tell.serves(FIRST)
        tell.moment("And so it stays, although the alias still names version 2.")


def bad_version(tell: Teller) -> None:
    """A version that fails on some rows."""
    tell.story("A version that fails on some rows")
    tell.begin(BETTER)
    with tell.traffic(60):
        tell.alias(FAILING)
        tell.until(lambda s: s.get("verdict") == "Failed", "it is rolled back")
        tell.moment("Three errors that only the candidate makes were proof enough; nobody had to get up.")


def cannot_start(tell: Teller) -> None:
    """Pods that can't start."""
    tell.story("A version whose pods can't start")
    tell.begin()
    tell.apply(server={"image": "example.invalid/no/such:image"})
    tell.until(lambda s: s.get("verdict") == "Failed", "it is rolled back")
    tell.moment("The image does not exist; the kubelet's own words are passed on.")
