"""Work: what a worker thread leaves on the target and in the counters."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientd.config import CopySettings
from clientd.core import plan
from clientd.disk.memory import MemoryDisk
from clientd.disk.pace import Pace
from clientd.disk.tally import DiskTally
from clientd.disk.work import Work
from tests.fakes import disks as pictures
from tests.fakes.disks import FaultyDisk

SETTINGS = CopySettings(chunk=3 * pictures.BLOCK, zero_chunk=2 * pictures.BLOCK, smallest_zeroing=pictures.BLOCK)


def work_on(source, target, settings=SETTINGS):
    full = plan.full(source.extents(0, source.size), source.size)
    chunks = plan.chunks(full, fresh=target.fresh, chunk=settings.chunk, zero_chunk=settings.zero_chunk)
    return Work(source, target, chunks, Pace(0), settings, settings.chunk), full


def copy(picture: str, target: MemoryDisk):
    source = MemoryDisk(pictures.content(picture), "source")
    work, full = work_on(source, target)
    tally = DiskTally()
    work.run(tally.worker())
    assert work.error is None
    return source, tally, full


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


def test_zeros_inside_data_are_completed_work_but_no_blocks():
    source = MemoryDisk(b"a" * 8192 + bytes(8192), "source")
    source._written = [True] * 4  # the source does not know that its end is zeros
    target = MemoryDisk(bytes(16384), "target", fresh=True)
    work, full = work_on(source, target)
    tally = DiskTally()
    work.run(tally.worker())
    assert full.total_bytes == tally.read().copied == 16384
    assert target.allocated == 8192


@pytest.mark.parametrize("call", ["read", "write", "zero"])
def test_a_disk_error_is_kept_and_ends_the_work(call):
    faulty = FaultyDisk(MemoryDisk(pictures.content("AXX-B"), "there")).fail(call, OSError(errno.EIO, "broken"))
    plain = MemoryDisk(pictures.content("AXX-B"), "other")
    source, target = (faulty, plain) if call == "read" else (plain, faulty)
    work, full = work_on(source, target)
    tally = DiskTally()
    work.run(tally.worker())
    assert "there at offset" in str(work.error)
    assert work.error.cause == "EIO (broken)"
    assert tally.read().copied < full.total_bytes
    before = tally.read()
    work.run(tally.worker())
    assert tally.read() == before


def test_a_stopped_work_takes_no_chunk():
    source = MemoryDisk(pictures.content("AAAA"), "source")
    target = MemoryDisk(bytes(source.size), "target", fresh=True)
    work, _ = work_on(source, target)
    work.stop()
    tally = DiskTally()
    work.run(tally.worker())
    assert tally.read().examined == 0
    assert work.error is None


def test_what_a_flush_makes_durable_is_what_was_copied():
    tally = DiskTally()
    one, other = tally.worker(), tally.worker()
    one.copied, other.copied = 3, 4
    tally.flushed()
    other.copied = 9
    assert (tally.read().copied, tally.read().durable) == (12, 7)


def test_writeback_is_asked_for_behind_the_writes_and_covers_them():
    asked = []

    class Settling(MemoryDisk):
        def settle(self, offset: int, length: int) -> None:
            asked.append((offset, length))

    source = MemoryDisk(pictures.content("xx--xxxx-xxxx"), "source")
    target = Settling(bytes(source.size), "target", fresh=True)
    window = 4 * pictures.BLOCK
    work, _ = work_on(source, target, CopySettings(chunk=pictures.BLOCK, writeback=window))
    work.run(DiskTally().worker())
    assert asked == [(0, 6 * pictures.BLOCK), (6 * pictures.BLOCK, 5 * pictures.BLOCK)]
