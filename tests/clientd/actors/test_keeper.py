"""Keeper: what the outboxes hold is soon on the disk, and one that is slow, full or gone holds up nobody."""

import threading

import pytest
import trio

from clientd.actors.keeper import Keeper
from clientd.config import TelemetrySettings
from clientd.core.outbox import LAST, Refused
from clientd.errors import SpoolUnavailable
from clientd.state.memory import MemorySpool, Shelf
from tests.fakes import spools
from tests.fakes.spools import LIMITS

SETTINGS = TelemetrySettings()


class FaultySpool:
    """A spool whose calls fail or hang as told. `saves` are the calls of `save` that got through."""

    def __init__(self, base):
        self.base = base
        self.saves = 0
        self.failing = False
        self._open = threading.Event()
        self._open.set()
        self.entered = threading.Event()

    def hang(self):
        self._open.clear()

    def go_on(self):
        self._open.set()

    def _pass(self):
        self.entered.set()
        assert self._open.wait(60)
        if self.failing:
            raise SpoolUnavailable("no space left")

    def begin(self, *arguments):
        self._pass()
        return self.base.begin(*arguments)

    def save(self, lots):
        self._pass()
        self.saves += 1
        return self.base.save(lots)

    def claim(self, *arguments):
        self._pass()
        return self.base.claim(*arguments)

    def holding(self):
        self._pass()
        return self.base.holding()

    def close(self):
        self._pass()
        self.base.close()


class Keeping:
    """A keeper over a spool in memory; `later` is the process that comes next."""

    def __init__(self, environment, limits=LIMITS):
        self.environment = environment
        self.shelf = Shelf()
        self._limits = limits
        self.spool = FaultySpool(self._spool())
        self.keeper = Keeper(self.spool, environment=environment, settings=SETTINGS)

    def _spool(self):
        return MemorySpool(self.environment, limits=self._limits, sender="clientd/test", shelf=self.shelf)

    def update(self, sequence, **more):
        return spools.update(self.environment, sequence, **more)

    def found_by_the_next(self):
        self.spool.base.vanish()
        later = self._spool().claim(99)
        return [(lot.attempt, [update.sequence for update in lot.waiting]) for lot in later]


@pytest.fixture
def keeping(environment):
    """On the real clock, or on one that stands still: one that jumps by itself would jump over a thread's work."""
    return Keeping(environment)


async def started(keeping, nursery):
    nursery.start_soon(keeping.keeper.run)
    attempt, outbox = await keeping.keeper.begin("a", "backup", None)
    return attempt, outbox


async def test_what_is_added_is_kept_and_what_is_forgotten_is_not(keeping, nursery, environment):
    attempt, outbox = await started(keeping, nursery)
    assert attempt == 1
    for sequence in (1, 2):
        outbox.add(keeping.update(sequence))
    assert await outbox.kept()
    outbox.forget((1, 1))
    outbox.add(keeping.update(3, status="completed"))
    assert await outbox.kept()
    assert keeping.found_by_the_next() == [(1, [2, 3])]
    assert environment.passed[:3] == ["job.begun", "outbox.writing", "outbox.written"]


async def test_an_attempt_that_is_through_leaves_nothing_for_others(keeping, nursery):
    _, outbox = await started(keeping, nursery)
    outbox.add(keeping.update(1, status="completed"))
    outbox.forget((1, LAST))
    outbox.close()
    assert await outbox.kept()
    assert keeping.found_by_the_next() == []


async def test_what_is_left_at_the_close_is_anybody_s(keeping, nursery):
    _, outbox = await started(keeping, nursery)
    end = keeping.update(1, status="failed")
    outbox.add(end)
    outbox.close()
    assert await outbox.kept()
    [left] = await keeping.keeper.claim()
    assert left.head() == end


async def test_earlier_attempts_stand_in_front_and_keep_their_own_rows(keeping, nursery):
    _, first = await started(keeping, nursery)
    first.add(keeping.update(5, status="failed"))
    first.close()
    assert await first.kept()
    attempt, second = await keeping.keeper.begin("a", "backup", None)
    assert attempt == 2
    second.add(keeping.update(1, attempt=2))
    assert [update.position for update in second.waiting] == [(1, 5), (2, 1)]
    second.forget((1, LAST))
    second.add(keeping.update(9, attempt=2, status="completed"))
    assert await second.kept()
    assert keeping.found_by_the_next() == [(2, [1, 9])]


async def test_what_the_hub_refused_stays_aside(keeping, nursery):
    _, outbox = await started(keeping, nursery)
    event = keeping.update(1)
    outbox.add(event)
    outbox.set_aside(event, "400: no")
    outbox.close()
    assert await outbox.kept()
    held = await keeping.keeper.holding()
    assert (held.waiting, held.aside) == (0, 1)
    assert keeping.shelf.entries["a", 1].lot.aside == (Refused(event, "400: no"),)


