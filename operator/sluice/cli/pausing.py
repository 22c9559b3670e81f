"""Pause and resume: `spec.paused`, which stays until somebody changes it."""

from __future__ import annotations

from sluice.cli.asking import Answer, await_answer, patch
from sluice.cli.errors import Exit
from sluice.cli.kubectl import Object
from sluice.cli.session import Session


def set_paused(session: Session, paused: bool) -> int:
    """Write `spec.paused` and tell how it is then.

    Raises:
        CliError: we may not, or nobody answers.
    """
    before = patch(session, lambda _: {"spec": {"paused": paused}})
    if bool(before["spec"].get("paused")) == paused:
        session.say(f"{session.name} is {'paused' if paused else 'not paused'} already")
        return Exit.DONE
    if session.options.no_wait:
        session.say(f"{session.name}: spec.paused is {str(paused).lower()}")
        return Exit.DONE
    wanted = before["metadata"].get("generation", 1) + 1

    def answered(raw: Object) -> Answer | None:
        status = raw.get("status") or {}
        return (_said(status, paused), True) if status.get("observedGeneration", 0) >= wanted else None

    command = f"kubectl sluice {'resume' if paused else 'pause'} {session.name} -n {session.namespace}"
    return await_answer(session, answered, f"spec.paused is {str(paused).lower()} now; to undo it: {command}")


def _said(status: Object, paused: bool) -> str:
    message = status.get("message", "")
    if "rollout" in status:
        return f"paused: {message}" if paused else f"going on: {message}"
    return f"no rollout is going on; the next one {'will wait' if paused else 'goes on by itself'}"
