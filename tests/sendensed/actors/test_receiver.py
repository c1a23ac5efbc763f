"""Receiver: overload is refused early and cheaply, ends come in, and no acknowledged update is ever lost."""

import json
from collections import Counter

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from schemas import fault
from schemas.fault import Invalid
from schemas.job import Stopping
from schemas.telemetry import Acknowledgement
from sendensed.actors import reaper, receiver
from sendensed.actors.lag import Lag
from sendensed.config import Config, Writer
from sendensed.core import batch
from sendensed.core.answer import Refusal
from sendensed.core.rate import Rate
from sendensed.store import RowRefused
from sendensed.store.memory import MemoryStore
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import NIGHT, Rig
from tests.sendensed.actors.test_reaper import pass_time


def door_of(rig: Rig, **words) -> receiver.Receiver:
    return receiver.Receiver(rig.intents, rig.hearing, 8.5, **words)


def row(job_id: str, sequence: int, **fields) -> dict:
    return {"job_type": "backup", "job_id": job_id, "status": "running", "sequence": sequence, **fields}


def rows(*said: dict) -> bytes:
    return json.dumps({"updates": said}).encode()


class Hanging(MemoryStore):
    """A store whose saves hang until it is let go."""

    def __init__(self) -> None:
        super().__init__(lambda: NIGHT)
        self.go_on = trio.Event()

    async def save(self, changes):
        await self.go_on.wait()
        return await super().save(changes)


async def test_a_batch_is_answered_row_by_row_in_order_and_its_updates_of_one_job_apply_in_order(autojump_clock):
    rig = Rig(Config())
    async with rig.running():
        told = await door_of(rig).accept_batch(
            rows(
                row("a", 1, bytes_transferred=1),
                row("b", 1),
                {"job_id": "c"},
                row("a", 2, bytes_transferred=2),
                row("a", 2),
                row("a", 3, status="completed"),
            )
        )
        job = await rig.stored("a")
        events = (await rig.memory.job("a"))[1]
    assert [getattr(one, "applied", None) for one in told] == [True, True, None, True, False, True]
    assert isinstance(told[2], Invalid)
    assert told[4].reason == "duplicate"
    assert (job.status, job.bytes_transferred, job.sequence) == ("completed", 2, 3)
    assert [event.status for event in events] == ["running", "completed"]


async def test_a_row_that_the_database_refuses_is_refused_alone(autojump_clock):
    store = FaultyStore(MemoryStore(lambda: NIGHT))
    poison = "poison"

    async def save(changes):
        if any(change.job.vm_name == poison for change in changes):
            raise RowRefused("a value that no column takes")
        return await store.base.save(changes)

    store.save = save
    rig = Rig(Config(), store, store.base)
    async with rig.running():
        said = [row(f"job-{number}", 1, vm_name=poison if number == 5 else "vm") for number in range(9)]
        told = await door_of(rig).accept_batch(rows(*said))
    assert [number for number, one in enumerate(told) if isinstance(one, Refusal)] == [5]
    assert (told[5].status, told[5].code) == (400, "unstorable")


async def test_what_is_no_batch_is_refused_before_anything_is_queued(autojump_clock):
    rig = Rig(Config())
    with pytest.raises(fault.Invalid):
        await door_of(rig).accept_batch(b"{}")
    assert len(rig.intents) == 0


async def test_a_full_queue_refuses_the_rows_that_find_no_room_and_no_others(autojump_clock):
    rig = Rig(Config(writer=Writer(queue=10)))
    told = []

    async def push() -> None:
        said = [row(f"job-{number}", 1) for number in range(12)]
        told.extend(await door_of(rig).accept_batch(rows(*said, row("end", 1, status="failed"))))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(push)
        await trio.testing.wait_all_tasks_blocked()
        async with rig.running():
            pass
    assert [one == receiver.FULL for one in told] == [False] * 9 + [True] * 3 + [False]


async def test_while_the_store_hangs_progress_conflates_ends_come_in_and_all_that_was_taken_is_committed(
    autojump_clock,
):
    memory = Hanging()
    rig = Rig(Config(writer=Writer(queue=20, batch=5)), memory, memory)
    door = door_of(rig)
    told: dict[tuple[str, int], object] = {}

    async def push(job_id: str, sequence: int, **fields) -> None:
        content = json.dumps({"status": "running", "sequence": sequence, **fields}).encode()
        told[job_id, sequence] = await door.accept("backup", job_id, content)

    async with rig.running():
        async with trio.open_nursery() as nursery:
            for sequence in range(1, 6):
                for number in range(20):
                    nursery.start_soon(push, f"job-{number}", sequence)
                    await trio.testing.wait_all_tasks_blocked()
            for number in range(3):
                nursery.start_soon(lambda name: push(name, 9, status="completed"), f"end-{number}")
                await trio.testing.wait_all_tasks_blocked()
            assert len(rig.intents) <= 20
            assert receiver.FULL in told.values()
            memory.go_on.set()
        acknowledged = {key for key, answer in told.items() if isinstance(answer, Acknowledgement)}
        stored = {job_id: (await rig.stored(job_id)).sequence for job_id, _ in acknowledged}
    assert len(told) == 103
    assert all(stored[job_id] >= sequence for job_id, sequence in acknowledged)
    assert {("end-0", 9), ("end-1", 9)} <= acknowledged
    assert any(sequence == 5 for _, sequence in acknowledged)