async def test_a_spool_that_fails_is_said_once_and_tried_again(keeping, nursery, mock_clock, said):
    _, outbox = await started(keeping, nursery)
    keeping.spool.failing = True
    outbox.add(keeping.update(1))
    assert not await outbox.kept()
    for sequence in range(2, 6):
        outbox.add(keeping.update(sequence))
        assert not await outbox.kept()
    assert outbox.head().sequence == 1
    keeping.spool.failing = False
    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(SETTINGS.spool_retry)
    while len(said) < 2:
        await trio.lowlevel.checkpoint()
    assert await outbox.kept()
    assert [line["event"] for line in said] == [
        "the spool cannot be used: what the hub does not get is lost at the end",
        "the spool can be used again",
    ]


async def test_the_end_is_tried_at_once_though_the_spool_failed_before(keeping, nursery, mock_clock):
    _, outbox = await started(keeping, nursery)
    keeping.spool.failing = True
    outbox.add(keeping.update(1))
    assert not await outbox.kept()
    keeping.spool.failing = False
    outbox.add(keeping.update(2, status="completed"))
    began = trio.current_time()
    assert await outbox.kept()
    assert trio.current_time() == began


async def test_an_attempt_begins_without_a_spool_and_is_newer_than_any(
    keeping, nursery, environment, mock_clock, said
):
    keeping.spool.failing = True
    attempt, outbox = await started(keeping, nursery)
    assert attempt == int(environment.moment().wall) // 60
    given, _ = await keeping.keeper.begin("b", "backup", 3)
    assert given == 3
    assert await keeping.keeper.claim() == []
    with pytest.raises(SpoolUnavailable):
        await keeping.keeper.holding()
    assert len(said) == 1
    keeping.spool.failing = False
    outbox.add(keeping.update(1, attempt=attempt))
    assert await outbox.kept()


async def test_a_disk_that_hangs_is_waited_for_in_bounded_time(environment, mock_clock, said):
    keeping = Keeping(environment)
    async with trio.open_nursery() as nursery:
        _, outbox = await started(keeping, nursery)
        keeping.spool.entered.clear()
        keeping.spool.hang()
        outbox.add(keeping.update(1))
        await trio.to_thread.run_sync(keeping.spool.entered.wait)
        assert outbox.head().sequence == 1
        outbox.add(keeping.update(2, status="completed"))
        mock_clock.jump(SETTINGS.spool_answer)
        while not said:
            await trio.lowlevel.checkpoint()
        assert "does not answer" in said[0]["error"]
        keeping.spool.go_on()
        assert await outbox.kept()
        nursery.cancel_scope.cancel()
    assert keeping.found_by_the_next() == [(1, [1, 2])]


async def test_a_disk_that_hangs_does_not_hold_up_the_end_of_the_process(environment, mock_clock):
    keeping = Keeping(environment)
    async with trio.open_nursery() as nursery:
        _, outbox = await started(keeping, nursery)
        keeping.spool.entered.clear()
        keeping.spool.hang()
        outbox.add(keeping.update(1))
        await trio.to_thread.run_sync(keeping.spool.entered.wait)
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeping.keeper.close)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(1)
    keeping.spool.go_on()


async def test_a_full_spool_is_said_once(environment, nursery, said):
    keeping = Keeping(environment, spools.Limits(events=1, bytes=2**20, jobs=9))
    _, outbox = await started(keeping, nursery)
    for sequence in (1, 2, 3):
        outbox.add(keeping.update(sequence))
        assert await outbox.kept()
    assert [line["event"] for line in said] == ["the spool is full, its oldest events are dropped"]
    outbox.forget((1, 2))
    assert await outbox.kept()
    outbox.add(keeping.update(4))
    assert await outbox.kept()
    assert len(said) == 2


async def test_all_is_settled_when_every_outbox_is_kept(keeping, nursery):
    _, first = await started(keeping, nursery)
    _, second = await keeping.keeper.begin("b", "backup", None)
    first.add(keeping.update(1))
    second.add(keeping.update(1, job_id="b"))
    assert await keeping.keeper.settled()
    keeping.spool.failing = True
    second.add(keeping.update(2, job_id="b"))
    assert not await keeping.keeper.settled()


async def test_closing_lets_go_of_all(keeping, nursery):
    _, outbox = await started(keeping, nursery)
    outbox.add(keeping.update(1, status="failed"))
    assert await outbox.kept()
    await keeping.keeper.close()
    assert keeping.found_by_the_next() == [(1, [1])]
