"""Scoreboard: memory that the hubs of a host share, a row for each of them (`core/tally.py`).

    parent ── makes it ── descriptor ──▶ worker N: its place is row N; it writes there, and reads all rows

A hub writes its own row alone, number by number, each an aligned store of 64 bits: who reads sees every number as
it was before or after, and nobody waits. A row outlives the process that wrote it: the next one's counters go on
from what stands there, whatever the last one was at when it was killed.
"""

import mmap
import os
from collections.abc import Iterable, Sequence

from sendensed.core.tally import COUNTERS, MOST, ROW, STANDING, Row

_WORD = 8


def shared(rows: int) -> int:
    """A descriptor onto memory for so many rows, all 0, for processes that inherit it; the caller's to close."""
    memory = os.memfd_create("sendensed")
    os.truncate(memory, rows * ROW * _WORD)
    return memory


class Scoreboard:
    """The rows. Hubs are numbered from 1."""

    def __init__(self, rows: int, memory: int = -1) -> None:
        """`memory` is of `shared`, and may be closed afterwards; without one, the memory is this process' own."""
        words = memoryview(mmap.mmap(memory, rows * ROW * _WORD)).cast("q")
        self._rows = [words[start : start + ROW] for start in range(0, rows * ROW, ROW)]

    def place(self, number: int) -> "Place":
        """The place of the hub of this number, whose process has just begun."""
        return Place(self, self._rows[number - 1])

    def leave(self, number: int) -> None:
        """The hub's process has ended: it stands nowhere, and what it has counted remains."""
        _put(self._rows[number - 1], COUNTERS, [0] * STANDING)

    def rows(self) -> Sequence[Row]:
        """All rows as they are now."""
        return [row.tolist() for row in self._rows]


class Place:
    """One hub's row, to write to, and the others' to read."""

    def __init__(self, scoreboard: Scoreboard, row: "memoryview[int]") -> None:
        self._scoreboard = scoreboard
        self._row = row
        self._before = row[:COUNTERS].tolist()

    def count(self, counters: Iterable[int]) -> None:
        """Writes what this process has counted since its start, on top of what its forerunners had."""
        _put(self._row, 0, [min(mine + old, MOST) for mine, old in zip(counters, self._before, strict=True)])

    def stand(self, standing: Sequence[int]) -> None:
        """Writes how this process stands."""
        _put(self._row, COUNTERS, [min(number, MOST) for number in standing])

    def rows(self) -> Sequence[Row]:
        """All hubs' rows as they are now."""
        return self._scoreboard.rows()


def _put(row: "memoryview[int]", start: int, numbers: Sequence[int]) -> None:
    for place, number in enumerate(numbers, start):
        row[place] = number
