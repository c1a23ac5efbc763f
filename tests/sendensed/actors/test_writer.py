"""Writer: batches, commits, then acknowledges; and what it does when the store does not answer."""

from datetime import timedelta

import pytest
import trio
from msgspec.structs import replace

from sendensed.actors.asks import Beat
from sendensed.config import Config
from sendensed.config import Writer as WriterSettings
from sendensed.core.answer import Refusal
from sendensed.core.batch import Silence
from sendensed.store import Change, RowRefused, StoreUnavailable
from sendensed.store.memory import MemoryStore
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import NIGHT, Rig

GONE = StoreUnavailable("connection lost")


def faulty() -> FaultyStore:
    return FaultyStore(MemoryStore(lambda: NIGHT))


def rig_on(store: FaultyStore, settings: Config | None = None) -> Rig:
    return Rig(settings or Config(), store, store.base)


async def test_an_update_is_answered_after_its_commit_and_then_published(autojump_clock):
    rig = Rig(Config())
    async with rig.running():
        answer = await rig.send("a", 1, bytes_transferred=5)
        assert answer.applied
        stored = await rig.stored("a")
        assert (stored.bytes_transferred, stored.revision) == (5, 1)
        assert await rig.committed.take() == {"a": stored}
    assert rig.environment.passed == ["writer.merged", "writer.committed"]


async def test_what_waits_together_is_committed_together_one_row_a_job(autojump_clock):
    rig = Rig(Config())
    receipts = [rig.post(job_id, sequence) for sequence in (1, 2, 3) for job_id in ("a", "b")]
    async with rig.running():
        answers = [await receipt.wait() for receipt in receipts]
        assert all(answer.applied for answer in answers)
        assert [(await rig.stored(job_id)).revision for job_id in ("a", "b")] == [1, 1]
        assert (await rig.stored("a")).sequence == 3


async def test_a_batch_is_bounded(autojump_clock):
    rig = Rig(Config(writer=WriterSettings(batch=2)))
    receipts = [rig.post("a", sequence) for sequence in range(5)]
    async with rig.running():
        for receipt in receipts:
            await receipt.wait()
        assert (await rig.stored("a")).revision == 3


async def test_the_end_of_its_inbox_is_met_with_everything_committed(autojump_clock):
    rig = Rig(Config())
    receipt = rig.post("a", 1)
    async with rig.running():
        pass
    assert (await receipt.wait()).applied
    await rig.committed.take()
    with pytest.raises(trio.EndOfChannel):
        await rig.committed.take()


async def test_cancelled_it_acknowledges_nothing_that_is_not_committed(autojump_clock):
    class Stuck(MemoryStore):
        async def save(self, changes):
            await trio.sleep_forever()

    memory = Stuck(lambda: NIGHT)
    rig = Rig(Config(), memory, memory)
    receipt = rig.post("a", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.writer.run, rig.inbox)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with trio.move_on_after(1) as scope:
        await receipt.wait()
    assert scope.cancelled_caught


async def test_a_row_that_another_hub_changed_meanwhile_is_read_and_merged_again(autojump_clock):
    rig = Rig(Config())
    async with rig.running():
        await rig.send("a", 1, bytes_transferred=10)
        mine = await rig.stored("a")
        theirs = replace(mine, sequence=5, bytes_transferred=50)
        assert await rig.memory.save([Change(theirs, mine)]) == {"a"}
        old, new = rig.post("a", 3, bytes_transferred=30), rig.post("a", 6, bytes_transferred=60)
        assert (await old.wait()).reason == "out_of_date"
        assert (await new.wait()).applied
        stored = await rig.stored("a")
    assert (stored.sequence, stored.bytes_transferred, stored.revision) == (6, 60, 3)


async def test_an_outage_shorter_than_its_patience_costs_nobody_an_answer(autojump_clock):
    with faulty().fail("load", GONE).fail("save", GONE, times=2) as store:
        rig = rig_on(store)
        async with rig.running():
            assert (await rig.send("a", 1)).applied


async def test_a_commit_of_unknown_outcome_that_had_landed_is_acknowledged_as_it_was_and_not_doubled(
    autojump_clock,
):
    with faulty().fail_after("save", GONE) as store:
        rig = rig_on(store)
        async with rig.running():
            answer = await rig.send("a", 1, bytes_transferred=5)
            assert (answer.applied, answer.reason) == (True, None)
            assert set(await rig.committed.take()) == {"a"}
        job, events = await store.base.job("a")
        assert (job.bytes_transferred, job.sequence, job.revision) == (5, 1, 1)
        assert len(events) == 1


async def test_what_had_landed_by_a_commit_of_unknown_outcome_is_measured_once(autojump_clock):
    with faulty().fail_after("save", GONE) as store:
        rig = rig_on(store)
        async with rig.running():
            await rig.send("a", 1, bytes_transferred=5)
    gauges = rig.hearing.gauges
    assert (gauges.batched, gauges.copied_bytes, gauges.flips) == (1, 5, {("sender", "running"): 1})
    assert (sum(gauges.delay.total.counts), sum(gauges.batch.total.counts)) == (1, 1)


