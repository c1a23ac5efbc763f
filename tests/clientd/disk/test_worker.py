"""Worker: what a worker thread leaves on the target and in the counters, and how it tries again."""

import errno
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientd.config import CopySettings
from clientd.core import plan, zeros
from clientd.core.plan import Chunk
from clientd.core.progress import Busy, Count
from clientd.disk import worker
from clientd.disk.digest import Digests, digest
from clientd.disk.memory import MemoryDisk
from clientd.disk.pace import Pace, monotonic
from clientd.disk.tally import DiskTally
from clientd.disk.work import Work
from tests.fakes import disks as pictures
from tests.fakes.disks import FaultyDisk

SETTINGS = CopySettings(
    chunk=3 * pictures.BLOCK, zero_chunk=2 * pictures.BLOCK, smallest_zeroing=pictures.BLOCK, pauses=(0, 0, 0)
)


class Copying:
    """A source, a target, and one worker between them, in this thread."""

    def __init__(self, source, target, settings=SETTINGS, *, digests=None, rate=0):
        self.plan = plan.full(source.extents(0, source.size), source.size)
        chunks = plan.chunks(self.plan, fresh=target.fresh, chunk=settings.chunk, zero_chunk=settings.zero_chunk)
        self.source, self.target, self.settings = source, target, settings
        self.work = Work(chunks, Pace(rate), digests=digests)
        self.tally = DiskTally()
        self.tally.begin(source, target, 0)

    def run(self):
        settings = self.settings
        worker.run(self.work, self.source, self.target, self.tally.worker(), settings)
        return self


def copy(picture: str, target: MemoryDisk):
    source = MemoryDisk(pictures.content(picture), "source")
    copying = Copying(source, target).run()
    assert copying.work.error is None
    assert copying.work.mark == max((each.end for each in copying.plan.extents if not each.zero), default=0) or (
        not target.fresh
    )
    return source, copying.tally, copying.plan


@given(st.text(alphabet="AB0-", max_size=14))
def test_a_fresh_target_equals_the_source_and_is_as_sparse(picture):
    target = MemoryDisk(bytes(len(picture) * pictures.BLOCK), "target", fresh=True)
    source, tally, full = copy(picture, target)
    assert target.content == source.content
    assert target.allocated == source.allocated
    count = tally.read()
    assert (count.examined, count.copied, count.durable) == (full.total_bytes, full.total_bytes, 0)


@given(st.text(alphabet="AB0-", max_size=14), st.randoms(use_true_random=False))
def test_a_target_with_old_content_equals_the_source_afterwards(picture, chance):
    old = "".join(chance.choice("XY-") for _ in picture)
    target = MemoryDisk(pictures.content(old), "target")
    source, tally, full = copy(picture, target)
    assert target.content == source.content
    assert tally.read().copied == full.total_bytes


def test_what_is_being_written_takes_no_buffer(monkeypatch):
    """The target of a slow link has many writes under way, and the source one read: two buffers do for all."""
    rooms = set()

    class Source(MemoryDisk):
        def read_into(self, offset, view):
            rooms.add(id(view.obj))
            super().read_into(offset, view)

    class Slow:
        def __init__(self, base):
            self.base = base

        def __getattr__(self, name):
            return getattr(self.base, name)

        def room(self, requests, size):
            return requests < 20

    source = Source(pictures.content("A" * 60), "source")
    target = MemoryDisk(bytes(len(source.content)), "target")
    lane = target.lane
    monkeypatch.setattr(target, "lane", lambda: Slow(lane()))
    copying = Copying(source, target).run()
    assert copying.work.error is None
    assert target.content == source.content
    assert 1 <= len(rooms) <= 2


def test_zeros_inside_data_are_completed_work_but_no_blocks():
    source = MemoryDisk(b"a" * 8192 + bytes(8192), "source")
    source._written = [True] * 4  # the source does not know that its end is zeros
    target = MemoryDisk(bytes(16384), "target", fresh=True)
    copying = Copying(source, target).run()
    assert copying.plan.total_bytes == copying.tally.read().copied == 16384
    assert target.allocated == 8192


def test_a_target_of_large_units_gets_zeros_for_whole_chunks_only():
    zeroed = []

    class Large(MemoryDisk):
        block = 2 * zeros.PAGE

        def zero(self, offset, length):
            zeroed.append((offset, length))
            super().zero(offset, length)

    source = MemoryDisk(pictures.content("A00" + "000" + "B"), "source")
    source._written = [True] * 7
    target = Large(pictures.content("X" * 7), "target")
    Copying(source, target).run()
    assert target.content == source.content
    assert zeroed == [(SETTINGS.chunk, SETTINGS.chunk)]


def test_what_is_waited_for_a_rate_is_time_of_neither_disk():
    source = MemoryDisk(pictures.content("A" * 8), "source")
    settings = CopySettings(chunk=pictures.BLOCK)
    copying = Copying(
        source, MemoryDisk(bytes(source.size), "target", fresh=True), settings, rate=10 * pictures.BLOCK
    )
    began = monotonic()
    count = copying.run().tally.read()
    waited = monotonic() - began
    assert count.copied == source.size
    assert waited > 0.2  # 8 blocks at 10 a second, less what an idle job may catch up on
    assert count.busy.read + count.busy.write < waited / 2


@pytest.mark.parametrize("call", ["read", "write", "zero"])
def test_a_lasting_error_is_kept_and_ends_the_work(call):
    faulty = FaultyDisk(MemoryDisk(pictures.content("AXX-B"), "there")).fail(call, OSError(errno.ENOSPC, "full"))
    plain = MemoryDisk(pictures.content("AXX-B"), "other")
    copying = Copying(*((faulty, plain) if call == "read" else (plain, faulty))).run()
    assert "there at offset" in str(copying.work.error)
    assert copying.work.error.cause == "ENOSPC (full)"
    assert not copying.work.target_lost
    assert copying.tally.read().copied < copying.plan.total_bytes
    before = copying.tally.read().copied
    assert copying.run().tally.read().copied == before


