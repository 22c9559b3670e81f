"""Never two leaders, whatever is lost, late or frozen; and always one soon after things are well again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.kube.lease import Timing

from tests.simulation.electing import Contest, Fate, Turn

TROUBLE_SECONDS = 120.0
TIMING = Timing()
# The old leader's lease runs out, whoever waits is there, and its clock may go a tenth too slowly.
SOON = (TIMING.lease + 2 * TIMING.retry + 2 * TIMING.request) / 0.9

clocks = st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(0.9, 1.1)), min_size=2, max_size=3).map(tuple)
turns = st.builds(
    Turn,
    fate=st.sampled_from([Fate.ANSWERED] * 6 + list(Fate)),
    slow=st.floats(0, 1),
    freeze=st.just(0.0) | st.just(0.0) | st.floats(0, 20),
)


@settings(max_examples=200, deadline=None)
@given(clocks=clocks, script=st.lists(turns, min_size=20, max_size=150))
def test_never_two_lead_and_soon_one_does(clocks: tuple[tuple[float, float], ...], script: list[Turn]) -> None:
    contest = Contest(clocks, iter(script))
    contest.run(until=TROUBLE_SECONDS)
    contest.turns = iter(())
    frozen = max((turn.freeze for turn in script), default=0.0)
    contest.run(until=TROUBLE_SECONDS + frozen + SOON)
    assert [process for process in contest.processes.values() if process.leads(contest.time)]


def test_without_trouble_the_first_leads_on_and_on() -> None:
    contest = Contest(((0.0, 1.0), (50.0, 1.0)), iter(()))
    contest.run(until=600)
    assert len(contest.leaders) == 1
