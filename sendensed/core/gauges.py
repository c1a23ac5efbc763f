"""Gauges: what a hub measures of itself, for its health and its metrics. Nothing is kept per job.

How long things take is kept twice: in a histogram since the start, for metrics, and in the histograms of this
and the last period, so that a figure of now forgets what was.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from schemas.job import State, Voice
from sendensed.core.model import Event, Job

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms' buckets, seconds; a last bucket has none."""
PERIOD = 60.0
"""Seconds after which the recent values of a timing begin anew: they are one to two minutes old at the most."""


class Histogram:
    """Counts by bucket, and the sum of all values."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """One more value, in seconds."""
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.sum += value


def quantile(histograms: Iterable[Histogram], share: float) -> float | None:
    """The value that `share` of all values do not exceed, as far as buckets tell; None where there are none."""
    counts = [sum(column) for column in zip(*(one.counts for one in histograms), strict=True)]
    wanted = share * sum(counts)
    below = 0.0
    for count, bound in zip(counts, BOUNDS, strict=False):
        if count and wanted <= count:
            return float(below + (bound - below) * wanted / count)
        wanted -= count
        below = bound
    return below if any(counts) else None


class Timing:
    """How long one kind of work takes."""

    def __init__(self) -> None:
        self.total = Histogram()
        self._recent = (Histogram(), Histogram())
        self._until = 0.0

    def add(self, at: float, values: Iterable[float]) -> None:
        """Takes values measured at the moment `at`, monotonic seconds."""
        now = self._turned(at)
        for value in values:
            now.add(value)
            self.total.add(value)

    def mean(self, at: float) -> float | None:
        """The recent mean, or None."""
        self._turned(at)
        count = sum(sum(one.counts) for one in self._recent)
        return sum(one.sum for one in self._recent) / count if count else None

    def percentile(self, at: float, share: float) -> float | None:
        """What `share` of the recent values do not exceed, or None."""
        self._turned(at)
        return quantile(self._recent, share)

    def _turned(self, at: float) -> Histogram:
        if at >= self._until:
            late = at >= self._until + PERIOD
            self._recent = (Histogram() if late else self._recent[1], Histogram())
            self._until = at + PERIOD
        return self._recent[1]


class Gauges:
    """All of it. `started_at` is monotonic seconds, as is every `at`."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.delay = Timing()
        self.batch = Timing()
        self.database = Timing()
        self.batched = 0
        self.copied_bytes = 0
        self.flips: Counter[tuple[Voice, State]] = Counter()
        self._sizes: list[int] = []

    def committed(self, at: float, size: int, seconds: float, delays: Iterable[float]) -> None:
        """A batch of `size` jobs was committed within `seconds`; `delays` are its updates', arrival to commit."""
        self.batched += size
        self.batch.add(at, (seconds,))
        self.delay.add(at, delays)
        self._sizes = [*self._sizes[-99:], size]

    def changed(self, before: Job | None, job: Job, events: Iterable[Event]) -> None:
        """A job was committed in the place of `before`."""
        same = before is not None and before.attempt == job.attempt
        self.copied_bytes += job.bytes_transferred - (before.bytes_transferred if before and same else 0)
        for event in events:
            if event.kind == "state":
                self.flips[event.said_by, event.status] += 1

    @property
    def batch_size(self) -> float | None:
        """Jobs in a batch, on average of the last 100."""
        return sum(self._sizes) / len(self._sizes) if self._sizes else None
