"""Copier: one disk, its workers, its flush, and how it stops."""

import errno
import threading

import msgspec
import pytest
import trio

from clientd.actors import copier
from clientd.actors.copier import Copier
from clientd.config import CopySettings
from clientd.core import plan
from clientd.core.job import DiskCopied, DiskStarted, DiskWritten
from clientd.core.progress import Count
from clientd.disk import resume
from clientd.disk.memory import MemoryDisk
from clientd.disk.pace import Pace
from clientd.disk.tally import DiskTally
from clientd.errors import Difference, DiskError, SpoolUnavailable
from tests.fakes import disks as pictures
from tests.fakes.disks import FaultyDisk

SETTINGS = CopySettings(chunk=pictures.BLOCK, workers=3, pauses=(0, 0, 0))


class Copy:
    """One copy from a picture, with what it left behind."""

    def __init__(self, picture: str = "A0C-" * 8, source=None, target=None, settings=SETTINGS, rate=0, **more):
        self.source = source or MemoryDisk(pictures.content(picture), "source")
        self.target = target or MemoryDisk(bytes(self.source.size), "target", fresh=True)
        self.plan = plan.full(self.source.extents(0, self.source.size), self.source.size)
        self.tally = DiskTally()
        self.settings = settings
        self.rate = rate
        self.verified = more.get("verified", False)
        self.checkpoint = more.get("checkpoint")
        self.saved = []
        self.revoked = []
        self.revoke = self.revoked.append
        self.limiter = trio.CapacityLimiter(8)
        self.send, self.receive = trio.open_memory_channel(5)

    async def run(self):
        copier = Copier(
            self.source,
            self.target,
            self.plan,
            self.tally,
            checkpoint=self.checkpoint or resume.start("source", self.target, self.plan.size),
            save=self.saved.append,
            revoke=self.revoke,
            verified=self.verified,
            settings=self.settings,
            pace=Pace(self.rate),
            limiter=self.limiter,
        )
        await copier.run(0, self.send)

    @property
    def events(self):
        found = []
        while self.receive.statistics().current_buffer_used:
            found.append(self.receive.receive_nowait())
        return found


class Gate(MemoryDisk):
    """A target whose writes wait until they are let through."""

    def __init__(self, size: int):
        super().__init__(bytes(size), "gate", fresh=True)
        self.entered = threading.Event()
        self.open = threading.Event()

    def write(self, offset, view):
        self.entered.set()
        assert self.open.wait(10)
        super().write(offset, view)


class LosingFlush(MemoryDisk):
    """Takes over a target's content; its first flush loses the connection."""

    def __init__(self, base: MemoryDisk):
        super().__init__(b"", "target")
        self.__dict__.update(base.__dict__)
        self.content = base.content
        self.losses = 1

    def flush(self):
        if self.losses:
            self.losses -= 1
            raise DiskError(self.path, "flushing", None, "lost", passing=True)
        super().flush()


async def test_a_disk_is_copied_flushed_and_reported_in_this_order():
    copy = Copy()
    await copy.run()
    assert copy.target.flushed == copy.source.content
    assert copy.events == [DiskStarted(0), DiskWritten(0), DiskCopied(0)]
    count = copy.tally.read()
    assert count.examined == count.copied == count.durable == copy.plan.total_bytes


async def test_an_empty_disk_is_a_copied_disk():
    copy = Copy("")
    await copy.run()
    assert copy.events[-1] == DiskCopied(0)


@pytest.mark.parametrize(
    ("call", "doing", "where"),
    [("read", "reading", "source"), ("write", "writing", "target"), ("flush", "flushing", "target")],
)
async def test_a_failing_disk_ends_the_copy_with_its_name(call, doing, where):
    plain = Copy("A" * 20)
    faulty = FaultyDisk(getattr(plain, where)).fail(call, OSError(errno.EROFS, "broken"))
    copy = Copy(**{"source": plain.source, "target": plain.target, where: faulty})
    with pytest.raises(DiskError, match=f"{doing} {where}.* failed: EROFS"):
        await copy.run()
    assert DiskCopied(0) not in copy.events
    assert copy.tally.read().durable == 0


async def test_the_other_workers_finish_their_chunk_and_take_no_other():
    all_are_reading = threading.Barrier(SETTINGS.workers)

    class Together(FaultyDisk):
        def _strike(self, call, offset):
            if call == "read":
                all_are_reading.wait(10)
            super()._strike(call, offset)

    gate = Gate(50 * pictures.BLOCK)
    copy = Copy("A" * 50, target=gate)
    copy.source = Together(copy.source).fail("read", OSError(errno.EROFS, "broken"))

    async def run():
        with pytest.raises(DiskError, match="reading source"):
            await copy.run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.to_thread.run_sync(gate.entered.wait)
        while copy.limiter.borrowed_tokens == SETTINGS.workers:
            await trio.lowlevel.checkpoint()
        gate.open.set()
    assert copy.tally.read().copied == (SETTINGS.workers - 1) * pictures.BLOCK


