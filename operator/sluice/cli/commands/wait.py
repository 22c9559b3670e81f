"""`kubectl sluice wait NAME`: for CI. The exit code says how the rollout ended."""

from __future__ import annotations

from sluice.cli import reading, view
from sluice.cli.commands.watch import line
from sluice.cli.ending import Ending, ending, followed_now, versions_of
from sluice.cli.errors import ApiError, Exit
from sluice.cli.kubectl import Object
from sluice.cli.session import Session

LOOK_SECONDS = 1.0


def run(session: Session) -> int:
    """Look until the rollout has ended; an API server that is away for a while is no end."""
    timeout, version = session.options.timeout, session.options.version
    deadline = None if timeout is None else session.monotonic() + timeout
    followed, last = None, ""
    raw = reading.model_deployment(session.api, session.namespace, session.name)
    while True:
        if end := ending(raw, followed, version):
            return _tell(session, raw, end)
        now_followed = followed_now(raw)
        if version is None or _is_version(raw, version):
            followed = now_followed or followed
        last = _progress(session, raw, last)
        if deadline is not None and session.monotonic() >= deadline:
            text = f"the rollout has not ended within {timeout:g} s"
            return _tell(session, raw, Ending(Exit.TIMEOUT, text))
        session.sleep(LOOK_SECONDS)
        raw = _look(session, raw)


def _is_version(raw: Object, version: str) -> bool:
    rollout = (raw.get("status") or {}).get("rollout")
    return bool(rollout and version in versions_of(rollout))


def _look(session: Session, before: Object) -> Object:
    try:
        return reading.model_deployment(session.api, session.namespace, session.name)
    except ApiError as error:
        if not error.passing:
            raise
        session.warn(f"the API server does not answer, waiting on: {error.message}")
        return before


def _progress(session: Session, raw: Object, last: str) -> str:
    """Write a line when something but the counts has changed."""
    shown = view.build(raw, (), session.now())
    candidate = shown.revision("candidate")
    mark = f"{shown.state} {shown.step} {candidate}" if not candidate else f"{shown.state} {shown.step}"
    if mark != last:
        session.warn(f"{session.now():%H:%M:%S}  {line(shown)}")
    return mark


def _tell(session: Session, raw: Object, end: Ending) -> int:
    if getattr(session.options, "output", "text") == "json":
        from_json = view.build(raw, (), session.now())
        from sluice.cli.render import to_json  # noqa: PLC0415 - rich is not needed otherwise

        session.say(to_json({"exitCode": int(end.code), "message": end.text, "modelDeployment": from_json}))
    else:
        session.say(end.text)
    return end.code
