"""Gauges: what a hub measures of itself, for its health and its metrics. Nothing is kept per job.

How long things take is kept twice: in a histogram since the start, for metrics, and in the histograms of this
and the last period, so that a figure of now forgets what was.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from schemas.job import State, Voice
from sendensed.core.model import Event, Job

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms' buckets, seconds; a last bucket has none."""
PERIOD = 60.0
"""Seconds after which the recent values of a timing begin anew: they are one to two minutes old at the most."""


class Histogram:
    """Counts by bucket, and the sum of all values."""

    def __init__(self, counts: Sequence[int] = (0,) * (len(BOUNDS) + 1), total: float = 0.0) -> None:
        self.counts = list(counts)
        self.sum = total

    def add(self, value: float) -> None:
        """One more value, in seconds."""
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.sum += value

    def mean(self) -> float | None:
        """The mean of all values; None where there are none."""
        count = sum(self.counts)
        return self.sum / count if count else None

    def quantile(self, share: float) -> float | None:
        """The value that `share` of all values do not exceed, as buckets tell it; None where there are none."""
        wanted = share * sum(self.counts)
        below = 0.0
        for count, bound in zip(self.counts, BOUNDS, strict=False):
            if count and wanted <= count:
                return float(below + (bound - below) * wanted / count)
            wanted -= count
            below = bound
        return below if any(self.counts) else None


def merged(histograms: Sequence[Histogram]) -> Histogram:
    """One with the values of all."""
    counts = [sum(column) for column in zip(*(one.counts for one in histograms), strict=True)]
    return Histogram(counts, sum(one.sum for one in histograms))


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

    def recent(self, at: float) -> Histogram:
        """The values of one to two periods before `at`."""
        self._turned(at)
        return merged(self._recent)

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
        self.viewer_skips = 0
        self.sizes: list[int] = []
        """Jobs in each of the last 100 batches."""

    def committed(self, at: float, size: int, seconds: float) -> None:
        """A batch of `size` jobs was committed within `seconds`."""
        self.batched += size
        self.batch.add(at, (seconds,))
        self.sizes = [*self.sizes[-99:], size]

    def answered(self, at: float, delays: Iterable[float]) -> None:
        """Updates are answered now; `delays` are from their arrival, by the store's clock, which may step back."""
        self.delay.add(at, [max(0.0, delay) for delay in delays])

    def changed(self, before: Job | None, job: Job, events: Iterable[Event]) -> None:
        """A job was committed in the place of `before`."""
        same = before is not None and before.attempt == job.attempt
        self.copied_bytes += job.bytes_transferred - (before.bytes_transferred if before and same else 0)
        for event in events:
            if event.kind == "state":
                self.flips[event.said_by, event.status] += 1
