"""Zeros: which parts of a buffer are zero, exactly. Every byte is looked at; nothing is sampled.

The comparison is `bytearray == memoryview` with the bytearray on the left: that way round it is one memcmp,
the other way round it is a loop of eighty times the cost. A page can only be zero if its first byte is, so the
heads of all pages are drawn out in one slice, and only the pages behind a zero head are compared.
"""

import functools
from collections.abc import Iterator

import msgspec

PAGE = 4096
_STRIDE = 16 * PAGE
_PAGE_OF_ZEROS = bytearray(PAGE)
_STRIDE_OF_ZEROS = bytearray(_STRIDE)


class Run(msgspec.Struct, frozen=True, gc=False):
    """The bytes [start, stop) of a buffer, all of them zero or to be taken as data."""

    start: int
    stop: int
    zero: bool


def is_zero(view: memoryview) -> bool:
    """True if every byte is zero."""
    return _zeros(len(view)) == view


def runs(buffer: bytearray, view: memoryview, least: int) -> list[Run]:
    """The buffer's first bytes, which `view` shows, as runs that tile them.

    Zero runs begin and end at page boundaries, or at the end, and are `least` bytes or longer, unless all of it is
    zero; shorter ones are left in the data around them.
    """
    size = len(view)
    heads = buffer[0:size:PAGE]
    if heads.find(0) < 0:
        return [Run(0, size, False)]
    if is_zero(view):
        return [Run(0, size, zero=True)]
    found: list[Run] = []
    done = 0
    for start, stop in _zero_runs(heads, view):
        if stop - start < least:
            continue
        if done < start:
            found.append(Run(done, start, zero=False))
        found.append(Run(start, stop, zero=True))
        done = stop
    if done < size:
        found.append(Run(done, size, zero=False))
    return found


@functools.lru_cache(maxsize=8)
def _zeros(size: int) -> bytearray:
    return bytearray(size)


def _zero_runs(heads: bytearray, view: memoryview) -> Iterator[tuple[int, int]]:
    page = heads.find(0)
    while page >= 0:
        start = page * PAGE
        if is_zero(view[start : start + PAGE]):
            stop = _end_of_zeros(view, start)
            yield start, stop
            page = -(-stop // PAGE) - 1
        page = heads.find(0, page + 1)


def _end_of_zeros(view: memoryview, start: int) -> int:
    stop = start
    while _STRIDE_OF_ZEROS == view[stop : stop + _STRIDE]:  # noqa: SIM300 - see above: eighty times faster
        stop += _STRIDE
    while _PAGE_OF_ZEROS == view[stop : stop + PAGE]:  # noqa: SIM300 - as above
        stop += PAGE
    rest = view[stop : stop + PAGE]
    if 0 < len(rest) < PAGE and is_zero(rest):
        stop += len(rest)
    return stop
