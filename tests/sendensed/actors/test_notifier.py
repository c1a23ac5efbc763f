"""Notifier: what other hubs committed comes to this hub's viewers, hint or no hint."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from schemas import feed
from sendensed.actors import viewer
from sendensed.actors.fanout import Fanout
from sendensed.actors.notifier import Notifier
from sendensed.config import Config
from sendensed.core.board import FINISHED_KEPT, Board
from sendensed.core.view import Filter
from sendensed.store import StoreUnavailable
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import Rig
from tests.sendensed.actors.test_feed import Wire

SETTINGS = Config().feed
T = TypeVar("T")


class Hub:
    """A hub's writer, board, viewers and notifier."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.fanout = Fanout(Board(1), SETTINGS.pace)
        self.notifier = Notifier(rig.store, self.fanout, rig.hearing, SETTINGS)

    async def run(self) -> None:
        async with self.rig.running() as nursery:
            nursery.start_soon(self.fanout.run, self.rig.committed)
            nursery.start_soon(self.notifier.run)
            await trio.sleep_forever()

    async def watch(
        self, nursery: trio.Nursery, since: int | None = None, ids: frozenset[str] = frozenset()
    ) -> Wire:
        wire = Wire()
        watching = (wire, self.fanout, Filter(ids), since, self.rig.hearing, self.rig.hearing.hub, SETTINGS)
        nursery.start_soon(viewer.run, *watching, self.notifier)
        await wait_all_tasks_blocked()
        return wire


@asynccontextmanager
async def two_hubs(faulty: bool = False):
    """Hubs a and b on one store; with `faulty` b sees it through a store that fails as told."""
    first = Rig(Config(), hub="a")
    store = FaultyStore(first.memory)
    hubs = Hub(first), Hub(Rig(Config(), store if faulty else None, first.memory, hub="b"))
    async with trio.open_nursery() as nursery:
        for hub in hubs:
            nursery.start_soon(hub.run)
        await wait_all_tasks_blocked()
        yield *hubs, nursery, store
        nursery.cancel_scope.cancel()