@pytest.mark.parametrize("call", ["read", "write", "zero"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_passing_error_is_tried_again_three_times_and_counted_once(call, times):
    faulty = FaultyDisk(MemoryDisk(pictures.content("AXX-B"), "there")).fail(
        call, OSError(errno.EIO, "bad"), times
    )
    plain = MemoryDisk(pictures.content("BXX-A"), "other")
    source, target = (faulty, plain) if call == "read" else (plain, faulty)
    copying = Copying(source, target).run()
    assert copying.work.error is None
    assert pictures.base(target).content == pictures.base(source).content
    count = copying.tally.read()
    assert count.examined == count.copied == copying.plan.total_bytes


@pytest.mark.parametrize("call", ["read", "write", "zero"])
def test_the_fourth_failure_of_a_chunk_is_the_last(call):
    faulty = FaultyDisk(MemoryDisk(pictures.content("AXX-B"), "there")).fail(call, OSError(errno.EIO, "bad"), 4)
    plain = MemoryDisk(pictures.content("BXX-A"), "other")
    copying = Copying(*((faulty, plain) if call == "read" else (plain, faulty))).run()
    assert "there at offset" in str(copying.work.error)
    assert "EIO" in copying.work.error.cause


def test_a_source_that_cannot_be_connected_to_again_is_tried_as_often():
    source = FaultyDisk(MemoryDisk(pictures.content("AB"), "there")).fail("read", OSError(errno.EIO, "gone"))
    source.fail("restore", OSError(errno.ECONNREFUSED, "refused"), 3)
    copying = Copying(source, MemoryDisk(bytes(source.size), "other")).run()
    assert "connecting to there failed: ECONNREFUSED" in str(copying.work.error)


def test_a_target_whose_connection_is_lost_ends_the_work_as_lost():
    target = FaultyDisk(MemoryDisk(pictures.content("XX"), "there")).fail("write", OSError(errno.EIO, "gone"))
    target.fail("restore", OSError(errno.ECONNRESET, "lost"))
    copying = Copying(MemoryDisk(pictures.content("AB"), "other"), target).run()
    assert copying.work.target_lost
    assert copying.work.error.passing


def test_a_stop_ends_the_pause_before_another_try():
    source = FaultyDisk(MemoryDisk(pictures.content("AB"), "there")).fail("read", OSError(errno.EIO, "bad"))
    patient = CopySettings(chunk=SETTINGS.chunk, pauses=(1000,))
    copying = Copying(source, MemoryDisk(bytes(source.size), "other"), patient)
    stopping = threading.Timer(0.05, copying.work.stop)
    stopping.start()
    copying.run()
    stopping.join()
    assert copying.work.error is None
    assert copying.tally.read().copied == copying.work.mark == 0


def test_digests_are_those_of_what_was_read():
    digests = Digests(6)
    source = MemoryDisk(pictures.content("A" * 4 + "-" + "B"), "source")
    Copying(source, MemoryDisk(bytes(source.size), "target", fresh=True), digests=digests).run()
    hole = None
    assert [digests.of(number) for number in range(6)] == [
        digest(memoryview(source.content)[: SETTINGS.chunk]),
        digest(memoryview(pictures.content("A"))),
        hole,
        digest(memoryview(pictures.content("B"))),
        None,
        None,
    ]


def test_a_stopped_work_takes_no_chunk():
    source = MemoryDisk(pictures.content("AAAA"), "source")
    copying = Copying(source, MemoryDisk(bytes(source.size), "target", fresh=True))
    copying.work.stop()
    copying.run()
    assert copying.tally.read().examined == 0
    assert copying.work.error is None


def test_the_mark_is_before_everything_that_is_not_complete():
    chunks = [Chunk(at, 10, counted=10) for at in (0, 10, 30)]
    work = Work(iter(chunks), Pace(0))
    assert work.mark == 0
    first, second = work.take(), work.take()
    work.complete(second)
    assert work.mark == 0
    work.complete(first)
    assert work.mark == 20
    third = work.take()
    assert work.mark == 30
    work.complete(third)
    assert (work.take(), work.mark) == (None, 40)


def test_what_a_flush_makes_durable_is_said_and_a_copy_begun_again_keeps_its_times():
    disk = MemoryDisk(b"", "disk")
    tally = DiskTally()
    tally.begin(disk, disk, 5)
    one, other = tally.worker(), tally.worker()
    one.copied, other.copied, one.reading, other.writing = 3, 4, 1.0, 2.0
    tally.flushed(7)
    assert tally.read() == Count(5, 12, 7, Busy(1.0, 2.0, 0.0))
    tally.begin(disk, disk, 7)
    assert tally.read() == Count(7, 7, 7, Busy(1.0, 2.0, 0.0))


def test_writeback_is_asked_for_behind_the_writes_and_covers_them():
    asked = []

    class Settling(MemoryDisk):
        def settle(self, offset: int, length: int) -> None:
            asked.append((offset, length))

    source = MemoryDisk(pictures.content("xx--xxxx-xxxx"), "source")
    window = 4 * pictures.BLOCK
    target = Settling(bytes(source.size), "target", fresh=True)
    Copying(source, target, CopySettings(chunk=pictures.BLOCK, writeback=window)).run()
    assert asked == [(0, 6 * pictures.BLOCK), (6 * pictures.BLOCK, 5 * pictures.BLOCK)]
