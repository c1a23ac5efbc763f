"""Job: several disks, one verdict."""

import errno
import itertools
import threading

import pytest
import trio

from clientd.actors import job as job_actor
from clientd.actors.job import Stop
from clientd.config import CopySettings
from clientd.core import job as state
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.core.extents import Extent
from clientd.core.job import DiskCopied, DiskFailed, DiskPlanned, JobEnded
from clientd.disk.memory import MemoryDisk
from clientd.disk.tally import DiskTally
from clientd.errors import SENTENCE
from tests.fakes import disks as pictures
from tests.fakes import orders
from tests.fakes.disks import FaultyDisk, GivenDisks

SETTINGS = CopySettings(chunk=pictures.BLOCK, workers=2)


class Running:
    """A job over the given disks: sources s0, s1, ..., targets t0, t1, ..."""

    def __init__(self, count, settings=SETTINGS, rate=0, **replaced):
        disks = {}
        for index in range(count):
            disks[f"s{index}"] = MemoryDisk(pictures.content("A-B0" * 20), f"s{index}")
            disks[f"t{index}"] = MemoryDisk(bytes(disks[f"s{index}"].size), f"t{index}", fresh=True)
        for name, wrap in replaced.items():
            disks[name] = wrap(disks[name])
        self.disks = GivenDisks(**disks)
        self.order = orders.order(count, max_rate=rate)
        self.tallies = [DiskTally() for _ in range(count)]
        self.settings = settings
        self.stop, self.stops = trio.open_memory_channel(1)
        self.outbox, self.inbox = trio.open_memory_channel(5 * count + 1)

    async def run(self):
        await job_actor.run(
            self.order,
            self.disks,
            self.tallies,
            self.stops,
            self.outbox,
            checkpoints=MemoryCheckpoints(),
            settings=self.settings,
        )

    async def events(self):
        return [event async for event in self.inbox]

    def bases(self, prefix):
        found = [disk for name, disk in self.disks.disks.items() if name.startswith(prefix)]
        return [getattr(disk, "base", disk) for disk in found]


async def test_all_disks_are_copied_and_the_end_is_told_last():
    running = Running(6)
    await running.run()
    events = await running.events()
    assert sum(isinstance(event, DiskCopied) for event in events) == 6
    assert events[-1] == JobEnded(None)
    for source, target in zip(running.bases("s"), running.bases("t"), strict=True):
        assert target.flushed == source.content
        assert source.closed
        assert target.closed
    final = state.begin(6)
    for event in events:
        final = state.apply(final, event)
    assert final.status == "completed"


async def test_all_totals_are_known_before_the_first_byte_is_copied():
    running = Running(5)
    await running.run()
    kinds = [type(event) for event in await running.events()]
    assert kinds[:5] == [DiskPlanned] * 5


@pytest.mark.parametrize(
    ("name", "call", "sentence"),
    [
        ("s1", "extents", "mapping s1 at offset 0 failed: ENXIO"),
        ("s1", "read", "reading s1 at offset "),
        ("t1", "write", "writing t1 at offset "),
        ("t1", "flush", "flushing t1 failed: ENXIO"),
    ],
)
async def test_a_failing_disk_is_named_and_ends_the_job(name, call, sentence):
    faulty = {name: lambda disk: FaultyDisk(disk).fail(call, OSError(errno.ENXIO, "broken"))}
    running = Running(2, **faulty)
    await running.run()
    events = await running.events()
    failed = [event for event in events if isinstance(event, DiskFailed)]
    assert [event.index for event in failed] == [1]
    assert sentence in failed[0].message
    assert events[-1] == JobEnded(None)
    assert all(disk.closed for disk in running.bases("s") if disk.path == "s0")


async def test_a_missing_source_leaves_all_targets_untouched():
    running = Running(2)
    running.order = orders.order(disks=(orders.disk(0), orders.disk(1, source="nowhere")))
    await running.run()
    events = await running.events()
    said = "opening nowhere failed: ENOENT (No such file or directory): check its path"
    assert DiskFailed(1, said) in events
    assert not any(disk.closed for disk in running.bases("t"))
    assert running.bases("s")[0].closed


