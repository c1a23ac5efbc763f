"""Keeper: appliances noted every 10 s, history tended every hour, whatever the store says meanwhile."""

from datetime import timedelta

import pytest
import structlog
import trio

from schemas.telemetry import Telemetry
from sendensed.actors import keeper
from sendensed.config import History
from sendensed.core.appliance import Register
from sendensed.core.retention import Limits
from sendensed.store import StoreUnavailable
from sendensed.store.memory import MemoryStore
from sendensed.store.memory_archive import MemoryArchive
from tests.fakes.jobs import EARLY, a_job, an_event
from tests.fakes.stores import FaultyStore, saved


class Tended(FaultyStore):
    """An archive that counts how often it is tended, and fails as told."""

    def __init__(self, base: MemoryArchive) -> None:
        super().__init__(base)
        self.limits: list[Limits] = []

    async def note(self, appliances):
        return await self._call("note", appliances)

    async def tend(self, limits):
        self.limits.append(limits)
        await self._call("tend", limits)
        return ["dropped job_events_20260101"]


@pytest.fixture
def archive():
    return Tended(MemoryArchive(MemoryStore(lambda: EARLY + timedelta(seconds=trio.current_time()))))


def heard(register: Register, name: str) -> None:
    register.heard(name, Telemetry("backup", "a"), EARLY)


async def test_appliances_are_noted_at_once_and_then_every_ten_seconds(autojump_clock, archive, nursery):
    register = Register()
    heard(register, "a")
    nursery.start_soon(keeper.run, archive, register, History())
    await trio.sleep(1)
    assert [one.name for one, _ in await archive.base.appliances()] == ["a"]
    heard(register, "b")
    await trio.sleep(10)
    assert [one.name for one, _ in await archive.base.appliances()] == ["a", "b"]


async def test_history_is_tended_at_the_start_and_once_a_period(autojump_clock, archive, nursery):
    with structlog.testing.capture_logs() as logs:
        nursery.start_soon(keeper.run, archive, Register(), History(events=3, samples=2, whole=1, period=100))
        await trio.sleep(250)
    assert archive.limits == [Limits(3, 2, 1)] * 3
    assert {entry["step"] for entry in logs} == {"dropped job_events_20260101"}


async def test_a_store_that_is_away_is_asked_again(autojump_clock, archive, nursery):
    archive.fail("note", StoreUnavailable("away")).fail("tend", StoreUnavailable("away"))
    register = Register()
    with structlog.testing.capture_logs() as logs, archive:
        nursery.start_soon(keeper.run, archive, register, History(period=15))
        await trio.sleep(1)
        heard(register, "a")
        await trio.sleep(15)
    said = sorted(entry["event"] for entry in logs if entry["log_level"] == "warning")
    assert said == ["appliances not noted", "history not tended"]
    assert [one.name for one, _ in await archive.base.appliances()] == ["a"]
    assert len(archive.limits) == 2


async def test_an_error_that_is_a_bug_ends_the_hub(autojump_clock, archive):
    archive.fail("tend", RuntimeError("a bug"))
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a bug")):
        await keeper.run(archive, Register(), History())


async def test_cancelled_it_leaves_nothing_behind(autojump_clock, archive):
    with trio.move_on_after(5):
        await keeper.run(archive, Register(), History())
    assert len(archive.limits) == 1


async def test_memory_forgets_what_is_too_old_and_notes_the_time_without_a_hub(autojump_clock):
    store = MemoryStore(lambda: EARLY + timedelta(seconds=trio.current_time()))
    archive = MemoryArchive(store)
    await saved(store, a_job(), an_event(at=EARLY - timedelta(days=9)), an_event(at=EARLY))
    await archive.note([])
    await archive.tend(Limits(events=5, samples=5, whole=1))
    assert len((await store.job("backup-web-1"))[1]) == 1
    await trio.sleep(60)
    await archive.note([])
    now = await store.now()
    [outage] = await archive.outages(EARLY, now)
    assert (outage.end - outage.start).total_seconds() == pytest.approx(60)
