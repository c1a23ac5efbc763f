"""Direct: the lane of a disk whose calls complete at once."""

from typing import Protocol


class Direct(Protocol):
    """What such a disk must be able to do, from several threads at once."""

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fills the whole view."""
        ...

    def write(self, offset: int, view: memoryview) -> None:
        """Writes the whole view."""
        ...

    def zero(self, offset: int, length: int) -> None:
        """Makes the range read as zeros."""
        ...


class Done:
    """A request that had completed when it was begun."""

    __slots__ = ()

    def wait(self) -> None:
        """Returns at once."""


DONE = Done()


class DirectLane:
    """Nothing but the disk itself: there is no connection to lose."""

    def __init__(self, disk: Direct) -> None:
        self._disk = disk

    def room(self, requests: int, size: int) -> bool:
        """One at a time: it completes as it begins."""
        return not requests

    def read(self, offset: int, view: memoryview) -> Done:
        """Has read when it returns."""
        self._disk.read_into(offset, view)
        return DONE

    def write(self, offset: int, view: memoryview) -> Done:
        """Has written when it returns."""
        self._disk.write(offset, view)
        return DONE

    def zero(self, offset: int, length: int) -> Done:
        """Has zeroed when it returns."""
        self._disk.zero(offset, length)
        return DONE

    def restore(self) -> None:
        """Nothing is to be restored."""

    def close(self) -> None:
        """Nothing is to be let go of."""
