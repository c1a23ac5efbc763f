"""Measures: rows written in time, and added up by whichever hub is asked."""

import trio

from sendensed.actors.fanout import Fanout
from sendensed.actors.measures import Measures
from sendensed.actors.receiver import Receiver
from sendensed.config import Config
from sendensed.core import tally
from sendensed.core.board import Board
from sendensed.scoreboard import Scoreboard
from sendensed.store.memory import MemoryStore
from tests.sendensed.actors.rig import NIGHT, Rig


def hubs(count: int) -> tuple[list[Rig], list[Measures]]:
    """So many on one scoreboard."""
    board, rigs, measures = Scoreboard(count), [], []
    for number in range(1, count + 1):
        rig = Rig(Config())
        rig.hearing.place = board.place(number)
        fanout, receiver = Fanout(Board(0), 0.1), Receiver(rig.intents, rig.hearing, 8.5)
        rigs.append(rig)
        measures.append(Measures(rig.hearing, fanout, receiver))
    return rigs, measures


async def test_a_batch_is_in_the_sum_of_every_hub_before_its_senders_are_answered(autojump_clock):
    (first, second), measures = hubs(2)
    seen: list[int] = []

    async def look(name: str) -> None:
        seen.append(tally.read(second.hearing.place.rows()).batched)

    first.environment.failpoint = look
    async with first.running(), second.running():
        await first.send("a", 1, bytes_transferred=5)
        await second.send("b", 1, bytes_transferred=7)
        assert seen == [0, 1]
        for one in measures:
            told = one.read()
            assert (told.batched, told.copied_bytes, sum(told.total.delay.counts)) == (2, 12, 2)
            assert told.flips == {("sender", "running"): 2}


async def test_a_hub_is_seen_by_the_others_within_half_a_second(mock_clock):
    (_, second), measures = hubs(2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(measures[1].run)
        await trio.testing.wait_all_tasks_blocked()
        second.post("a", 1)
        second.hearing.gauges.database.add(0.0, [0.5])
        assert [hub.queue_depth for hub in measures[0].read().hubs] == [0, 0]
        mock_clock.jump(0.5)
        await trio.testing.wait_all_tasks_blocked()
        told = measures[0].read()
        nursery.cancel_scope.cancel()
    assert [hub.queue_depth for hub in told.hubs] == [0, 1]
    assert [hub.serves for hub in told.hubs] == [True, True]
    assert [hub.uptime for hub in told.hubs] == [0.5, 0.5]
    assert told.total.database.sum == 0.5


async def test_a_hub_that_has_not_begun_is_not_there(autojump_clock):
    _, measures = hubs(2)
    assert [hub.serves for hub in measures[0].read().hubs] == [True, False]
    assert [hub.is_ready for hub in measures[0].read().hubs] == [True, False]


async def test_a_single_hub_has_a_scoreboard_of_its_own(autojump_clock):
    rigs = [Rig(Config(), memory=MemoryStore(lambda: NIGHT)) for _ in range(2)]
    async with rigs[0].running(), rigs[1].running():
        await rigs[0].send("a", 1)
    counted = [tally.read(rig.hearing.place.rows()).batched for rig in rigs]
    assert counted == [1, 0]
