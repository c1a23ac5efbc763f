"""Estimate: speed and time left of a run, from its raw counters alone.

Speed is the mean over a sliding window of 15 s. The time left divides what remains by the mean of two
rates: that of the whole phase and an exponentially weighted one with a time constant of 120 s. On recorded
runs that combination made the estimate jump at 2 % of updates, against 26 to 43 % for a short window alone.
There is none before 30 s and 3 points, where the total is unknown, or where nothing moves: a wrong number is
worse than none.
"""

import math

from schemas.job import EtaReason
from sendensed.core.model import Meter, Point

SPEED_WINDOW = 15.0
"""Seconds that the shown speed is averaged over."""
POINT_SPACING = 2.0
"""Seconds between kept points: bounds the window to 9 of them however often a sender speaks."""
SHORTEST_SPAN = 1.0
"""Seconds below which two points tell nothing of a speed."""
TIME_CONSTANT = 120.0
"""Seconds over which the weighted rate forgets."""
WARM_UP = 30.0
"""Seconds of a phase before there is a time left."""
WARM_UP_SAMPLES = 3
LONGEST = 365 * 86_400
"""Seconds: a longer time left means that the rate is not worth a number."""


def observe(meter: Meter, at: float, done: int) -> Meter:
    """The meter after `done` bytes were reported at the moment `at` (Unix seconds).

    A point that is not later than the last one is left out: clocks step, updates wait in spools.
    """
    point = Point(at, done)
    if not meter.recent or meter.first is None:
        return Meter(recent=(point,), first=point, rate=0.0, samples=1)
    last = meter.recent[-1]
    elapsed = at - last.at
    if elapsed <= 0:
        return meter
    rate = _weighted(meter.rate, (done - last.bytes) / elapsed, elapsed, first=meter.samples == 1)
    return Meter(_window(meter.recent, point), meter.first, rate, meter.samples + 1)


def _weighted(rate: float, now: float, elapsed: float, *, first: bool) -> float:
    return now if first else rate + (now - rate) * (1 - math.exp(-elapsed / TIME_CONSTANT))


def _window(points: tuple[Point, ...], new: Point) -> tuple[Point, ...]:
    """The points kept: spaced, and back to the newest one that is a whole window old."""
    if len(points) > 1 and points[-1].at - points[-2].at < POINT_SPACING:
        points = points[:-1]
    points = (*points, new)
    while len(points) > 2 and new.at - points[1].at >= SPEED_WINDOW:
        points = points[1:]
    return points


def speed(meter: Meter) -> int | None:
    """Bytes per second over the window; None until two points are far enough apart."""
    if len(meter.recent) < 2:
        return None
    first, last = meter.recent[0], meter.recent[-1]
    if last.at - first.at < SHORTEST_SPAN:
        return None
    return round((last.bytes - first.bytes) / (last.at - first.at))


def time_left(meter: Meter, total: int) -> tuple[int | None, EtaReason | None]:
    """Seconds until `total` bytes are done, or None and the reason why no number is shown."""
    if total <= 0:
        return None, "unknown_total"
    if meter.first is None:
        return None, "measuring"
    last = meter.recent[-1]
    if last.bytes >= total:
        return None, "finalizing"
    span = last.at - meter.first.at
    if span < WARM_UP or meter.samples < WARM_UP_SAMPLES:
        return None, "measuring"
    mean = (last.bytes - meter.first.bytes) / span
    rate = (mean + meter.rate) / 2
    if mean <= 0 or rate <= 0:
        return None, "measuring"
    left = math.ceil((total - last.bytes) / rate)
    return (left, None) if left <= LONGEST else (None, "measuring")
