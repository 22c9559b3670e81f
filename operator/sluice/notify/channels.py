"""Where notices go: URLs of Apprise (https://github.com/caronc/apprise/wiki), one a line, in a file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apprise

from sluice.core.plan import EventType
from sluice.notify.notices import Notice

ASSET = apprise.AppriseAsset(
    app_id="Sluice", app_desc="Rollouts of models", storage_mode=apprise.PersistentStoreMode.MEMORY
)
KINDS = {EventType.NORMAL: apprise.NotifyType.INFO, EventType.WARNING: apprise.NotifyType.WARNING}


@dataclass(frozen=True)
class Channels:
    """The channels of a file. It is read for each notice: a changed Secret counts from then on."""

    path: Path

    def problems(self) -> Sequence[str]:
        """Say what is wrong with the file, a sentence for each line; URLs are secrets and are not repeated."""
        return self._read()[1]

    async def __call__(self, notice: Notice) -> Sequence[str]:
        """Send a notice to all channels at once; return what went wrong."""
        channels, problems = self._read()
        if not channels:
            return problems
        answers = await channels.async_notify(
            title=notice.title, body=notice.body, notify_type=KINDS[notice.event.type],
            body_format=apprise.NotifyFormat.TEXT,
        )  # fmt: skip
        return [*problems, *(f"{answer.name} did not take it" for answer in answers if not answer)]

    def _read(self) -> tuple[apprise.Apprise, list[str]]:
        found, problems = apprise.Apprise(asset=ASSET), []
        try:
            lines = self.path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            return found, [f"{self.path} can't be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}"]
        for number, line in enumerate(lines, start=1):
            if (url := line.strip()) and not url.startswith("#") and not found.add(url):
                problems.append(f"line {number} of {self.path} is no URL that Apprise knows: see its documentation")
        if not found and not problems:
            problems.append(f"{self.path} names no channel: write one Apprise URL a line")
        return found, problems


# What they log by themselves holds parts of URLs; what matters of it is told by us.
logging.getLogger("apprise").setLevel(logging.CRITICAL)
logging.getLogger("urllib3").setLevel(logging.WARNING)
