"""Estimate: speed and time left of a run, from its raw counters alone.

Speed is the mean over a sliding window of 15 s. The time left divides what remains by the mean of two
rates: that of the whole phase and an exponentially weighted one with a time constant of 120 s. On recorded
runs that combination made the estimate jump at 2 % of updates, against 26 to 43 % for a short window alone.
There is none before 30 s and 3 points, where the total is unknown, or where nothing moves: a wrong number is
worse than none.

The end of a copy is not the end of a job that is verified then: while its sender says so there is no time left but
that of the copy, told by itself. Once the targets are read again the same is measured of the bytes read.

How far off it may be is told by the run itself: the bytes at up to 12 even marks since the phase began give as
many rates, and how these differ, and cling to each other, says how much the rest may differ from them. Where
earlier runs of the machine tell how near their estimates came, that stands in for what a young run cannot know.

    0 ─┬──┬──┬──┬──┬──┬── now            one spacing apart; when there are 12, every second
      marks, spacing apart ──▶ doubled     one goes and the spacing doubles, however long the run
"""

import math
from itertools import pairwise

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
MARKS = 12
MARK_SPACING = 5.0
"""Seconds between the first marks."""
LEAST_SPREAD = 0.03
"""No range is narrower than this share of the time left to both sides: no run is that even."""
MOST_SPREAD = 0.9
UNSEEN = 0.5
UNSEEN_TIME = 600.0
"""A young run has not met yet what its link may hold: this share more at first, gone after so many seconds."""
_STUDENT = {2: 1.89, 3: 1.64, 4: 1.53, 5: 1.48, 6: 1.44, 7: 1.41, 8: 1.40, 9: 1.38, 10: 1.37, 11: 1.36}
"""By degrees of freedom: how many deviations to both sides hold four of five values (Student's t at 0.9)."""
VERIFYING = "verifying"
"""The phase in which targets are read again."""
LONGEST = 365 * 86_400
"""Seconds: a longer time left means that the rate is not worth a number."""


def observe(meter: Meter, at: float, done: int) -> Meter:
    """The meter after `done` bytes were reported at the moment `at` (Unix seconds).

    A point that is not later than the last one is left out: clocks step, updates wait in spools.
    """
    point = Point(at, done)
    if not meter.recent or meter.first is None:
        return Meter(recent=(point,), first=point, rate=0.0, samples=1, spacing=MARK_SPACING)
    last = meter.recent[-1]
    elapsed = at - last.at
    if elapsed <= 0:
        return meter
    rate = _weighted(meter.rate, (done - last.bytes) / elapsed, elapsed, first=meter.samples == 1)
    spacing, marks = _marked(meter, meter.first, point)
    return Meter(_window(meter.recent, point), meter.first, rate, meter.samples + 1, spacing, marks)


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


def _marked(meter: Meter, first: Point, new: Point) -> tuple[float, tuple[int, ...]]:
    """Spacing and marks once `new` is known; a mark between two points lies on the line between them."""
    last, spacing, marks = meter.recent[-1], meter.spacing, meter.marks
    while (place := first.at + spacing * (len(marks) + 1)) <= new.at:
        share = (place - last.at) / (new.at - last.at)
        marks = (*marks, last.bytes + round(share * (new.bytes - last.bytes)))
        if len(marks) == MARKS:
            marks, spacing = marks[1::2], 2 * spacing
    return spacing, marks


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


def is_verifying(phase: str, to_verify: int) -> bool:
    """Whether a run's time goes into what is read of its targets again, and how much that is has been told."""
    return phase == VERIFYING and to_verify > 0


def run_left(meter: Meter, total: int, phase: str) -> tuple[int | None, EtaReason | None]:
    """Seconds until the end of the run, not of its copy alone; or None and the reason why no number is shown."""
    if is_verifying(phase, meter.to_verify):
        return time_left(meter, meter.to_verify)
    left, reason = time_left(meter, total)
    if meter.to_verify > meter.verified and reason in (None, "finalizing"):
        return None, "verification"
    return left, reason


def spread(meter: Meter, left: int, past: float | None = None) -> tuple[int, int] | None:
    """The least and the most seconds that a time left of `left` may come to, in four of five runs.

    `past` is by which share of the truth four of five estimates of the machine's earlier runs were off at most.
    None where it is not known and too few marks tell.
    """
    own = _own_spread(meter, left)
    if past is not None:
        share = max(past, LEAST_SPREAD, own or 0.0)
    elif own is not None:
        age = meter.spacing * len(meter.marks)
        share = max(own, LEAST_SPREAD + UNSEEN * math.exp(-age / UNSEEN_TIME))
    else:
        return None
    share = min(share, MOST_SPREAD)
    return math.floor(left / (1 + share)), math.ceil(left / (1 - share))


def _own_spread(meter: Meter, left: int) -> float | None:
    """By which share the rest of the run may differ, as its own marks tell; None where these are too few."""
    if meter.first is None or len(meter.marks) <= min(_STUDENT):
        return None
    done = (meter.first.bytes, *meter.marks)
    rates = [(after - before) / meter.spacing for before, after in pairwise(done)]
    count, mean = len(rates), (done[-1] - done[0]) / meter.spacing / len(rates)
    off = [rate - mean for rate in rates]
    squares = sum(one * one for one in off)
    if mean <= 0:
        return None
    clinging = sum(one * other for one, other in pairwise(off)) / squares if squares else 0.0
    clinging = min(max(clinging + 1.5 / count, 0.0), 0.8)  # of few values it comes out too low
    worth = (1 - clinging) / (1 + clinging)
    to_come = max(left / meter.spacing, 0.5)
    deviation = math.sqrt(squares / (count - 1) * (1 / count + 1 / to_come) / worth)
    freedom = max(round(count * worth) - 1, min(_STUDENT))
    return _STUDENT[freedom] * deviation / mean