async def test_every_update_is_measured_once_saved_or_answered_without_a_change_and_not_where_its_guard_failed(
    autojump_clock,
):
    rig = Rig(Config())
    async with rig.running():
        await rig.send("a", 1, bytes_transferred=10)
        mine = await rig.stored("a")
        assert await rig.memory.save([Change(replace(mine, sequence=5), mine)]) == {"a"}
        await trio.sleep(1)
        gauges = rig.hearing.gauges
        before = sum(gauges.delay.total.counts)
        for receipt in [rig.post("a", 6, bytes_transferred=60), rig.post("b", 1)]:
            assert (await receipt.wait()).applied
        assert sum(gauges.delay.total.counts) - before == 2
        assert (await rig.send("b", 2, job_type="restore")).status == 400
        assert sum(gauges.delay.total.counts) - before == 3
    assert (gauges.batched, gauges.copied_bytes) == (3, 60)


async def test_the_original_senders_next_disk_is_not_opened_twice_by_an_unknown_commit(autojump_clock):
    store = faulty()
    rig = rig_on(store)
    async with rig.running():
        later = [NIGHT + timedelta(seconds=seconds) for seconds in (8, 10, 11)]
        await rig.send("a", None, bytes_transferred=1000, timestamp=later[0])
        store.fail_after("save", GONE)
        ended = rig.post("a", None, status="completed", timestamp=later[1])
        began = rig.post("a", None, bytes_transferred=5, total_bytes=50, timestamp=later[2])
        assert [(await receipt.wait()).applied for receipt in (ended, began)] == [True, True]
        job = await rig.stored("a")
    store.done()
    assert [(disk.bytes_transferred, disk.status) for disk in job.disks] == [(1000, "completed"), (5, "running")]


async def test_after_an_unknown_commit_a_row_that_somebody_else_changed_since_is_merged_again(autojump_clock):
    class Overtaken(MemoryStore):
        """Commits, lets another hub commit as well, and then loses the connection."""

        armed = True

        async def save(self, changes):
            saved = await super().save(changes)
            if self.armed:
                self.armed = False
                mine = (await self.load(["a"]))["a"]
                await super().save([Change(replace(mine, sequence=7, bytes_transferred=70), mine)])
                raise GONE
            return saved

    memory = Overtaken(lambda: NIGHT)
    rig = Rig(Config(), memory, memory)
    async with rig.running():
        assert (await rig.send("a", 1, bytes_transferred=5)).reason == "out_of_date"
        assert (await rig.stored("a")).bytes_transferred == 70


async def test_an_outage_longer_than_its_patience_is_answered_503_and_the_hub_recovers(autojump_clock):
    with faulty().fail("load", GONE, times=99) as store:
        rig = rig_on(store)
        async with rig.running():
            before = trio.current_time()
            answer = await rig.send("a", 1)
            assert isinstance(answer, Refusal)
            assert (answer.status, answer.code) == (503, "database_away")
            assert trio.current_time() - before <= rig.settings.writer.patience
            store.mend()
            assert (await rig.send("a", 1)).applied


@pytest.mark.parametrize("place", range(5))
async def test_a_row_that_the_store_refuses_is_refused_alone(autojump_clock, place: int):
    rig = Rig(Config())
    names = [f"job-{n}" for n in range(5)]
    receipts = []
    for n, name in enumerate(names):
        text = "\x00" if n == place else "fine"
        receipts.append(rig.post(name, 1, vm_name=text))
    async with rig.running():
        answers = [await receipt.wait() for receipt in receipts]
        for n, answer in enumerate(answers):
            if n == place:
                assert (answer.status, answer.code) == (400, "unstorable")
            else:
                assert answer.applied
        assert (await rig.send(names[place], 2)).applied


async def test_a_type_that_contradicts_the_job_is_refused_without_a_write(autojump_clock):
    rig = Rig(Config())
    async with rig.running():
        await rig.send("a", 1)
        answer = await rig.send("a", 2, job_type="restore")
        assert (answer.status, answer.field) == (400, "job_type")
        assert (await rig.stored("a")).revision == 1


async def test_rows_out_of_its_memory_are_read_when_telemetry_comes(autojump_clock):
    rig = Rig(Config(writer=WriterSettings(cache=1)))
    async with rig.running():
        for sequence in (1, 2):
            for job_id in ("a", "b"):
                assert (await rig.send(job_id, sequence)).applied
        assert (await rig.stored("a")).revision == 2


