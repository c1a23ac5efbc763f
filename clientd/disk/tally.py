"""Tally: the counters that worker threads raise and the aggregator reads, without a lock.

Each worker has numbers of its own and is their only writer; reading one is atomic. So a sum may be a chunk behind,
never ahead, and the copy path never waits for whoever looks.
"""

from clientd.core.progress import Busy, Count
from clientd.disk.protocol import Disk
from clientd.disk.work import Work


class WorkerTally:
    """One worker's bytes, and the seconds it spent on its source and on its target.

    `examined` is raised before `copied`, so their order holds in every look.
    """

    __slots__ = ("copied", "examined", "reading", "writing")

    def __init__(self) -> None:
        self.examined = 0
        self.copied = 0
        self.reading = 0.0
        self.writing = 0.0


class DiskTally:
    """One disk's: its workers' sums, and what its last flush made durable."""

    def __init__(self) -> None:
        self._workers: list[WorkerTally] = []
        self._base = 0
        self._durable = 0
        self._past = Busy()
        self._disks: tuple[Disk, Disk] | None = None
        self._network = (0.0, 0.0)
        self._passes: list[Work] = []

    def begin(self, source: Disk, target: Disk, done: int) -> None:
        """The copy begins, for the first time or again, with `done` bytes durable. With no worker under way."""
        self._past = self._busy()
        self._disks = (source, target)
        self._network = (source.network, target.network)
        self._workers, self._base, self._durable = [], done, done
        self._passes = []

    def watch(self, work: Work) -> None:
        """A pass over the disk begins. The first after `begin` copies, any other reads the target again."""
        self._passes.append(work)

    def worker(self) -> WorkerTally:
        """A fresh one for another worker."""
        tally = WorkerTally()
        self._workers.append(tally)
        return tally

    def flushed(self, copied: int) -> None:
        """So much is durable by now."""
        self._durable = copied

    def read(self) -> Count:
        """The sums as of now."""
        copied = self._base + sum(worker.copied for worker in self._workers)
        examined = self._base + sum(worker.examined for worker in self._workers)
        verified = sum(work.done for work in self._passes[1:])
        return Count(examined, copied, self._durable, self._busy(), verified)

    def _busy(self) -> Busy:
        """What the workers' time went into so far. Bytes on their way over a network are neither disk's."""
        if self._disks is None:
            return self._past
        source, target = self._disks
        reading = sum(worker.reading for worker in self._workers)
        writing = sum(worker.writing for worker in self._workers)
        from_source = min(source.network - self._network[0], reading)
        to_target = min(target.network - self._network[1], writing)
        return Busy(
            self._past.read + reading - from_source,
            self._past.write + writing - to_target,
            self._past.network + from_source + to_target,
        )
