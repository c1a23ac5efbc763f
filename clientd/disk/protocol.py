"""Protocol: what a disk must be able to do. Blocking calls, made from worker threads, several at once."""

from collections.abc import Iterable
from typing import Protocol

from clientd.core.extents import Extent


class Disk(Protocol):
    """An open disk, as a source or as a target.

    Every call but `close` may come from several threads at once. Every failure is a DiskError that names
    operation and offset. Offsets and lengths are bytes; nothing reaches beyond `size`.
    """

    @property
    def path(self) -> str:
        """Its name, for people."""
        ...

    @property
    def size(self) -> int:
        """Its bytes, fixed when it was opened."""
        ...

    @property
    def fresh(self) -> bool:
        """As it was opened, it reads as zeros everywhere: holes need no work."""
        ...

    def extents(self, offset: int, length: int) -> Iterable[Extent]:
        """What of the range holds data and what reads as zeros, as far as the disk can tell; else all data."""
        ...

    def measure(self) -> int:
        """Its bytes as of now: others than `size` where somebody has cut it or written on."""
        ...

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fills the whole view from the offset on. An end before that is an error: the disk has shrunk."""
        ...

    def write(self, offset: int, view: memoryview) -> None:
        """Writes the whole view. It has completed when this returns, and is durable after `flush`."""
        ...

    def zero(self, offset: int, length: int) -> None:
        """Makes the range read as zeros, as a hole where the disk can."""
        ...

    def settle(self, offset: int, length: int) -> None:
        """A hint that the range is written and may go to stable storage; returns without waiting for it."""
        ...

    def flush(self) -> None:
        """Returns when everything written so far is on stable storage."""
        ...

    def close(self) -> None:
        """Lets go of it, once. Does not flush. No other call may be under way but one that was given up on.

        After a DiskError it is let go of all the same.
        """
        ...


class Disks(Protocol):
    """Opens disks by the names of an order."""

    def source(self, name: str) -> Disk:
        """Opened for reading, never writable. Raises DiskError."""
        ...

    def target(self, name: str, size: int) -> Disk:
        """Opened for writing, made or cut to `size` where it can be. Raises DiskError."""
        ...
