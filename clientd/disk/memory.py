"""Memory: a disk that is a bytearray. A real implementation: tests and simulations copy to and from it."""

import errno
import itertools
import os
import threading
from collections.abc import Iterator, Sequence

from clientd.core import extents
from clientd.core.extents import Extent
from clientd.disk.direct import DirectLane
from clientd.errors import DiskError

PAGE = 4096


class MemoryDisk:
    """Keeps which pages were never written, and so are holes; and what of it was flushed.

    `dirty` is its dirty bitmap, if it has one, whatever the name; `version` stands for its content.

    `fresh` says of a target that it began as zeros.

    `content` may be changed from outside; `closed` and `flushed` (the content as of the last flush) may be read.
    """

    def __init__(
        self,
        content: bytes | bytearray,
        path: str = "memory",
        *,
        fresh: bool = False,
        dirty: Sequence[Extent] | None = None,
        version: str | None = "1",
    ) -> None:
        self.content = bytearray(content)
        self.flushed: bytes | None = None
        self.closed = False
        self._path = path
        self._size = len(content)
        self.fresh = fresh
        self._dirty = dirty
        self._version = version
        self._lock = threading.Lock()
        pages = -(-len(content) // PAGE)
        self._written = [not fresh and any(self.content[at * PAGE : (at + 1) * PAGE]) for at in range(pages)]

    @property
    def path(self) -> str:
        """Its name."""
        return self._path

    @property
    def size(self) -> int:
        """Bytes it was made with."""
        return self._size

    @property
    def block(self) -> int:
        """Any byte."""
        return 1

    @property
    def identity(self) -> str:
        """Its name and size."""
        return f"memory={self._path} size={self._size}"

    @property
    def version(self) -> str | None:
        """As it was made with."""
        return self._version

    @property
    def request(self) -> int:
        """There is no server."""
        return 0

    @property
    def far(self) -> bool:
        """There is no server."""
        return False

    @property
    def network(self) -> float:
        """There is no server."""
        return 0.0

    @property
    def said(self) -> str:
        """Nothing: there is no server of its own."""
        return ""

    def lane(self) -> DirectLane:
        """Onto the one content."""
        return DirectLane(self)

    @property
    def allocated(self) -> int:
        """Bytes of pages that hold something, as a sparse file's blocks."""
        return sum(self._written) * PAGE

    def extents(self, offset: int, length: int) -> Iterator[Extent]:
        """Runs of written and of never written pages."""
        stop = min(offset + length, self._size)
        pages = range(offset // PAGE, -(-stop // PAGE))
        for written, run in itertools.groupby(pages, self._written.__getitem__):
            members = list(run)
            start, end = max(members[0] * PAGE, offset), min((members[-1] + 1) * PAGE, stop)
            yield Extent(start, end - start, zero=not written)

    def changed(self, offset: int, length: int) -> list[Extent] | None:
        """Of the dirty bitmap it was made with."""
        return None if self._dirty is None else extents.clip(self._dirty, offset, length)

    def measure(self) -> int:
        """Of the content, as it is now."""
        return len(self.content)

    def read_into(self, offset: int, view: memoryview) -> None:
        """Copies out."""
        with self._lock:
            there = self.content[offset : offset + len(view)]
        if len(there) < len(view):
            end = offset + len(there)
            cause = f"it ends there, though it had {self._size} bytes when the copy began"
            raise DiskError(self._path, "reading", end, cause)
        view[:] = there

    def write(self, offset: int, view: memoryview) -> None:
        """Copies in."""
        if offset + len(view) > self._size:
            raise DiskError(self._path, "writing", self._size, "ENOSPC (No space left on device)")
        with self._lock:
            self.content[offset : offset + len(view)] = view
            self._mark(offset, len(view), written=True)

    def zero(self, offset: int, length: int) -> None:
        """Overwrites with zeros; whole pages become holes again."""
        with self._lock:
            self.content[offset : offset + length] = bytes(length)
            first = -(-offset // PAGE) * PAGE
            last = offset + length if offset + length == self._size else (offset + length) // PAGE * PAGE
            if first < last:
                self._mark(first, last - first, written=False)

    def settle(self, offset: int, length: int) -> None:
        """Nothing to begin."""

    def flush(self) -> None:
        """Remembers the content as durable."""
        with self._lock:
            self.flushed = bytes(self.content)

    def renew(self) -> None:
        """There is no connection to lose."""

    def forget(self) -> None:
        """Nothing is cached."""

    def close(self) -> None:
        """Marks it closed."""
        self.closed = True

    def _mark(self, offset: int, length: int, *, written: bool) -> None:
        for page in range(offset // PAGE, -(-(offset + length) // PAGE)):
            self._written[page] = written


class MemoryDisks:
    """Opens memory disks by name; unknown targets are made fresh, of the size asked for."""

    def __init__(self, **disks: MemoryDisk) -> None:
        self.disks = disks

    def source(self, name: str, bitmap: str = "") -> MemoryDisk:
        """The disk of that name."""
        return self._known(name)

    def target(self, name: str, size: int, *, keep: bool = False) -> MemoryDisk:
        """The disk of that name, or a new one. One that is kept must be there, and is not fresh any more."""
        if not keep:
            self.disks.setdefault(name, MemoryDisk(bytes(size), name, fresh=True))
        disk = self._known(name)
        disk.fresh = disk.fresh and not keep
        if disk.size < size:
            raise DiskError.too_small(name, disk.size, size)
        return disk

    def command(self, arguments: Sequence[str], secret: str, bitmap: str = "") -> MemoryDisk:
        """The disk that the last argument names."""
        return self._known(arguments[-1])

    def _known(self, name: str) -> MemoryDisk:
        try:
            return self.disks[name]
        except KeyError:
            raise DiskError.of(
                FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), name, "opening"
            ) from None
