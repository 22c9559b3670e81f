"""Logs: one line of JSON each, the same for ours and for the libraries', without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

# user:password@ in a URL, and what follows `Bearer`.
_SECRETS = (
    (re.compile(r"(?<=://)[^\s/@\"']*@"), "***@"),
    (re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+"), r"\1***"),
)


def about(namespace: str, name: str) -> Mapping[str, str]:
    """Return the `extra` of a log call that is about one ModelDeployment."""
    return {"about_namespace": namespace, "about_name": name}


def redacted(text: str) -> str:
    """Return a text without the passwords and tokens in it."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class JsonLines(logging.Formatter):
    """time, level, logger, message; namespace and name of the object it is about; the traceback as one string."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        # kopf names its object in a field of its own.
        reference = getattr(record, "k8s_ref", None) or {}
        line["namespace"] = getattr(record, "about_namespace", None) or reference.get("namespace")
        line["name"] = getattr(record, "about_name", None) or reference.get("name")
        line["message"] = redacted(record.getMessage())
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps({key: value for key, value in line.items() if value is not None}, default=str)


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Let everything that is logged, warned or raised by nobody's hand come out as such lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    sys.excepthook = lambda *error: logging.getLogger("sluice").critical(
        "the operator ends by an error", exc_info=error
    )
    # kopf tells each step of its own at INFO.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLevelName(level)))
