"""Extents: what parts of a disk hold data and what parts read as zeros.

        0         4         8         12
        |  data   |  zero   |  data   |        Extent(0, 4), Extent(4, 4, zero=True), Extent(8, 4)

A disk's own report may be unsorted, overlapping, empty in parts or full of gaps; `cover` makes sense of it,
and where in doubt it says data: reading too much costs time, reading too little loses data.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec


class Extent(msgspec.Struct, frozen=True, order=True, gc=False):
    """A run of bytes. `zero` says that it reads as zeros, be it a hole or not."""

    offset: int
    length: int
    zero: bool = False

    @property
    def end(self) -> int:
        """The offset just behind it."""
        return self.offset + self.length


def total(extents: Iterable[Extent]) -> int:
    """The sum of their lengths."""
    return sum(extent.length for extent in extents)


def clip(extents: Iterable[Extent], offset: int, length: int) -> list[Extent]:
    """The parts that lie in [offset, offset + length)."""
    stop = offset + length
    return [
        Extent(max(each.offset, offset), min(each.end, stop) - max(each.offset, offset), each.zero)
        for each in extents
        if each.length > 0 and each.offset < stop and each.end > offset
    ]


def merge(extents: Iterable[Extent]) -> list[Extent]:
    """The same ground, sorted, without overlaps, neighbours of a kind joined. Data wins where both are said."""
    reported = list(extents)
    data = _union(each for each in reported if not each.zero)
    zeros = _union(each for each in reported if each.zero)
    return sorted(data + subtract(zeros, data))


def subtract(extents: Sequence[Extent], others: Sequence[Extent]) -> list[Extent]:
    """What of the extents no other covers. Both must be sorted and free of overlaps."""
    left: list[Extent] = []
    first = 0
    for extent in extents:
        while first < len(others) and others[first].end <= extent.offset:
            first += 1
        start = extent.offset
        for other in _reaching(others, first, extent.end):
            if start < other.offset:
                left.append(Extent(start, other.offset - start, extent.zero))
            start = max(start, other.end)
        if start < extent.end:
            left.append(Extent(start, extent.end - start, extent.zero))
    return left


def cover(extents: Iterable[Extent], size: int) -> list[Extent]:
    """[0, size) without a gap: the report merged and clipped, and data wherever it says nothing."""
    reported = list(extents)
    if _tile(reported, size):
        return list(_neighbours(reported))
    reported = merge(clip(reported, 0, size))
    silent = subtract([Extent(0, size)], reported) if size else []
    return list(_neighbours(sorted([*reported, *silent])))


def join(extents: Iterable[Extent], gap: int) -> Iterator[Extent]:
    """Neighbours of a kind as one, and zeros of less than `gap` bytes as data, in passing.

    A disk that is full of small holes thus has few extents, and needs no room for the many that it reports.
    """
    whole = _neighbours(extents)
    return _neighbours(Extent(each.offset, each.length) if each.length < gap else each for each in whole)


def _tile(extents: Sequence[Extent], size: int) -> bool:
    """They are [0, size) already, one behind the other: the usual report, which needs no more work."""
    at = 0
    for extent in extents:
        if extent.offset != at or extent.length <= 0:
            return False
        at += extent.length
    return at == size


def _reaching(others: Sequence[Extent], first: int, stop: int) -> Iterable[Extent]:
    while first < len(others) and others[first].offset < stop:
        yield others[first]
        first += 1


def _neighbours(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Each joined to the one before it, where that ends there and is of the same kind."""
    last: Extent | None = None
    for extent in extents:
        if last is None:
            last = extent
        elif extent.offset == last.end and extent.zero == last.zero:
            last = Extent(last.offset, last.length + extent.length, last.zero)
        else:
            yield last
            last = extent
    if last is not None:
        yield last


def _union(extents: Iterable[Extent]) -> list[Extent]:
    joined: list[Extent] = []
    for extent in sorted(each for each in extents if each.length > 0):
        if joined and extent.offset <= joined[-1].end:
            last = joined.pop()
            extent = Extent(last.offset, max(last.end, extent.end) - last.offset, last.zero)
        joined.append(extent)
    return joined