async def test_cancellation_lets_each_worker_finish_its_chunk_and_no_more():
    gate = Gate(50 * pictures.BLOCK)
    copy = Copy("A" * 50, target=gate)
    scope = trio.CancelScope()

    async def run():
        with scope:
            await copy.run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.to_thread.run_sync(gate.entered.wait)
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        gate.open.set()
    count = copy.tally.read()
    assert 0 < count.copied <= 3 * pictures.BLOCK
    assert count.copied == count.examined
    assert copy.events == [DiskStarted(0)]


async def test_cancellation_does_not_wait_for_a_flush_that_takes_long(monkeypatch):
    monkeypatch.setattr(copier, "_LAST_CHECKPOINT", 0.1)
    entered, leave = threading.Event(), threading.Event()

    class SlowFlush(MemoryDisk):
        def flush(self):
            entered.set()
            assert leave.wait(10)

    copy = Copy("A", target=SlowFlush(bytes(pictures.BLOCK), "slow", fresh=True))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy.run)
        await trio.to_thread.run_sync(entered.wait)
        nursery.cancel_scope.cancel()
    leave.set()
    assert copy.events == [DiskStarted(0), DiskWritten(0)]
    assert not copy.saved


@pytest.mark.parametrize("fails", [False, True])
async def test_a_copy_that_is_stopped_in_its_last_flush_is_known_to_be_whole_where_that_comes_to_its_end(fails):
    entered, leave = threading.Event(), threading.Event()

    class SlowFlush(MemoryDisk):
        def flush(self):
            entered.set()
            assert leave.wait(10)
            if fails:
                raise DiskError("slow", "flushing", None, "EIO")

    copy = Copy("A", target=SlowFlush(bytes(pictures.BLOCK), "slow", fresh=True), verified=True)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(copy.run)
            await trio.to_thread.run_sync(entered.wait)
            scope.cancel()
            leave.set()
    assert scope.cancelled_caught
    assert [each.mark for each in copy.saved] == ([] if fails else [copy.plan.size])
    assert copy.events == [DiskStarted(0), DiskWritten(0)]


async def test_a_rate_limit_does_not_hold_up_a_cancellation():
    copy = Copy("A" * 50, rate=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy.run)
        await copy.receive.receive()
        nursery.cancel_scope.cancel()
    assert copy.tally.read().copied == 0


@pytest.mark.parametrize("now", [19, 21])
async def test_a_source_of_another_size_than_at_the_start_is_never_reported_as_copied(now):
    copy = Copy("A" * 10 + "-" * 10)
    copy.source.content = copy.source.content.ljust(now * pictures.BLOCK, b"x")[: now * pictures.BLOCK]
    sentence = (
        f"reading source at offset {20 * 4096} failed: it has {now * 4096} bytes now, though it had {20 * 4096}"
    )
    with pytest.raises(DiskError, match=sentence):
        await copy.run()
    assert copy.events == [DiskStarted(0)]


async def test_a_disk_of_which_bytes_were_left_out_is_never_reported_as_copied():
    class Forgetful(DiskTally):
        def read(self):
            return Count()

    copy = Copy("AA")
    copy.tally = Forgetful()
    with pytest.raises(DiskError, match="0 of 8192 bytes were copied"):
        await copy.run()
    assert copy.events == [DiskStarted(0)]


async def test_checkpoints_are_made_while_it_copies_and_each_is_flushed_before():
    gate = Gate(4 * pictures.BLOCK)
    settings = CopySettings(chunk=pictures.BLOCK, workers=1, checkpoint=0.01, checkpoint_share=1.0)
    copy = Copy("ABCD", target=gate, settings=settings)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy.run)
        gate.open.set()
        await trio.to_thread.run_sync(gate.entered.wait)
    assert copy.saved[-1].mark == copy.plan.size
    assert [each.mark for each in copy.saved] == sorted(each.mark for each in copy.saved)
    assert resume.holds(copy.saved[-1], gate)


async def test_a_copy_goes_on_behind_its_checkpoint_and_counts_what_was_done():
    target = MemoryDisk(pictures.content("AB--"), "target")
    checkpoint = msgspec.structs.replace(resume.start("source", target, target.size), mark=2 * pictures.BLOCK)
    copy = Copy("ZZCD", target=target, checkpoint=checkpoint)
    await copy.run()
    assert target.content == pictures.content("ABCD")
    assert copy.tally.read().copied == copy.plan.total_bytes


@pytest.mark.parametrize("call", ["write", "flush"])
async def test_a_target_whose_connection_is_lost_is_written_again_from_what_was_flushed(call, said):
    target = FaultyDisk(MemoryDisk(bytes(8 * pictures.BLOCK), "target"))
    copy = Copy("ABCDEFGH", target=LosingFlush(target.base) if call == "flush" else target)
    if call == "write":
        target.fail("write", OSError(errno.EIO, "gone")).fail("restore", OSError(errno.ECONNRESET, "lost"))
    await copy.run()
    assert target.base.content == copy.source.content
    assert copy.events == [DiskStarted(0), DiskWritten(0), DiskCopied(0)]
    assert "target lost, connecting again" in [line["event"] for line in said]


