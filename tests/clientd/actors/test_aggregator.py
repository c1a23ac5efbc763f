"""Aggregator: what the hub gets to hear, and when."""

import itertools

import pytest
import trio
from structlog.testing import capture_logs

from clientd.actors import aggregator
from clientd.config import TelemetrySettings
from clientd.core.job import DiskCopied, DiskFailed, DiskPlanned, DiskStarted, DiskWritten, JobEnded
from clientd.core.outbox import MemoryOutbox, Update
from clientd.core.progress import Busy, Count
from clientd.latest import Latest

SETTINGS = TelemetrySettings()


class Listening:
    """An aggregator of one disk, whose counter the test moves; `heard` is (time, update)."""

    def __init__(self, identity, environment):
        self.count = Count()
        self.send, self.inbox = trio.open_memory_channel(10)
        self.newest = Latest[Update]()
        self.outbox = MemoryOutbox()
        self.legacy = Latest[Update]()
        self.heard: list[tuple[float, Update]] = []
        self.final = None
        self.shown = []
        self._identity = identity
        self._environment = environment

    async def run(self):
        self.final = await aggregator.run(
            self._identity,
            1,
            False,
            lambda: [self.count],
            self.inbox,
            [self.newest, self.legacy],
            self.outbox,
            environment=self._environment,
            settings=SETTINGS,
            show=self.shown.append,
        )

    async def listen(self):
        try:
            while True:
                update = await self.newest.take()
                self.heard.append((trio.current_time(), update))
        except trio.EndOfChannel:
            return

    async def settle(self):
        await trio.testing.wait_all_tasks_blocked()

    async def tell(self, *events):
        for event in events:
            self.send.send_nowait(event)
            await self.settle()

    def events(self):
        found = []
        while (update := self.outbox.head()) is not None:
            found.append(update)
            self.outbox.forget(update.position)
        return found


@pytest.fixture
def listening(identity, environment):
    return Listening(identity, environment)


async def through(listening, middle):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening.run)
        nursery.start_soon(listening.listen)
        await listening.settle()
        await middle()


async def test_a_job_is_told_from_start_to_end(listening, mock_clock):
    async def middle():
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0))
        listening.count = Count(1000, 1000)
        await listening.tell(DiskWritten(0), DiskCopied(0), JobEnded())

    await through(listening, middle)
    told = [(each.body.current_phase, each.body.status) for each in listening.events()]
    assert told == [
        ("starting", "running"),
        ("transferring", "running"),
        ("finalizing", "running"),
        ("finalizing", "completed"),
    ]
    assert listening.final.body.bytes_transferred == listening.final.body.total_bytes == 1000
    assert listening.final.body.progress_percent == 100
    assert listening.newest.closed


async def test_sequences_rise_by_one_and_are_those_sent(listening, mock_clock):
    async def middle():
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0))
        for done in range(100, 1001, 100):
            listening.count = Count(done, done)
            mock_clock.jump(0.25)
            await listening.settle()
        await listening.tell(DiskWritten(0), DiskCopied(0), JobEnded())

    await through(listening, middle)
    sequences = [update.sequence for _, update in listening.heard]
    assert sequences == [update.body.sequence for _, update in listening.heard]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_a_job_that_does_not_move_is_heard_every_five_seconds(listening, autojump_clock):
    async def middle():
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0))
        await trio.sleep(61)
        await listening.tell(JobEnded("stopped by SIGTERM"))

    await through(listening, middle)
    times = [time for time, _ in listening.heard]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) <= 5.0 + 1e-6
    assert len(times) == 15  # the start, the transfer's start, twelve beats, the end


async def test_ten_points_of_progress_are_told_within_a_poll(listening, autojump_clock):
    async def middle():
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0))
        await trio.sleep(1)
        listening.count = Count(100, 100)
        began = trio.current_time()
        await trio.sleep(1)
        time, update = listening.heard[-1]
        assert time - began <= SETTINGS.poll
        assert update.body.progress_percent == 10
        assert update.body.transfer_speed_bps > 0
        await listening.tell(JobEnded("enough"))

    await through(listening, middle)


async def test_counters_that_fall_are_not_believed(listening, autojump_clock):
    async def middle():
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0))
        for done in (500, 100):
            listening.count = Count(done, done)
            await trio.sleep(6)
        await listening.tell(JobEnded("enough"))

    await through(listening, middle)
    told = [update.body.bytes_transferred for _, update in listening.heard]
    assert told == sorted(told)


async def test_a_failure_is_an_event_with_its_sentence(listening, mock_clock):
    async def middle():
        listening.count = Count(examined=900, copied=800, durable=500)
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0), DiskFailed(0, "reading x failed"), JobEnded())

    with capture_logs() as logs:
        await through(listening, middle)
    [failed] = [line for line in logs if line["event"] == "disk failed"]
    assert [failed[name] for name in ("examined", "copied", "durable")] == [900, 800, 500]
    last = listening.events()[-1].body
    assert (last.status, last.error) == ("failed", "disk 0: reading x failed")
    assert listening.final.job.status == "failed"


async def test_nobody_taking_the_updates_holds_nothing_up(listening, autojump_clock, environment):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening.run)
        await trio.sleep(1000)
        await listening.tell(JobEnded("enough"))
    newest = listening.newest.take_nowait()
    assert newest.sequence > 200
    assert listening.legacy.take_nowait() == newest
    assert listening.shown
    assert environment.passed == ["outbox.added"] * 2


async def test_what_takes_most_of_the_time_is_told_of_each_disk(listening, autojump_clock):
    async def middle():
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0))
        listening.count = Count(500, 500, busy=Busy(1.0, 7.0, 2.0))
        await trio.sleep(1)
        assert listening.heard[-1][1].body.disks[0].bottleneck == "write"
        assert listening.shown[-1].disks[0].bottleneck == "write"
        await listening.tell(JobEnded("enough"))

    await through(listening, middle)
    assert listening.final.counts[0].busy == Busy(1.0, 7.0, 2.0)


async def test_a_job_that_stands_still_is_heard_and_is_said_to_stand_still_once(listening, autojump_clock, said):
    async def middle():
        await listening.tell(DiskPlanned(0, 1000), DiskStarted(0))
        for second in range(150):
            listening.count = Count(10, 10, busy=Busy(second * 1.0, 0.0, 0.0))
            await trio.sleep(1)
        listening.count = Count(20, 20)
        await trio.sleep(1)
        await listening.tell(JobEnded("enough"))

    await through(listening, middle)
    still = [line for line in said if "move" in line["event"]]
    assert [line["event"] for line in still] == ["the job does not move", "the job moves again"]
    assert still[0]["seconds"] == 60
    assert still[0]["bottleneck"] == "disk 0: read"
    assert still[1]["seconds"] == 150
    assert len(listening.heard) >= 30


async def test_a_job_that_stands_still_for_no_known_reason_says_so_too(listening, autojump_clock, said):
    async def middle():
        await trio.sleep(100)
        await listening.tell(JobEnded("enough"))

    await through(listening, middle)
    [still] = [line for line in said if line["event"] == "the job does not move"]
    assert still["bottleneck"] is None


async def test_a_job_that_goes_away_without_an_end_is_an_error(listening):
    listening.send.close()
    with pytest.raises(trio.EndOfChannel):
        await listening.run()
    assert listening.newest.closed


async def test_a_hard_cancel_closes_the_mailbox(listening, mock_clock):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening.run)
        await listening.settle()
        nursery.cancel_scope.cancel()
    assert listening.newest.closed
