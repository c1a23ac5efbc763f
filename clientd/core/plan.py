"""Plan: what is to be done to a disk, cut into the chunks that workers take, and the denominator of its progress.

        extents   |AAAAAAAAAAAAAA|..............|BBBBBB|        A, B data; . reads as zeros
        chunks    |AAAAAAAA|AAAAA|              |BBB|BB|        cut at multiples of the chunk's size
                  0        1             2          3           (in chunks)

A full copy counts A and B: what will really be read. Holes are not read, but for the shortest. A fresh target
already reads as zeros there; one with old content gets zero chunks for them, which are work but no progress.

        changed   |###|  |#####|        |######|                an incremental copy
        extents   |AAAAAAAAAAAA|        |......|                a short gap is copied with its neighbours

An incremental copy counts # alone, whatever it reads as: gaps are copied to save requests, but are no progress.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from clientd.core import extents
from clientd.core.extents import Extent

PAGE = 4096
"""Changed ranges are copied in whole pages: the unit that every target takes."""
PIECE = 64 * 1024
"""Bytes of a place that a target is known by."""
SMALLEST_CHUNK = 64 * 1024
"""A rate limit never cuts chunks below this."""
_CHUNKS_PER_SECOND = 4

Kind = Literal["allocated", "changed", "virtual"]


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """One piece of work: bytes to copy, or (`zero`) to make read as zeros. `counted` of them are progress.

    `number` is its place among all of the plan's chunks, from 0 on, whichever of them are left out.
    """

    offset: int
    length: int
    zero: bool = False
    counted: int = 0
    number: int = 0

    @property
    def end(self) -> int:
        """The offset just behind it."""
        return self.offset + self.length


class Plan(msgspec.Struct, frozen=True):
    """What a copy of one disk has to do. `extents` are sorted; those of a full copy tile [0, size).

    `changed` are the ranges whose bytes count; None for a full copy, where those of all data do.
    """

    size: int
    extents: tuple[Extent, ...]
    changed: tuple[Extent, ...] | None = None

    @property
    def total_bytes(self) -> int:
        """Bytes that count: all of the work's progress."""
        if self.changed is not None:
            return extents.total(self.changed)
        return extents.total(each for each in self.extents if not each.zero)

    @property
    def to_verify(self) -> int:
        """Bytes that a verification reads of the target again, zeros and all; gaps between changes included."""
        return extents.total(self.extents)

    @property
    def kind(self) -> Kind:
        """What `total_bytes` counts: all of the disk, where it has no holes or none are known; or a part of it."""
        if self.changed is not None:
            return "changed"
        return "virtual" if self.total_bytes == self.size else "allocated"


def full(reported: Iterable[Extent], size: int, gap: int = 0) -> Plan:
    """The plan of a full copy, from whatever extents the disk reports. Holes shorter than `gap` are read."""
    return Plan(size, tuple(extents.cover(extents.join(reported, gap), size)))


def changes(reported: Iterable[Extent], size: int) -> list[Extent]:
    """Changed ranges in order, without overlaps and inside the disk, from a report in any order."""
    return extents.merge(extents.clip(reported, 0, size))


def spans(changed: Sequence[Extent], size: int, join: int) -> list[Extent]:
    """What is copied as one: the changed ranges (sorted) in whole pages, over gaps of up to `join` bytes."""
    joined: list[Extent] = []
    for each in changed:
        start, stop = each.offset - each.offset % PAGE, min(-(-each.end // PAGE) * PAGE, size)
        if joined and start - joined[-1].end <= join:
            start = joined.pop().offset
        joined.append(Extent(start, stop - start))
    return joined


def incremental(changed: Sequence[Extent], reported: Iterable[Extent], size: int, *, join: int) -> Plan:
    """The plan of an incremental copy. `reported` are the source's extents, at least within the spans.

    Where the source says nothing, there is data.
    """
    wanted = spans(changed, size, join)
    zeros = [each for each in extents.merge(reported) if each.zero]
    zeros = extents.subtract(zeros, extents.subtract([Extent(0, size)], wanted))
    return Plan(size, tuple(sorted([*extents.subtract(wanted, zeros), *zeros])), tuple(changed))


def chunks(plan: Plan, *, fresh: bool, chunk: int, zero_chunk: int, done: int = 0) -> Iterator[Chunk]:
    """The work in order of offset, lazily: a large disk has millions.

    `chunk` and `zero_chunk` bound the lengths; `fresh` says that the target reads as zeros everywhere. Chunks that
    end by the offset `done` are left out, and so are those of an incremental copy in which nothing has changed.
    One around `done`, a mark that was made with other sizes, is whole, but only what is behind `done` counts.
    """
    counting = _Counting(plan.changed) if plan.changed is not None else None
    first = 0
    for extent in plan.extents:
        zero, most = extent.zero, zero_chunk if extent.zero else chunk
        if extent.end > done and not (zero and fresh and counting is None):
            for number, (start, stop) in enumerate(_cut(extent, most), first):
                if stop <= done:
                    continue
                behind = max(start, done)
                if counting is None:
                    yield Chunk(start, stop - start, zero, 0 if zero else stop - behind, number)
                elif counted := counting.within(behind, stop):
                    yield Chunk(start, stop - start, zero, counted, number)
        first += _pieces(extent, most)


def count(plan: Plan, *, chunk: int, zero_chunk: int) -> int:
    """How many chunks the plan has: all of their numbers are below."""
    return sum(_pieces(extent, zero_chunk if extent.zero else chunk) for extent in plan.extents)


def total_until(plan: Plan, stop: int) -> int:
    """The bytes that count, of [0, stop)."""
    counting = plan.changed if plan.changed is not None else [each for each in plan.extents if not each.zero]
    return extents.total(extents.clip(counting, 0, stop))


def places(plan: Plan, mark: int, count: int = 8) -> list[Extent]:
    """Up to `count` pieces of data before the offset `mark`, evenly spread, the last one near its end."""
    data = [each for each in extents.clip(plan.extents, 0, mark) if not each.zero]
    step = extents.total(data) // count
    found: list[Extent] = []
    passed = 0
    for extent in data:
        while step and (len(found) + 1) * step <= passed + extent.length and len(found) < count:
            last = (len(found) + 1) * step - passed - 1
            start = extent.offset + last - last % PIECE
            found.append(Extent(start, min(PIECE, extent.end - start)))
        passed += extent.length
    return found


def paced_chunk(chunk: int, rate: int) -> int:
    """The chunk's size under a rate limit: small enough that several pass each second and progress is seen."""
    if not rate:
        return chunk
    wanted = rate // _CHUNKS_PER_SECOND
    return min(chunk, max(SMALLEST_CHUNK, wanted - wanted % SMALLEST_CHUNK))


def _pieces(extent: Extent, most: int) -> int:
    """Into how many it is cut."""
    return -(-extent.end // most) - extent.offset // most


def _cut(extent: Extent, most: int) -> Iterator[tuple[int, int]]:
    start, end = extent.offset, extent.end
    while start < end:
        stop = min(start - start % most + most, end)
        yield start, stop
        start = stop


class _Counting:
    """How many bytes of a range have changed. Asked in order of offset, so one pass over the ranges is enough."""

    def __init__(self, changed: Sequence[Extent]) -> None:
        self._changed = changed
        self._at = 0

    def within(self, start: int, stop: int) -> int:
        found, at = 0, self._at
        while at < len(self._changed) and self._changed[at].offset < stop:
            found += max(min(self._changed[at].end, stop) - max(self._changed[at].offset, start), 0)
            if self._changed[at].end > stop:
                break
            at += 1
        self._at = at
        return found