async def test_a_target_that_cannot_be_connected_to_again_fails_after_three_pauses():
    target = FaultyDisk(MemoryDisk(bytes(2 * pictures.BLOCK), "target")).fail("write", OSError(errno.EIO, "gone"))
    target.fail("restore", OSError(errno.ECONNRESET, "lost")).fail("renew", OSError(errno.ECONNREFUSED, "no"), 3)
    copy = Copy("AB", target=target, settings=CopySettings(chunk=pictures.BLOCK, workers=1, pauses=(0, 0, 0)))
    with pytest.raises(DiskError, match="connecting to target failed: ECONNREFUSED"):
        await copy.run()
    assert copy.events == [DiskStarted(0)]


async def test_a_verified_copy_is_compared_and_a_difference_fails_it_with_its_offset():
    class Rotting(MemoryDisk):
        def forget(self):
            self.content[pictures.BLOCK + 7] ^= 1

    copy = Copy("AB-C", target=Rotting(bytes(4 * pictures.BLOCK), "target", fresh=True), verified=True)
    with pytest.raises(DiskError, match=f"verifying target at offset {pictures.BLOCK + 7} failed: it holds 0x43"):
        await copy.run()
    assert DiskCopied(0) not in copy.events


async def test_what_should_be_zeros_and_is_not_is_found_by_verifying():
    class Rotting(MemoryDisk):
        def forget(self):
            self.write(2 * pictures.BLOCK + 5, memoryview(b"x"))

    copy = Copy("AB--", target=Rotting(bytes(4 * pictures.BLOCK), "target", fresh=True), verified=True)
    with pytest.raises(DiskError, match=f"verifying target at offset {2 * pictures.BLOCK + 5} failed"):
        await copy.run()


async def test_a_difference_drops_the_checkpoint_before_the_copy_fails(said):
    class Rotting(MemoryDisk):
        def forget(self):
            self.content[pictures.BLOCK + 7] ^= 1

    copy = Copy("ABCD", target=Rotting(bytes(4 * pictures.BLOCK), "target", fresh=True), verified=True)
    with pytest.raises(DiskError, match="the next attempt copies this disk from the start"):
        await copy.run()
    assert copy.saved[-1].mark == copy.plan.size
    assert [each.mark for each in copy.revoked] == [0]
    assert "the copy differs from the source, its checkpoint is dropped" in [line["event"] for line in said]


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_checkpoint_that_cannot_be_dropped_is_in_the_error_with_what_to_do(said, monkeypatch, hangs):
    monkeypatch.setattr(copier, "_REVOKING", 0.2 if hangs else 20)

    class Rotting(MemoryDisk):
        def forget(self):
            self.content[7] ^= 1

    release = threading.Event()

    def revoke(checkpoint):
        if hangs:
            release.wait(20)
        raise SpoolUnavailable("/state/checkpoints.db: EROFS (Read-only file system)")

    copy = Copy("AB", target=Rotting(bytes(2 * pictures.BLOCK), "target", fresh=True), verified=True)
    copy.revoke = revoke
    with pytest.raises(Difference, match="verifying target at offset 7 failed: it holds 0x") as caught:
        await copy.run()
    release.set()
    trouble = "no answer within 0.2 s" if hangs else "/state/checkpoints.db: EROFS (Read-only file system)"
    assert str(caught.value).endswith(
        f"; its checkpoint cannot be dropped ({trouble}): remove checkpoints.db before the next attempt"
    )
    assert "the checkpoint of a copy that differs cannot be dropped" in [line["event"] for line in said]


async def test_a_target_that_cannot_be_read_while_it_is_verified_keeps_its_checkpoint():
    class Closing(FaultyDisk):
        def forget(self):
            self.fail("lane", OSError(errno.EACCES, "no"), SETTINGS.workers)

    copy = Copy("ABCD", target=Closing(MemoryDisk(bytes(4 * pictures.BLOCK), "target")), verified=True)
    with pytest.raises(DiskError, match="EACCES"):
        await copy.run()
    assert copy.saved[-1].mark == copy.plan.size


@pytest.mark.parametrize("slow", ["A", "-"])
async def test_of_several_differences_the_first_one_is_named_whichever_is_found_first(slow):
    found = threading.Event()

    class Rotting(MemoryDisk):
        """The first chunk's bytes come when the worker of the second one has ended."""

        forgotten = False

        def forget(self):
            self.write(9, memoryview(b"y"))
            for at in range(1, 8):
                self.write(at * pictures.BLOCK, memoryview(b"x"))
            self.forgotten = True

        def read_into(self, offset, view):
            if self.forgotten and not offset:
                assert found.wait(10)
            super().read_into(offset, view)

        def lane(self):
            lane = super().lane()
            close = lane.close

            def end():
                close()
                if self.forgotten:
                    found.set()

            lane.close = end
            return lane

    target = Rotting(bytes(8 * pictures.BLOCK), "target", fresh=True)
    copy = Copy(slow + "BCDEFGH", target=target, verified=True)
    with pytest.raises(DiskError, match="verifying target at offset 9 failed: it holds 0x79"):
        await copy.run()
