"""One leader, by what each candidate knows; the clock is stepped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sluice.kube.api import LEASES, Manifest
from sluice.kube.errors import ConflictError, KubeError, UnavailableError
from sluice.kube.lease import Election, Elector, Timing

from tests.simulation.controller import SimulatedApi
from tests.simulation.invariants import Invariants
from tests.simulation.store import copy
from tests.simulation.world import World

NAMESPACE, NAME = "sluice-system", "sluice"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Candidate:
    """An elector with a clock that the test steps."""

    world: World
    identity: str = "a"
    now: float = 100.0
    wall: datetime = NOON
    sleeps: list[float] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.api = SimulatedApi(self.world, Invariants())
        self.election = Election(self.identity)
        self.elector = Elector(
            self.api, self.election, NAMESPACE, NAME, lambda: self.now, lambda: self.wall, self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self.then()

    async def attempt(self, *, later: float = 0.0) -> bool:
        self.now += later
        await self.elector.attempt()
        return self.leads

    @property
    def leads(self) -> bool:
        return self.election.leads(self.now)


@pytest.fixture
def world() -> World:
    return World()


def lease(world: World) -> Manifest:
    found = world.store.get(LEASES, NAMESPACE, NAME)
    assert found
    return found


async def test_the_first_makes_the_lease_and_leads(world: World) -> None:
    assert await Candidate(world).attempt()
    assert lease(world)["spec"] == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 8,
        "acquireTime": "2026-11-24T12:00:00.000000Z",
        "renewTime": "2026-11-24T12:00:00.000000Z",
        "leaseTransitions": 0,
    }


async def test_a_leader_that_does_not_renew_leads_only_until_the_deadline(world: World) -> None:
    leader = Candidate(world)
    await leader.attempt()
    leader.now += 4.9
    assert leader.leads
    leader.now += 0.1
    assert not leader.leads


async def test_another_waits_from_when_it_saw_the_record_change_whatever_the_record_says(world: World) -> None:
    leader, other = Candidate(world, "a", wall=NOON - timedelta(hours=1)), Candidate(world, "b")
    await leader.attempt()
    assert not await other.attempt(), "an hour old by the clocks, but seen only now"
    assert not await other.attempt(later=7.9)
    await leader.attempt()
    assert not await other.attempt(later=0.2), "it was renewed in between"
    assert not await other.attempt(later=7.9)
    assert await other.attempt(later=0.1)
    assert lease(world)["spec"]["leaseTransitions"] == 1


async def test_a_record_that_says_longer_is_believed(world: World) -> None:
    await Candidate(world).attempt()
    record = lease(world)
    world.store.write(record | {"spec": record["spec"] | {"leaseDurationSeconds": 20}})
    other = Candidate(world, "b")
    await other.attempt()
    assert not await other.attempt(later=19.9)
    assert await other.attempt(later=0.1)


async def test_a_renewal_always_changes_the_record_even_when_the_wall_clock_goes_back(world: World) -> None:
    leader = Candidate(world)
    seen = set()
    for hours in (0, 0, -1, 1, -1):
        leader.wall = NOON + timedelta(hours=hours)
        await leader.attempt(later=1.5)
        seen.add(lease(world)["spec"]["renewTime"])
    assert len(seen) == 5


async def test_a_deleted_lease_is_made_again_by_its_holder_and_frees_nobody_from_waiting(world: World) -> None:
    leader, other = Candidate(world), Candidate(world, "b")
    await leader.attempt()
    await other.attempt()
    world.store.delete("Lease", NAMESPACE, NAME)
    assert not await other.attempt(later=1)
    assert await leader.attempt(later=1.5)
    world.store.delete("Lease", NAMESPACE, NAME)
    assert not await other.attempt(later=6.9)
    assert await other.attempt(later=0.1)


async def test_who_has_lost_the_lease_to_another_leads_no_more_at_once(world: World) -> None:
    leader = Candidate(world)
    await leader.attempt()
    record = lease(world)
    world.store.write(record | {"spec": record["spec"] | {"holderIdentity": "b"}})
    assert not await leader.attempt(later=1)
    assert lease(world)["spec"]["holderIdentity"] == "b"


async def test_who_comes_back_after_the_deadline_does_not_renew_what_it_has_lost(world: World) -> None:
    leader = Candidate(world)
    await leader.attempt()
    version = lease(world)["metadata"]["resourceVersion"]
    assert not await leader.attempt(later=6)
    assert lease(world)["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize("committed", [False, True], ids=["request lost", "answer lost"])
async def test_a_lost_renewal_does_not_count_and_the_next_one_does(
    world: World, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    leader = Candidate(world)
    await leader.attempt()
    until = leader.election.leads_until
    replace = leader.api.replace

    async def lost(*what: object) -> Manifest:
        if committed:
            await replace(*what)  # type: ignore[arg-type]
        raise UnavailableError("lost")

    monkeypatch.setattr(leader.api, "replace", lost)
    await leader.attempt(later=1.5)
    assert leader.election.leads_until == until
    monkeypatch.undo()
    await leader.attempt(later=0.3)
    assert leader.election.leads_until == until + 1.8


async def test_a_renewal_counts_from_before_the_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = Candidate(world)
    create = leader.api.create

    async def slow(*what: object) -> None:
        await create(*what)  # type: ignore[arg-type]
        leader.now += 1.9

    monkeypatch.setattr(leader.api, "create", slow)
    await leader.attempt()
    assert leader.election.leads_until == 105.0


async def test_of_two_that_ask_at_once_one_leads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Candidate(world, "a"), Candidate(world, "b")
    get = one.api.get

    async def overtaken(*what: object) -> Manifest | None:
        seen = copy(await get(*what))  # type: ignore[arg-type]
        await two.attempt()
        return seen  # type: ignore[no-any-return]

    monkeypatch.setattr(one.api, "get", overtaken)
    assert not await one.attempt()
    assert two.leads


@pytest.mark.parametrize("error", [UnavailableError, ConflictError, KubeError])
async def test_run_ends_when_renewals_fail_until_the_deadline(world: World, error: type[KubeError]) -> None:
    leader = Candidate(world)
    told: list[float] = []

    async def fail(*_: object) -> None:
        raise error("no")

    def begun() -> None:
        told.append(leader.now)
        leader.api.get = fail  # type: ignore[assignment, method-assign]

    assert not await leader.elector.run(begun, lambda: False)
    assert told == [100.0]
    assert 105.0 <= leader.now < 105.4
    assert set(leader.sleeps) == {1.5, 0.3}


async def test_an_api_server_that_is_away_keeps_nobody_from_trying(world: World) -> None:
    other = Candidate(world)
    get, tries = other.api.get, []

    async def refused(*what: object) -> Manifest | None:
        tries.append(other.now)
        if len(tries) < 10:
            raise UnavailableError("refused")
        return await get(*what)  # type: ignore[arg-type]

    other.api.get = refused  # type: ignore[assignment, method-assign]
    assert await other.elector.run(lambda: None, lambda: len(tries) >= 12)
    assert lease(world)["spec"]["holderIdentity"] == ""


async def test_who_waits_is_there_when_the_lease_expires(world: World) -> None:
    await Candidate(world).attempt()
    other = Candidate(world, "b")
    assert await other.elector.run(lambda: None, lambda: other.leads)
    assert other.sleeps[:6] == [1.5] * 5 + [0.5]
    assert other.now == pytest.approx(100 + 8 + 1.5)


async def test_a_release_lets_another_lead_at_once(world: World) -> None:
    leader, other = Candidate(world), Candidate(world, "b")
    await leader.attempt()
    assert not await other.attempt()
    await leader.elector.release()
    assert not leader.leads
    assert await other.attempt()
    assert lease(world)["spec"]["leaseTransitions"] == 1


async def test_a_release_takes_nothing_from_another(world: World) -> None:
    leader, other = Candidate(world), Candidate(world, "b")
    await leader.attempt()
    await other.attempt()
    await other.attempt(later=8)
    await leader.elector.release()
    assert lease(world)["spec"]["holderIdentity"] == "b"


async def test_a_release_that_fails_is_only_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    leader = Candidate(world)
    await leader.attempt()

    async def fail(*_: object) -> None:
        raise UnavailableError("no")

    leader.api.get = fail  # type: ignore[assignment, method-assign]
    await leader.elector.release()
    assert not leader.leads
    assert "can't be released: no" in caplog.text


def test_a_timing_without_room_for_a_lost_request_is_refused() -> None:
    Timing()
    with pytest.raises(ValueError, match="no room"):
        Timing(renew=7)
    with pytest.raises(ValueError, match="no room"):
        Timing(request=4)
