"""Tally: the counters that worker threads raise and the aggregator reads, without a lock.

Each worker has ints of its own and is their only writer; reading one is atomic. So a sum may be a chunk behind,
never ahead, and the copy path never waits for whoever looks.
"""

from clientd.core.progress import Count


class WorkerTally:
    """One worker's bytes. `examined` is raised before `copied`, so their order holds in every look."""

    __slots__ = ("copied", "examined")

    def __init__(self) -> None:
        self.examined = 0
        self.copied = 0


class DiskTally:
    """One disk's: its workers' sums, and what its last flush made durable."""

    def __init__(self) -> None:
        self._workers: list[WorkerTally] = []
        self._durable = 0

    def worker(self) -> WorkerTally:
        """A fresh one for another worker."""
        tally = WorkerTally()
        self._workers.append(tally)
        return tally

    def flushed(self) -> None:
        """What is copied by now is durable. To be called with no worker under way."""
        self._durable = self.read().copied

    def read(self) -> Count:
        """The sums as of now."""
        copied = sum(worker.copied for worker in self._workers)
        return Count(sum(worker.examined for worker in self._workers), copied, self._durable)
