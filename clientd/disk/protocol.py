"""Protocol: what a disk must be able to do. Blocking calls, made from worker threads, several at once."""

from collections.abc import Iterable
from typing import Protocol

from clientd.core.extents import Extent


class Pending(Protocol):
    """A request that was begun."""

    def wait(self) -> None:
        """Returns when it has completed. Raises DiskError where it failed. To be called once."""
        ...


class Lane(Protocol):
    """One worker's own way to a disk: for one thread at a time, with several requests under way at once.

    Requests complete in any order; each view is the lane's until its request has completed. After a DiskError
    that is `passing` the lane may be broken: everything begun on it must be waited for, and fails; then
    `restore` makes it usable again.
    """

    @property
    def depth(self) -> int:
        """Requests that are worth having under way at once, 1 where each completes as it begins."""
        ...

    @property
    def network(self) -> float:
        """Seconds that this lane has spent so far moving bytes over a network."""
        ...

    def read(self, offset: int, view: memoryview) -> Pending:
        """Fills the whole view from the offset on. An end before that is an error: the disk has shrunk."""
        ...

    def write(self, offset: int, view: memoryview) -> Pending:
        """Writes the whole view. What has completed is durable after `Disk.flush`."""
        ...

    def zero(self, offset: int, length: int) -> Pending:
        """Makes the range read as zeros, as a hole where the disk can."""
        ...

    def restore(self) -> None:
        """Makes a broken lane usable again. Raises DiskError where that cannot be done now."""
        ...

    def close(self) -> None:
        """Lets go of it. Nothing is under way any more, or is given up on. Raises nothing."""
        ...


class Disk(Protocol):
    """An open disk, as a source or as a target.

    Every call but `close` may come from several threads at once. Every failure is a DiskError that names
    operation and offset. Offsets and lengths are bytes; nothing reaches beyond `size`.
    """

    @property
    def path(self) -> str:
        """Its name, for people: without secrets."""
        ...

    @property
    def size(self) -> int:
        """Its bytes, fixed when it was opened."""
        ...

    @property
    def fresh(self) -> bool:
        """As it was opened, it reads as zeros everywhere: holes need no work."""
        ...

    @property
    def identity(self) -> str:
        """What can be told of which disk this is, and for a source in which version: text, only to be compared."""
        ...

    def lane(self) -> Lane:
        """Another worker's way to it. Raises DiskError."""
        ...

    def extents(self, offset: int, length: int) -> Iterable[Extent]:
        """What of the range holds data and what reads as zeros, as far as the disk can tell; else all data."""
        ...

    def changed(self, offset: int, length: int) -> Iterable[Extent] | None:
        """What of the range the dirty bitmap, with which it was opened, marks; None where it has no such bitmap.

        Every extent is `zero=False`: only its place counts.
        """
        ...

    def measure(self) -> int:
        """Its bytes as of now: others than `size` where somebody has cut it or written on."""
        ...

    def settle(self, offset: int, length: int) -> None:
        """A hint that the range is written and may go to stable storage; returns without waiting for it."""
        ...

    def flush(self) -> None:
        """Returns when everything that had completed before is on stable storage."""
        ...

    def forget(self) -> None:
        """A hint that what is read next must come from the disk itself, not from a cache that can be dropped."""
        ...

    def close(self) -> None:
        """Lets go of it, once. Does not flush. No other call may be under way but one that was given up on.

        After a DiskError it is let go of all the same.
        """
        ...


class Disks(Protocol):
    """Opens disks by the names of an order."""

    def source(self, name: str, bitmap: str = "") -> Disk:
        """Opened for reading, never writable; with the dirty bitmap of that name where it has one.

        Raises DiskError.
        """
        ...

    def target(self, name: str, size: int, *, keep: bool = False) -> Disk:
        """Opened for writing, made or cut to `size` where it can be; with `keep`, its content stays.

        Raises DiskError.
        """
        ...
