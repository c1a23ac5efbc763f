"""Tally: what the hubs of a host measure, as a row of whole numbers for each of them, and the sum of the rows.

    | counters: batched, copied, skips, flips, 3 histograms | standing: ready, up, queue ..., 3 recent histograms |
      only grow, and go on in the row's next process          of one process; 0 where there is none

Durations are nanoseconds. What is too large for a row's 64 bits stays at the most that they hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import msgspec

from schemas.job import State, Voice
from sendensed.core.gauges import BOUNDS, Gauges, Histogram

Row = Sequence[int]

FLIPS: tuple[tuple[Voice, State], ...] = tuple(
    (voice, state) for voice in sorted(get_args(Voice)) for state in sorted(get_args(State))
)
_HISTOGRAM = len(BOUNDS) + 2
"""Numbers of a histogram: its counts and its sum."""
_COUNTED = 3 + len(FLIPS)
_STOOD = 8
COUNTERS = _COUNTED + 3 * _HISTOGRAM
STANDING = _STOOD + 3 * _HISTOGRAM
ROW = COUNTERS + STANDING
MOST = 2**63 - 1
_SECOND = 1_000_000_000


class Standing(msgspec.Struct, frozen=True):
    """How one hub stands; `uptime` is seconds. Where no process serves, `serves` is false and all is 0."""

    serves: bool
    is_ready: bool
    uptime: float
    queue_depth: int
    queue_limit: int
    viewers: int


class Timings(msgspec.Struct, frozen=True):
    """How long work takes, by kind."""

    delay: Histogram
    batch: Histogram
    database: Histogram


class Tally(msgspec.Struct, frozen=True):
    """The sums of all hubs, and how each of them stands; `batch_size` is the mean of the last 100 of each."""

    batched: int
    copied_bytes: int
    viewer_skips: int
    flips: Mapping[tuple[Voice, State], int]
    total: Timings
    recent: Timings
    batch_size: float | None
    hubs: tuple[Standing, ...]


def counters(gauges: Gauges) -> list[int]:
    """The first part of a hub's row."""
    timings = (gauges.delay.total, gauges.batch.total, gauges.database.total)
    flips = [gauges.flips[flip] for flip in FLIPS]
    return [gauges.batched, gauges.copied_bytes, gauges.viewer_skips, *flips, *_written(timings)]


def standing(gauges: Gauges, at: float, stands: Standing) -> list[int]:
    """The second part of a hub's row, at the moment `at` (monotonic seconds)."""
    timings = (gauges.delay.recent(at), gauges.batch.recent(at), gauges.database.recent(at))
    return [
        stands.serves,
        stands.is_ready,
        _nanoseconds(stands.uptime),
        stands.queue_depth,
        stands.queue_limit,
        stands.viewers,
        len(gauges.sizes),
        sum(gauges.sizes),
        *_written(timings),
    ]


def read(rows: Sequence[Row]) -> Tally:
    """What the rows, at least one, say together."""
    sums = [sum(column) for column in zip(*rows, strict=True)]
    batched, copied, skips, *flips = sums[:_COUNTED]
    batches, jobs = sums[COUNTERS + 6 : COUNTERS + _STOOD]
    return Tally(
        batched=batched,
        copied_bytes=copied,
        viewer_skips=skips,
        flips={flip: count for flip, count in zip(FLIPS, flips, strict=True) if count},
        total=_read(sums[_COUNTED:COUNTERS]),
        recent=_read(sums[COUNTERS + _STOOD :]),
        batch_size=jobs / batches if batches else None,
        hubs=tuple(_standing(row[COUNTERS : COUNTERS + 6]) for row in rows),
    )


def _standing(row: Row) -> Standing:
    serves, is_ready, uptime, depth, limit, viewers = row
    return Standing(bool(serves), bool(is_ready), uptime / _SECOND, depth, limit, viewers)


def _written(timings: Iterable[Histogram]) -> list[int]:
    return [number for one in timings for number in (*one.counts, _nanoseconds(one.sum))]


def _read(numbers: Row) -> Timings:
    starts = range(0, 3 * _HISTOGRAM, _HISTOGRAM)
    delay, batch, database = (numbers[start : start + _HISTOGRAM] for start in starts)
    return Timings(*(Histogram(one[:-1], one[-1] / _SECOND) for one in (delay, batch, database)))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _SECOND)