async def test_a_target_that_is_too_small_is_named():
    running = Running(1, t0=lambda disk: MemoryDisk(b"x", "t0"))
    await running.run()
    said = "opening t0 failed: it has 1 bytes, 327680 are needed: enlarge it, or name a larger target"
    assert DiskFailed(0, said) in await running.events()


async def test_a_stop_ends_the_job_with_its_reason():
    running = Running(2, CopySettings(), 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        while not isinstance(await running.inbox.receive(), state.DiskStarted):
            pass
        running.stop.send_nowait(Stop("stopped by SIGTERM"))
    assert (await running.events())[-1] == JobEnded("stopped by SIGTERM")
    assert all(disk.closed for disk in running.bases("s"))


async def test_a_disk_that_hangs_does_not_keep_the_end_from_being_told(mock_clock):
    entered, leave = threading.Event(), threading.Event()

    class Hanging(MemoryDisk):
        def write(self, offset, view):
            entered.set()
            assert leave.wait(30)

    running = Running(1, t0=lambda disk: Hanging(bytes(disk.size), "t0", fresh=True))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        await trio.to_thread.run_sync(entered.wait)
        running.stop.send_nowait(Stop("stopped by SIGTERM"))
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(SETTINGS.stop_patience)
        while (event := await running.inbox.receive()) != JobEnded("stopped by SIGTERM"):
            assert not isinstance(event, JobEnded)
        leave.set()
    assert await running.events() == []


async def test_a_hard_cancel_closes_the_disks_and_claims_nothing():
    running = Running(2, CopySettings(), 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        while not isinstance(await running.inbox.receive(), state.DiskStarted):
            pass
        nursery.cancel_scope.cancel()
    assert not [event for event in await running.events() if isinstance(event, JobEnded)]
    assert all(disk.closed for disk in running.bases("s") + running.bases("t"))


async def test_a_bug_leaves_as_it_is():
    class Broken(MemoryDisk):
        def read_into(self, offset, view):
            raise ZeroDivisionError

    running = Running(1, s0=lambda disk: Broken(disk.content, "s0"))
    with pytest.raises(BaseExceptionGroup) as caught:
        await running.run()
    assert caught.group_contains(ZeroDivisionError)
    assert running.disks.disks["s0"].closed


@pytest.mark.parametrize("name", ["s0", "t0"])
async def test_an_error_of_closing_changes_nothing_and_is_said(name, said):
    running = Running(1, **{name: lambda disk: FaultyDisk(disk).fail("close", OSError(errno.ENXIO, "broken"))})
    await running.run()
    assert (await running.events())[-2:] == [DiskCopied(0), JobEnded(None)]
    assert [(line["event"], line["error"]) for line in said] == [
        (
            "disk not closed",
            f"closing {name} failed: ENXIO (broken): check that it is there, and as large as it was",
        )
    ]
    assert all(disk.closed for disk in running.bases("s") + running.bases("t"))


async def test_a_plan_without_end_is_stopped():
    entered = threading.Event()

    class Endless(MemoryDisk):
        def extents(self, offset, length):
            entered.set()
            return itertools.repeat(Extent(0, 1))

    running = Running(1, s0=lambda disk: Endless(disk.content, "s0"))
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.run)
            await trio.to_thread.run_sync(entered.wait)
            running.stop.send_nowait(Stop("stopped by SIGTERM"))
    assert await running.events() == [JobEnded("stopped by SIGTERM")]
    assert all(disk.closed for disk in running.bases("s"))


async def test_short_holes_are_read_and_counted():
    running = Running(1)
    await running.run()
    size = running.disks.disks["s0"].size
    assert (await running.events())[0] == DiskPlanned(0, size, "virtual", size)
    assert running.tallies[0].read().copied == size


async def test_a_failure_s_sentence_fits_the_wire():
    running = Running(1, t0=lambda disk: FaultyDisk(disk).fail("write", OSError(errno.ENXIO, "x" * 9999)))
    await running.run()
    failed = [event for event in await running.events() if isinstance(event, DiskFailed)]
    assert len(failed[0].message) == SENTENCE
