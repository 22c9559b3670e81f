"""Asks the operator for something: writes a wish bound to the revision that was seen, and waits for the answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sluice.cli import names, reading
from sluice.cli.errors import ApiError, CliError, Exit
from sluice.cli.kubectl import Object
from sluice.cli.session import Session

LOOK_SECONDS = 0.3
TRIES = 10

# Says which revision is meant; raises CliError when there is nothing to ask for.
Pick = Callable[[Object], str]
# Whether the operator has answered; the sentence, and whether it was granted.
Answer = tuple[str, bool]


def ask(session: Session, action: str, pick: Pick) -> int:
    """Write the annotation of an action and tell the answer.

    Raises:
        CliError: there is nothing to ask for, we may not, or nobody answers.
    """
    with ThreadPoolExecutor(1) as pool:
        user = pool.submit(session.api.user)
        before, revision = _write(session, action, pick, user.result)
    if session.options.no_wait:
        session.say(f"asked for {action} of revision {revision}")
        return Exit.DONE
    old = (before.get("status") or {}).get("lastAction")

    def answered(raw: Object) -> Answer | None:
        last = (raw.get("status") or {}).get("lastAction")
        if not last or last == old or _at(last) == _at(old) or (last["action"], last["revision"]) != (action, revision):
            return None
        return last["outcome"], "refused" not in last["outcome"]

    undo = f"kubectl annotate md {session.name} {names.wish(action)}- -n {session.namespace}"
    return await_answer(session, answered, f"The wish stays until it is answered; to take it back: {undo}")


def await_answer(session: Session, answered: Callable[[Object], Answer | None], undo: str) -> int:
    """Look until the operator has answered, and tell what it said.

    Raises:
        CliError: nobody answers in time.
    """
    deadline = session.monotonic() + session.options.timeout
    while True:
        try:
            said = answered(reading.model_deployment(session.api, session.namespace, session.name))
        except ApiError as error:
            if not error.passing:
                raise
            said = None
        if said:
            text, granted = said
            session.say(text)
            return Exit.DONE if granted else Exit.FAILED
        if session.monotonic() >= deadline:
            raise _nobody(session, undo)
        session.sleep(LOOK_SECONDS)


def patch(session: Session, build: Callable[[Object], Object]) -> Object:
    """Change the ModelDeployment as it was seen; if somebody wrote in between, see again and build again.

    Returns what was seen before the change; `build` returns a merge patch.
    """
    for attempt in range(TRIES):
        raw = reading.model_deployment(session.api, session.namespace, session.name)
        change = build(raw)
        change.setdefault("metadata", {})["resourceVersion"] = raw["metadata"]["resourceVersion"]
        try:
            session.api.merge(session.namespace, session.name, change)
        except ApiError as error:
            if error.reason != "Conflict" or attempt == TRIES - 1:
                raise
            continue
        return raw
    raise AssertionError("unreachable")


def _write(session: Session, action: str, pick: Pick, user: Callable[[], str | None]) -> tuple[Object, str]:
    meant: list[str] = []

    def build(raw: Object) -> Object:
        revision = pick(raw)
        if meant and meant[-1] != revision:
            raise CliError(
                f"the revision has changed from {meant[-1]} to {revision} just now: nothing was asked for",
                f"Look again: kubectl sluice status {session.name} -n {session.namespace}",
            )
        meant.append(revision)
        annotations: dict[str, Any] = {names.wish(action): revision, names.ACTOR: user()}
        return {"metadata": {"annotations": annotations}}

    before = patch(session, build)
    return before, meant[-1]


def _at(action: Object | None) -> Any:
    return action.get("at") if action else None


def _nobody(session: Session, undo: str) -> CliError:
    find = "Is the operator running? kubectl get deploy -A -l " + names.OPERATOR_LABEL
    hint = "\n".join(filter(None, (reading.operators(session.api) or find, undo)))
    text = f"no operator has answered within {session.options.timeout:g} s"
    return CliError(text, hint, Exit.TIMEOUT)
