"""Protocol: what a disk must be able to do. Blocking calls, made from worker threads, several at once."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from clientd.core.extents import Extent


class Pending(Protocol):
    """A request that was begun."""

    def wait(self) -> None:
        """Returns when it has completed. Raises DiskError where it failed. To be called once."""
        ...


class Lane(Protocol):
    """One worker's own way to a disk: for one thread at a time, with several requests under way at once.

    Requests complete in any order. A view that is read into is the lane's until its request has completed; one
    that is written is the caller's again when `write` returns: what fails is read anew. After a DiskError that
    is `passing` the lane may be broken: everything begun on it must be waited for, and fails; then
    `restore` makes it usable again, if that is possible without losing what has completed: a target that was
    lost is only brought back by `Disk.renew`.
    """

    def room(self, requests: int, size: int) -> bool:
        """Whether another request is worth beginning while so many, with so many bytes of data, are under way."""
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
        """Makes a broken lane usable again; one that is not broken stays as it is. Raises DiskError."""
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
    def block(self) -> int:
        """Smallest unit of a request in bytes, a power of two: offsets and lengths are multiples of it."""
        ...

    @property
    def identity(self) -> str:
        """Which disk this is, as far as it can be told: text, only to be compared."""
        ...

    @property
    def version(self) -> str | None:
        """What changes whenever a source's content does: text, only to be compared. None where none is known."""
        ...

    @property
    def request(self) -> int:
        """Bytes of a request that suit the server behind it best; 0 without one."""
        ...

    @property
    def far(self) -> bool:
        """The server behind it takes its time to answer: several requests have to be under way."""
        ...

    @property
    def network(self) -> float:
        """Seconds that its lanes have spent so far moving bytes to or from a server, summed; 0.0 without one."""
        ...

    @property
    def said(self) -> str:
        """Last words of a server of its own, to be told with an error; '' where it has none."""
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

    def renew(self) -> None:
        """Makes a disk usable again whose connection was lost, once all its lanes are closed. Raises DiskError.

        What was not flushed before may be lost with the connection.
        """
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

    def command(self, arguments: Sequence[str], secret: str, bitmap: str = "") -> Disk:
        """What an nbdkit serves that is started for it, and ended when the disk is closed. Raises DiskError.

        `secret` is a file whose descriptor's number takes the place of `{secret}` in the arguments, '' is none.
        """
        ...

    def target(self, name: str, size: int, *, keep: bool = False) -> Disk:
        """Opened for writing, made or cut to `size` where it can be. With `keep` it must be there, and keeps its
        content. Raises DiskError.
        """
        ...