async def test_a_beat_takes_the_stores_time_and_a_gap_between_beats_breaks_the_hearing(mock_clock):
    rig = Rig(Config())
    async with rig.running():
        mock_clock.jump(10)
        await rig.intents.send(Beat())
        await trio.testing.wait_all_tasks_blocked()
        assert rig.hearing.is_ready
        assert rig.hearing.health.healthy_since == NIGHT
        mock_clock.jump(16)
        assert not rig.hearing.is_ready
        await rig.intents.send(Beat())
        await trio.testing.wait_all_tasks_blocked()
        assert rig.hearing.is_ready
        assert rig.hearing.health.healthy_since == rig.wall()


async def test_a_beat_that_the_store_does_not_answer_proves_nothing(mock_clock):
    with faulty().fail("beat", GONE) as store:
        rig = rig_on(store)
        async with rig.running():
            mock_clock.jump(16)
            await rig.intents.send(Beat())
            await trio.testing.wait_all_tasks_blocked()
            assert not rig.hearing.is_ready


async def test_a_bug_in_the_store_is_not_swallowed(autojump_clock):
    with faulty().fail("save", KeyError("bug")) as store:
        rig = rig_on(store)
        with pytest.RaisesGroup(KeyError, flatten_subgroups=True):
            async with rig.running():
                rig.post("a", 1)


async def test_the_store_refusing_a_row_as_data_is_not_tried_again(autojump_clock):
    with faulty().fail("save", RowRefused("22003")) as store:
        rig = rig_on(store)
        async with rig.running():
            assert (await rig.send("a", 1)).code == "unstorable"


async def test_while_one_batch_commits_the_next_goes_on_and_the_same_jobs_updates_keep_their_order(autojump_clock):
    class Slow(MemoryStore):
        def __init__(self) -> None:
            super().__init__(lambda: NIGHT)
            self.saves: list[list[str]] = []
            self.go = trio.Event()

        async def save(self, changes):
            names = [change.job.id for change in changes]
            self.saves.append(names)
            if names == ["a"] and not self.go.is_set():
                await self.go.wait()
            return await super().save(changes)

    memory = Slow()
    rig = Rig(Config(), memory, memory)
    async with rig.running():
        first = rig.post("a", 1)
        await trio.testing.wait_all_tasks_blocked()
        second, third, other = rig.post("a", 2), rig.post("a", 3), rig.post("b", 1)
        assert (await other.wait()).applied
        assert memory.saves == [["a"], ["b"]]
        memory.go.set()
        assert all([(await receipt.wait()).applied for receipt in (first, second, third)])
    job = await rig.stored("a")
    assert (job.sequence, job.revision) == (3, 2)
    assert memory.saves == [["a"], ["b"], ["a"]]


async def test_a_batch_smaller_than_usual_takes_along_what_comes_with_the_next_pass_of_the_loop(autojump_clock):
    class Watched(MemoryStore):
        def __init__(self) -> None:
            super().__init__(lambda: NIGHT)
            self.saves: list[int] = []

        async def save(self, changes):
            self.saves.append(len(changes))
            return await super().save(changes)

    memory = Watched()
    rig = Rig(Config(), memory, memory)
    first = [rig.post(f"job-{number}", 1) for number in range(50)]
    async with rig.running():
        for receipt in first:
            await receipt.wait()
        for sequence in range(2, 12):
            one = rig.post("a", sequence)
            await trio.lowlevel.checkpoint()
            other = rig.post("b", sequence)
            for receipt in (one, other):
                assert (await receipt.wait()).applied
    assert memory.saves == [50, *[2] * 10]


async def test_a_verdict_is_given_on_the_row_as_it_stands_whoever_wrote_it_last(autojump_clock):
    rig = Rig(Config())
    async with rig.running():
        await rig.send("a", 1, status="completed")
        mine = await rig.stored("a")
        theirs = replace(mine, attempt=2, sequence=0, status="running", closed_by=None, completed_at=None)
        assert await rig.memory.save([Change(theirs, mine)]) == {"a"}
        await trio.sleep(70)
        rig.hearing.health = replace(rig.hearing.health, beat_at=trio.current_time())
        await rig.intents.send(Silence("a"))
        await rig.send("b", 1)
        assert (await rig.stored("a")).status == "stalled"


async def test_every_beat_that_comes_through_is_a_sign_of_life_and_a_stuck_writer_gives_none(autojump_clock):
    class Stuck(MemoryStore):
        released = trio.Event()

        async def save(self, changes):
            await self.released.wait()
            return await super().save(changes)

    memory = Stuck(lambda: NIGHT)
    store = FaultyStore(memory).fail("beat", StoreUnavailable("away"))
    rig = Rig(Config(writer=WriterSettings(patience=1e6)), store, memory)
    async with rig.running():
        for _ in range(2):  # the database does not answer the first: the writer lives all the same
            await rig.intents.send(Beat())
            await trio.sleep(1)
        assert rig.signs == 2
        for number in range(4):  # each lane with a batch that does not end
            rig.post(f"job-{number}", 1)
            await trio.sleep(1)
        await rig.intents.send(Beat())
        await trio.sleep(1000)
        assert rig.signs == 2
        memory.released.set()
        await trio.sleep(1)
        assert rig.signs == 3