@given(
    said=st.lists(
        st.tuples(
            st.sampled_from("abcdefghijkl"),
            st.integers(0, 9),
            st.sampled_from(["running", "running", "running", "completed"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_comes_while_a_store_hangs_now_and_then_the_stored_state_is_at_least_the_acknowledged(said):
    async def play() -> None:
        memory = Hanging()
        rig = Rig(Config(writer=Writer(queue=10, batch=3)), memory, memory)
        door = door_of(rig)
        told: list[tuple[str, int, object]] = []

        async def push(job_id: str, sequence: int, status: str) -> None:
            content = json.dumps({"status": status, "sequence": sequence, "bytes_transferred": sequence}).encode()
            told.append((job_id, sequence, await door.accept("backup", job_id, content)))

        async with rig.running():
            async with trio.open_nursery() as nursery:
                for job_id, sequence, status, flows in said:
                    if flows:
                        memory.go_on.set()
                        await trio.testing.wait_all_tasks_blocked()
                        memory.go_on = trio.Event()
                    nursery.start_soon(push, job_id, sequence, status)
                    await trio.testing.wait_all_tasks_blocked()
                memory.go_on.set()
            assert len(told) == len(said)
            for job_id, sequence, answer in told:
                if isinstance(answer, Acknowledgement):
                    job = await rig.stored(job_id)
                    assert job.sequence >= sequence or job.closed_by == "sender"

    trio.run(play, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_an_appliance_that_is_too_fast_is_told_when_to_come_back_and_no_other_is(autojump_clock):
    rig = Rig(Config())
    door = door_of(rig, pace=Rate(steady=1.0, burst=2))
    async with rig.running():
        answers = [await door.accept("backup", f"job-{n}", b"{}", "fast") for n in (0, 0, 0, 1, 2)]
        assert [isinstance(one, Acknowledgement) for one in answers] == [True, True, False, True, False]
        assert (answers[2].status, answers[2].code, answers[2].retry_after) == (429, "too_fast", 1)
        assert "'fast'" in answers[2].message
        assert isinstance(await door.accept("backup", "other", b"{}", "slow"), Acknowledgement)
        assert isinstance(await door.accept("backup", "open", b"{}"), Acknowledgement)
        refused = await door.accept_batch(rows(row("x", 1), row("y", 1)), "fast")
        assert refused.status == 429
        await trio.sleep(2)
        assert len(await door.accept_batch(rows(row("x", 1), row("y", 1)), "fast")) == 2


async def test_of_an_appliance_that_is_too_fast_each_job_is_heard_often_enough_to_be_known_alive(mock_clock):
    rig = Rig(Config())
    door = door_of(rig, pace=Rate(steady=10.0, burst=10))
    codes = Counter()
    async with rig.running() as nursery:
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        for number in range(110):
            for job in range(100):
                content = b'{"status":"running","sequence":%d}' % number
                answer = await door.accept("backup", f"job-{job}", content, "site")
                codes[getattr(answer, "status", 0)] += 1
            await pass_time(mock_clock, 5)
        jobs = await rig.memory.jobs(limit=200)
        nursery.cancel_scope.cancel()
    assert codes[429] > 1_000
    assert len(jobs) == 100
    assert {job.status for job in jobs} == {"running"}


async def test_a_hub_that_refuses_telemetry_calls_no_job_silent_and_counts_anew_when_it_takes_it_again(mock_clock):
    rig = Rig(Config())
    door = door_of(rig, lag=1.0)

    async def send(job_id: str, times: int) -> set[int]:
        """So many updates, one every 5 s; the statuses of the answers."""
        codes = set()
        for _ in range(times):
            answer = await door.accept("backup", job_id, b'{"status":"running"}')
            codes.add(answer.status if isinstance(answer, Refusal) else 200)
            await pass_time(mock_clock, 5)
        return codes

    async with rig.running() as nursery:
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        assert await send("alive", 1) == await send("dead", 1) == {200}
        door._lag.seconds = 1.5
        assert await send("alive", 70) == {503}
        assert [(await rig.stored(job)).status for job in ("alive", "dead")] == ["running", "running"]
        assert rig.hearing.is_refusing
        door._lag.seconds = 0.0
        assert await send("alive", 14) == {200}
        assert [(await rig.stored(job)).status for job in ("alive", "dead")] == ["running", "stalled"]
        assert await send("alive", 50) == {200}
        assert [(await rig.stored(job)).status for job in ("alive", "dead")] == ["running", "failed"]
        nursery.cancel_scope.cancel()


async def test_a_few_refusals_are_no_deafness(mock_clock):
    rig = Rig(Config())
    async with rig.running() as nursery:
        nursery.start_soon(reaper.run, rig.store, rig.intents.clone(), rig.hearing, rig.settings.reaper)
        before = rig.hearing.health.healthy_since
        rig.hearing.taken, rig.hearing.refused = 90, 10
        await pass_time(mock_clock, 6)
        assert (rig.hearing.is_refusing, rig.hearing.health.healthy_since) == (False, before)
        rig.hearing.taken, rig.hearing.refused = 89, 11
        await pass_time(mock_clock, 6)
        assert rig.hearing.is_refusing
        assert rig.hearing.health.healthy_since > before
        await pass_time(mock_clock, 6)
        assert not rig.hearing.is_refusing
        nursery.cancel_scope.cancel()


async def test_when_the_loop_is_behind_progress_is_refused_unread_and_ends_are_read(autojump_clock):
    rig = Rig(Config())
    door = door_of(rig, lag=0.5)
    async with rig.running():
        assert isinstance(await door.accept("backup", "a", b"{}"), Acknowledgement)
        door._lag.seconds = 0.6
        assert await door.accept("backup", "a", b"not even JSON") == receiver.BEHIND
        assert await door.accept_batch(b"not even JSON") == receiver.BEHIND
        assert isinstance(await door.accept("backup", "a", b'{"status":"completed"}'), Acknowledgement)
    assert receiver.BEHIND.pause == receiver.FLOODED.pause > 0 == receiver.FULL.pause


async def test_in_a_flood_progress_is_refused_unread_as_long_as_the_queue_is_full_and_ends_are_read(
    autojump_clock,
):
    memory = Hanging()
    rig = Rig(Config(writer=Writer(queue=10)), memory, memory)
    door = door_of(rig, lag=1)
    async with rig.running(), trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(door.accept, "backup", f"job-{number}", b"{}")
            await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(fault.Invalid):  # the database hangs, and the loop has time to read
            await door.accept("backup", "a", b"not even JSON")
        door._lag.seconds = 0.1
        assert await door.accept("backup", "a", b"not even JSON") == receiver.FLOODED
        door._lag.seconds = 0.0
        assert await door.accept_batch(b"not even JSON") == receiver.FLOODED
        nursery.start_soon(door.accept, "backup", "end", b'{"status":"completed"}')
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(3.1)
        with pytest.raises(fault.Invalid):
            await door.accept("backup", "a", b"not even JSON")
        memory.go_on.set()
    assert (await rig.stored("end")).status == "completed"


async def test_lag_is_how_late_the_loop_wakes_who_asked_for_it(mock_clock):
    lag = Lag()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.run)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert lag.seconds == pytest.approx(0)
        mock_clock.jump(2.1)
        await trio.testing.wait_all_tasks_blocked()
        assert lag.seconds == pytest.approx(2)
        for _ in range(10):
            mock_clock.jump(0.1)
            await trio.testing.wait_all_tasks_blocked()
        assert lag.seconds < 0.01
        nursery.cancel_scope.cancel()


async def test_a_wish_to_cancel_goes_through_the_queue_and_is_answered_after_its_commit(autojump_clock):
    rig = Rig(Config())
    door = door_of(rig)
    async with rig.running():
        assert await door.cancel("a", "ann") == batch.UNKNOWN
        await rig.send("a", 1)
        assert await door.cancel("a", "ann") == Stopping("cancelling")
        assert (await rig.send("a", 2)).command == "cancel"
        await rig.send("a", 3, status="cancelled")
        assert await door.cancel("a", "ann") == Stopping("cancelled")
        history = [(event.kind, event.said_by, event.detail) for event in (await rig.memory.job("a"))[1]]
    assert ("cancel", "operator", "ann asked to cancel it") in history


async def test_a_wish_finds_a_full_queue_and_a_stopping_hub_as_an_update_does(autojump_clock):
    rig = Rig(Config(writer=Writer(queue=1)))
    door = door_of(rig)
    rig.intents.send_nowait(batch.Silence("a"))
    assert await door.cancel("a", "ann") == receiver.FULL
    rig.intents.close()
    assert await door.cancel("a", "ann") == receiver.DRAINING