async def pass_time(clock, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        clock.jump(0.1)
        await wait_all_tasks_blocked()


def told(wire: Wire) -> list[tuple[str, str]]:
    return [(job.id, job.status) for frame in wire.of(feed.Changes) for job in frame.jobs]


async def test_a_viewer_of_one_hub_sees_what_another_one_committed_within_about_a_second(mock_clock):
    async with two_hubs() as (a, b, nursery, _):
        wire = await b.watch(nursery)
        await a.rig.send("job", 1)
        await pass_time(mock_clock, 1.2)
        await a.rig.send("job", 2, status="completed")
        await pass_time(mock_clock, 1.2)
        assert told(wire) == [("job", "running"), ("job", "completed")]


async def test_a_hint_brings_it_sooner(mock_clock):
    async with two_hubs() as (a, b, nursery, _):
        await pass_time(mock_clock, 1.1)
        for hub in (a, b):  # each beat tells who else is there
            hub.rig.hearing.take(await a.rig.memory.beat(hub.rig.hearing.hub, 15, restart=False), 1)
        wire = await b.watch(nursery)
        await a.rig.send("job", 1)
        await pass_time(mock_clock, 0.6)
        assert told(wire) == [("job", "running")]


async def test_nothing_is_lost_while_the_store_does_not_answer_and_the_hints_have_ended(mock_clock):
    async with two_hubs(faulty=True) as (a, b, nursery, store):
        wire = await b.watch(nursery)
        store.fail("changes", StoreUnavailable("away"), times=10_000)
        store.fail("hints", StoreUnavailable("the connection was lost"), times=10_000)
        for sequence in range(3):
            await a.rig.send("job", sequence, bytes_transferred=sequence)
            await pass_time(mock_clock, 1)
        await a.rig.send("job", 9, status="completed")
        await pass_time(mock_clock, 5)
        assert told(wire) == []
        store.mend()
        await pass_time(mock_clock, 2.5)
        assert told(wire) == [("job", "completed")]


async def test_a_viewer_that_comes_over_from_another_hub_misses_no_end_and_sees_no_job_go_back(mock_clock):
    async with two_hubs() as (a, b, nursery, _):
        await b.rig.send("other", 1, bytes_transferred=1)
        await a.rig.send("job", 1)
        await pass_time(mock_clock, 2)
        first = await a.watch(nursery)
        [snapshot] = first.of(feed.Snapshot)
        await a.rig.send("job", 2, status="completed")
        await a.rig.send("other", 2, bytes_transferred=2)  # b's board still has the first one
        wire = await b.watch(nursery, since=snapshot.sequence)
        assert wire.of(feed.Resync) == wire.of(feed.Snapshot) == []
        assert dict(told(wire))["job"] == "completed"
        [other] = [job for frame in wire.of(feed.Changes) for job in frame.jobs if job.id == "other"]
        assert other.bytes_transferred == 2


async def test_ends_that_have_left_the_board_are_told_from_the_store(mock_clock):
    async with two_hubs() as (a, b, nursery, _):
        await a.rig.send("first", 1)
        mark = (await a.rig.memory.changes(0)).position
        await a.rig.send("first", 2, status="completed")
        for number in range(FINISHED_KEPT + 5):
            a.rig.post(f"job-{number}", 1, status="completed")
        await pass_time(mock_clock, 3)
        assert b.fanout.board.absent(["first"]) == ["first"]
        wire = await b.watch(nursery, since=mark)
        assert len({job_id for job_id, status in told(wire) if status == "completed"}) == FINISHED_KEPT + 6


async def test_what_leaves_the_board_while_the_store_is_read_is_told_as_well(mock_clock):
    async with two_hubs() as (a, b, nursery, _):

        def end(name: str) -> None:
            for number in range(FINISHED_KEPT + 5):
                a.rig.post(f"{name}-{number}", 1, status="completed")

        def slow(read: Callable[..., Awaitable[T]], name: str) -> Callable[[object], Awaitable[T]]:
            """The read, and when it is made first, as many ends before its answer as the board holds."""

            async def read_slowly(asked: object) -> T:
                found = await read(asked)
                if name not in slowed:
                    slowed.add(name)
                    end(name)
                    await wait_all_tasks_blocked()
                    await b.notifier.refresh()
                return found

            return read_slowly

        slowed: set[str] = set()
        await a.rig.send("first", 1)
        mark = (await a.rig.memory.changes(0)).position
        await a.rig.send("first", 2, status="completed")
        end("early")
        await pass_time(mock_clock, 3)
        b.notifier.left = slow(b.notifier.left, "late")
        wire = await b.watch(nursery, since=mark)
        await pass_time(mock_clock, 3)
        assert len({job_id for job_id, status in told(wire) if status == "completed"}) == 2 * FINISHED_KEPT + 11
        b.notifier.look_up = slow(b.notifier.look_up, "last")
        assert b.fanout.board.absent(["late-500"]) == []
        wire = await b.watch(nursery, ids=frozenset({"first", "late-500"}))
        await pass_time(mock_clock, 3)
        [snapshot] = wire.of(feed.Snapshot)
        assert {job.id for job in snapshot.jobs} == {"first", "late-500"}


async def test_those_who_come_back_together_share_one_read(mock_clock):
    async with two_hubs(faulty=True) as (_, b, _, _):
        begun = b.notifier._begun
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(b.notifier.refresh)
        assert b.notifier._begun <= begun + 2


async def test_a_read_that_fails_is_not_taken_for_one_that_was_shared(mock_clock):
    async with two_hubs(faulty=True) as (_, b, _, store):
        store.fail("changes", StoreUnavailable("away"), times=2)
        outcomes = []

        async def refresh() -> None:
            try:
                await b.notifier.refresh()
                outcomes.append("read")
            except StoreUnavailable:
                outcomes.append("away")

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(refresh)
        assert outcomes == ["away", "away", "read", "read", "read"]


async def test_without_the_store_a_viewer_comes_back_to_the_board_as_it_is_and_one_that_is_ahead_is_sent_away(
    mock_clock,
):
    async with two_hubs(faulty=True) as (a, b, nursery, store):
        await a.rig.send("job", 1)
        await pass_time(mock_clock, 2)
        store.fail("changes", StoreUnavailable("away"), times=10_000)
        wire = await b.watch(nursery, since=b.fanout.board.sequence)
        assert [type(frame) for frame in wire.frames[:2]] == [feed.Hello, feed.Changes]
        ahead = (Wire(), b.fanout, Filter(), 10_000, b.rig.hearing, "b", SETTINGS, b.notifier)
        with pytest.RaisesGroup(StoreUnavailable, flatten_subgroups=True):
            await viewer.run(*ahead)
        store.mend()
