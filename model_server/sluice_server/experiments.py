"""What is to be known of each answer where users stick to a version: whose it was.

The metrics count it; the collector is told of it in an A/B test, which has outcomes to join.
"""

from werkzeug.datastructures import Headers

from sluice_server import durations
from sluice_server.exposures import CHANNEL, Exposure
from sluice_server.identities import HEADER, identity
from sluice_server.sender import Sender
from sluice_server.settings import Settings
from sluice_server.units import counted_unit, experiment_of
from sluice_server.users import Asked, Users


class Experiments:
    """Notes the requests that the route has assigned to a version of an experiment; copies and probes are none.

    One without an experiment may be of a window, where users are counted and nobody is told.
    """

    def __init__(self, settings: Settings) -> None:
        self._users = Users(settings.counters_dir)
        self._revision = settings.revision
        self._sender = Sender(settings.collector_url, CHANNEL) if settings.collector_url else None

    @property
    def senders(self) -> tuple[Sender, ...]:
        """What waits to be told."""
        return (self._sender,) if self._sender else ()

    def begin(self, assignment: str, headers: Headers) -> Asked | None:
        """A prediction request has arrived; None if it is of no experiment and no window."""
        unit = counted_unit(headers) if assignment == durations.COMPARED else None
        return self._users.begin(unit) if unit else None

    def answered(self, asked: Asked, headers: Headers, *, status: int, seconds: float | None) -> None:
        """It is answered; `seconds` is the duration if that counts."""
        if self._users.answered(asked, failed=status >= 500, timed=seconds is not None) and seconds is not None:
            durations.answered_user(seconds)
        if self._sender and experiment_of(headers) and (own := identity(headers.get(HEADER))):
            self._sender.offer(Exposure(asked.unit, self._revision, own))
