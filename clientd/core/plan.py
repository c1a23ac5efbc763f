"""Plan: a disk's extents cut into the chunks that workers take, and the denominator of its progress.

        extents   |AAAAAAAAAAAAAA|..............|BBBBBB|        A, B data; . reads as zeros
        chunks    |AAAAAAAA|AAAAA|              |BBB|BB|        cut at multiples of the chunk's size
                  0        1             2          3           (in chunks)

`total_bytes` counts A and B: what will really be read. Holes are not read, but for the shortest. A fresh target
already reads as zeros there; one with old content gets zero chunks for them, which are work but no progress.
"""

from collections.abc import Iterable, Iterator

import msgspec

from clientd.core import extents
from clientd.core.extents import Extent

SMALLEST_CHUNK = 64 * 1024
"""A rate limit never cuts chunks below this."""
_CHUNKS_PER_SECOND = 4


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """One piece of work: bytes to copy, or (`zero`) bytes that must come to read as zeros."""

    offset: int
    length: int
    zero: bool = False


class Plan(msgspec.Struct, frozen=True):
    """What a full copy of one disk has to do. `extents` tile [0, size)."""

    size: int
    extents: tuple[Extent, ...]

    @property
    def total_bytes(self) -> int:
        """Bytes to be read: those of the data extents."""
        return extents.total(each for each in self.extents if not each.zero)

    @property
    def whole(self) -> bool:
        """All of the disk is read: it has no holes, or none are known."""
        return self.total_bytes == self.size


def full(reported: Iterable[Extent], size: int, gap: int = 0) -> Plan:
    """The plan of a full copy, from whatever extents the disk reports. Holes shorter than `gap` are read."""
    return Plan(size, tuple(extents.cover(extents.join(reported, gap), size)))


def chunks(plan: Plan, *, fresh: bool, chunk: int, zero_chunk: int) -> Iterator[Chunk]:
    """The work in order of offset, lazily: a large disk has millions.

    `chunk` and `zero_chunk` bound the lengths; `fresh` says that the target reads as zeros everywhere.
    """
    for extent in plan.extents:
        if extent.zero and fresh:
            continue
        yield from _cut(extent, zero_chunk if extent.zero else chunk)


def paced_chunk(chunk: int, rate: int) -> int:
    """The chunk's size under a rate limit: small enough that several pass each second and progress is seen."""
    if not rate:
        return chunk
    wanted = rate // _CHUNKS_PER_SECOND
    return min(chunk, max(SMALLEST_CHUNK, wanted - wanted % SMALLEST_CHUNK))


def _cut(extent: Extent, most: int) -> Iterator[Chunk]:
    start = extent.offset
    while start < extent.end:
        stop = min(start - start % most + most, extent.end)
        yield Chunk(start, stop - start, extent.zero)
        start = stop
