"""Reaper: silence becomes a verdict, on the store's clock, and never from the hub's own trouble."""

import trio
from trio.testing import wait_all_tasks_blocked

from sendensed.actors import reaper
from sendensed.actors.asks import Beat
from sendensed.config import Config
from sendensed.core.batch import Silence
from sendensed.store import StoreUnavailable
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import NIGHT, Rig


async def pass_time(clock, seconds: float, step: float = 5.0) -> None:
    """Lets time pass in steps, so that every task meets its deadlines in order."""
    left = seconds
    while left > 0:
        clock.jump(min(step, left))
        left -= step
        await wait_all_tasks_blocked()


async def test_a_silent_job_is_stalled_then_failed_within_five_seconds_of_each_deadline(mock_clock):
    rig = Rig(Config())
    async with rig.running() as nursery:
        await rig.send("a", 1, bytes_transferred=623, total_bytes=1000, current_phase="transferring")
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        await pass_time(mock_clock, 55)
        assert (await rig.stored("a")).status == "running"
        await pass_time(mock_clock, 10)
        assert (await rig.stored("a")).status == "stalled"
        await pass_time(mock_clock, 230)
        assert (await rig.stored("a")).status == "stalled"
        await pass_time(mock_clock, 10)
        job = await rig.stored("a")
        assert (job.status, job.closed_by) == ("failed", "reaper")
        assert "(last heard 2026-11-23T02:00:00Z at 62.3 %, phase transferring)" in job.error_message
        nursery.cancel_scope.cancel()


async def test_a_job_that_speaks_every_five_seconds_is_left_alone(mock_clock):
    rig = Rig(Config())
    async with rig.running() as nursery:
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        for sequence in range(80):
            rig.post("a", sequence)
            await pass_time(mock_clock, 5)
        job, events = await rig.memory.job("a")
        assert job.status == "running"
        assert {event.said_by for event in events} == {"sender"}
        nursery.cancel_scope.cancel()


async def test_while_the_store_does_not_answer_nobody_is_judged_and_afterwards_every_job_gets_its_grace(
    mock_clock,
):
    memory = Rig(Config()).memory
    store = FaultyStore(memory)
    rig = Rig(Config(), store, memory)
    async with rig.running() as nursery:
        await rig.send("a", 1)
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        store.fail("beat", StoreUnavailable("away"), times=100)
        await pass_time(mock_clock, 400)
        assert (await rig.stored("a")).status == "running"
        store.mend()
        await pass_time(mock_clock, 50)
        assert (await rig.stored("a")).status == "running"
        assert rig.hearing.health.healthy_since > NIGHT
        await pass_time(mock_clock, 30)
        assert (await rig.stored("a")).status == "stalled"
        nursery.cancel_scope.cancel()


async def test_a_look_that_the_store_does_not_answer_is_made_again(mock_clock):
    memory = Rig(Config()).memory
    with FaultyStore(memory).fail("silent", StoreUnavailable("away"), times=3) as store:
        rig = Rig(Config(), store, memory)
        async with rig.running() as nursery:
            await rig.send("a", 1)
            nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
            await pass_time(mock_clock, 70)
            assert (await rig.stored("a")).status == "stalled"
            nursery.cancel_scope.cancel()


async def test_cancelled_it_leaves_the_writers_door_open_to_others(mock_clock):
    rig = Rig(Config())
    async with rig.running():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reaper.run, rig.store, rig.intents, rig.hearing, rig.settings.reaper)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert (await rig.send("a", 1)).applied


async def test_while_commits_fail_though_the_store_answers_nobody_is_judged(mock_clock):
    memory = Rig(Config()).memory
    store = FaultyStore(memory)
    rig = Rig(Config(), store, memory)
    async with rig.running() as nursery:
        await rig.send("a", 0)
        await rig.send("ended", 0, status="completed")
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        store.fail("save", StoreUnavailable("the table is locked"), times=10_000)
        for sequence in range(1, 80):
            rig.post("a", sequence)
            await pass_time(mock_clock, 2, step=1)
            rig.post("ended", 0)  # changes nothing, so it needs no commit and proves none
            await pass_time(mock_clock, 3, step=1)
        assert not rig.hearing.is_ready
        store.mend()
        await pass_time(mock_clock, 20, step=1)
        assert (await rig.stored("a")).status == "running"
        assert rig.hearing.is_ready
        await pass_time(mock_clock, 60)
        assert (await rig.stored("a")).status == "stalled"
        nursery.cancel_scope.cancel()


async def test_a_question_that_was_waiting_while_the_hub_was_frozen_is_not_judged(mock_clock):
    rig = Rig(Config())
    async with rig.running():
        await rig.send("a", 1)
        mock_clock.jump(465)
        rig.intents.send_nowait(Silence("a"))
        rig.intents.send_nowait(Beat())
        await wait_all_tasks_blocked()
        assert (await rig.stored("a")).status == "running"
        rig.intents.send_nowait(Silence("a"))
        await wait_all_tasks_blocked()
        assert (await rig.stored("a")).status == "running"
        assert rig.hearing.health.healthy_since == rig.wall()


async def test_a_job_heard_before_the_stores_clock_stepped_back_is_judged_by_the_new_time(mock_clock):
    rig = Rig(Config())
    async with rig.running() as nursery:
        await rig.send("a", 1)
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        await pass_time(mock_clock, 10)
        rig.started += 86_400  # a day back
        await pass_time(mock_clock, 80)
        assert (await rig.stored("a")).status == "stalled"
        await pass_time(mock_clock, 250)
        job = await rig.stored("a")
        assert (job.status, job.closed_by) == ("failed", "reaper")
        assert job.error_message.startswith("no telemetry for 0s (last heard 2026-11-23T02:00:00Z")
        nursery.cancel_scope.cancel()
