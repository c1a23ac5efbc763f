"""Disks: faults as values, and disk images as pictures.

A picture has one letter a block: `A0C-` is a block of As, one of written zeros, one of Cs, and a hole.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from clientd.core.extents import Extent
from clientd.disk.protocol import Disk, Lane, Pending
from clientd.errors import DiskError

BLOCK = 4096
_DOING = {
    "extents": "mapping",
    "measure": "measuring",
    "lane": "connecting to",
    "restore": "connecting to",
    "renew": "connecting to",
    "read": "reading",
    "write": "writing",
    "zero": "zeroing",
    "flush": "flushing",
    "close": "closing",
}


def content(picture: str, block: int = BLOCK) -> bytes:
    """The bytes of a picture."""
    return b"".join((b"\0" if each in "0-" else each.encode()) * block for each in picture)


def extents(picture: str, block: int = BLOCK) -> list[Extent]:
    """A picture's blocks as extents, one each: holes read as zeros, everything else is data."""
    return [Extent(at * block, block, zero=each == "-") for at, each in enumerate(picture)]


def base(disk: Disk) -> Disk:
    """The disk itself, without the faults around it."""
    return disk.base if isinstance(disk, FaultyDisk) else disk


class FaultyDisk:
    """A disk that fails where it is told to. A fault that was not used fails the test: see `check_all`."""

    made: ClassVar[list["FaultyDisk"]] = []

    def __init__(self, base: Disk) -> None:
        self.made.append(self)
        self.base = base
        self._faults: list[tuple[str, OSError, int]] = []

    def fail(self, call: str, error: OSError, times: int = 1) -> "FaultyDisk":
        """The next `times` calls of this method fail with the error; later ones go through."""
        self._faults.append((call, error, times))
        return self

    @property
    def unused(self) -> list[tuple[str, OSError, int]]:
        """Faults that nobody ran into."""
        return self._faults

    @classmethod
    def check_all(cls) -> None:
        """Raises AssertionError if any disk made since the last check has an unused fault."""
        unused = [(disk.path, disk.unused) for disk in cls.made if disk.unused]
        cls.made.clear()
        assert not unused, "faults that nobody ran into"

    @property
    def path(self) -> str:
        return self.base.path

    @property
    def size(self) -> int:
        return self.base.size

    @property
    def fresh(self) -> bool:
        return self.base.fresh

    @property
    def block(self) -> int:
        return self.base.block

    @property
    def identity(self) -> str:
        return self.base.identity

    @property
    def version(self) -> str | None:
        return self.base.version

    @property
    def request(self) -> int:
        return self.base.request

    @property
    def far(self) -> bool:
        return self.base.far

    @property
    def network(self) -> float:
        return self.base.network

    @property
    def said(self) -> str:
        return self.base.said

    def extents(self, offset: int, length: int) -> Iterable[Extent]:
        self._strike("extents", offset)
        return self.base.extents(offset, length)

    def measure(self) -> int:
        self._strike("measure", None)
        return self.base.measure()

    def lane(self) -> "FaultyLane":
        self._strike("lane", None)
        return FaultyLane(self.base.lane(), self._strike)

    def changed(self, offset: int, length: int) -> Iterable[Extent] | None:
        return self.base.changed(offset, length)

    def settle(self, offset: int, length: int) -> None:
        self.base.settle(offset, length)

    def flush(self) -> None:
        self._strike("flush", None)
        self.base.flush()

    def renew(self) -> None:
        self._strike("renew", None)
        self.base.renew()

    def forget(self) -> None:
        self.base.forget()

    def close(self) -> None:
        self.base.close()
        self._strike("close", None)

    def _strike(self, call: str, offset: int | None) -> None:
        for at, (faulty, error, times) in enumerate(self._faults):
            if faulty == call:
                self._faults[at : at + 1] = [(call, error, times - 1)] if times > 1 else []
                raise DiskError.of(error, self.base.path, _DOING[call], offset)


class FaultyLane:
    """A lane of a FaultyDisk: `read`, `write`, `zero` and `restore` fail as the disk was told."""

    def __init__(self, base: Lane, strike: Callable[[str, int | None], None]) -> None:
        self.base = base
        self._strike = strike

    def room(self, requests: int, size: int) -> bool:
        return self.base.room(requests, size)

    def read(self, offset: int, view: memoryview) -> Pending:
        self._strike("read", offset)
        return self.base.read(offset, view)

    def write(self, offset: int, view: memoryview) -> Pending:
        self._strike("write", offset)
        return self.base.write(offset, view)

    def zero(self, offset: int, length: int) -> Pending:
        self._strike("zero", offset)
        return self.base.zero(offset, length)

    def restore(self) -> None:
        self._strike("restore", None)
        self.base.restore()

    def close(self) -> None:
        self.base.close()


class GivenDisks:
    """Hands out the disks it was made with, of whatever kind."""

    def __init__(self, **disks: Disk) -> None:
        self.disks = disks

    def source(self, name: str, bitmap: str = "") -> Disk:
        return self._find(name)

    def command(self, arguments: Sequence[str], secret: str, bitmap: str = "") -> Disk:
        return self._find(arguments[-1])

    def target(self, name: str, size: int, *, keep: bool = False) -> Disk:
        disk = self._find(name)
        if disk.size < size:
            raise DiskError.too_small(name, disk.size, size)
        return disk

    def _find(self, name: str) -> Disk:
        if name not in self.disks:
            raise DiskError(name, "opening", None, "ENOENT (No such file or directory)", advice="check its path")
        return self.disks[name]
