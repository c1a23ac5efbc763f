"""Viewer: what one is told besides jobs, and where it goes on."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from schemas import feed
from sendensed.actors import notifier
from sendensed.actors.fanout import Fanout
from sendensed.core.alarm import Alarm
from sendensed.core.board import FINISHED_KEPT, Board
from sendensed.core.view import Filter
from tests.sendensed.actors.rig import NIGHT
from tests.sendensed.actors.test_feed import SETTINGS, Stage, job
from tests.sendensed.actors.test_notifier import pass_time, two_hubs

RUNNING = Filter(statuses=frozenset({"running"}))


async def test_a_tick_tells_the_alarms_that_are_open(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        alarm = Alarm("mass_silence", NIGHT, "hub-2", "3 of 4 active jobs are silent")
        stage.hearing.alarmed(alarm)
        wire = stage.watch()
        await wait_all_tasks_blocked()
        stage.hearing.calmed(alarm)
        mock_clock.jump(5)
        await wait_all_tasks_blocked()
        first, second = wire.of(feed.Tick)
        assert first.alarms == (feed.AlarmView("mass_silence", NIGHT, "hub-2", "3 of 4 active jobs are silent"),)
        assert second.alarms == ()
        nursery.cancel_scope.cancel()


async def test_a_hub_that_goes_says_when_to_come_back(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        wire = stage.watch()
        await wait_all_tasks_blocked()
        stage.committed.close()
        await wait_all_tasks_blocked()
        [bye] = wire.of(feed.Bye)
        assert bye.after > 0


async def test_who_missed_too_much_to_be_told_one_by_one_gets_a_snapshot(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        stage.gone = None
        wire = stage.watch(since=500)  # before what the board holds
        await wait_all_tasks_blocked()
        assert [type(frame) for frame in wire.frames[:3]] == [feed.Hello, feed.Resync, feed.Snapshot]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("most", "frame"), [(20, feed.Resync), (2_000, feed.Changes)])
async def test_ends_beyond_a_bound_are_a_lost_position(mock_clock, monkeypatch, most, frame):
    monkeypatch.setattr(notifier, "_MOST", most)
    async with two_hubs() as (a, b, nursery, _):
        mark = b.fanout.board.sequence
        for number in range(FINISHED_KEPT + 50):
            a.rig.post(f"job-{number}", 1, status="completed")
        await pass_time(mock_clock, 3)
        wire = await b.watch(nursery, since=mark)
        assert type(wire.frames[1]) is frame


async def test_a_viewer_of_running_jobs_learns_of_an_end_that_has_left_the_board(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        stage.gone = [job("a", 9, status="completed")]
        wire = stage.watch(RUNNING, since=500)
        await wait_all_tasks_blocked()
        [missed] = wire.of(feed.Changes)
        assert [(one.id, one.status) for one in missed.jobs] == [("a", "completed")]
        nursery.cancel_scope.cancel()


def test_what_waits_for_a_viewer_is_never_overtaken_by_what_comes_later():
    fanout, taken = Fanout(Board(0), SETTINGS.pace), []
    with fanout.viewer(Filter()) as viewer:
        viewer.direct = lambda frame: False
        fanout.publish([job("a"), job("b")])
        viewer.direct = lambda frame: taken.append(frame) is None
        fanout.publish([job("a", 2)])
        assert taken == []
        waiting = viewer.mailbox.drain()
        assert {one: entry.job.revision for one, entry in waiting.items()} == {"a": 2, "b": 1}
        fanout.publish([job("a", 3)])
        assert len(taken) == 1
