"""Latest: a mailbox with room for one. A newer value takes the place of one not yet taken.

Whoever puts never waits: this is the word for news of which only the newest counts.
"""

from types import TracebackType
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Latest(Generic[T]):
    """Any number of writers, one reader. Closing it lets the reader have the last value, then ends it."""

    def __init__(self) -> None:
        self._waiting: list[T] = []
        self._changed = trio.Event()
        self._closed = trio.Event()

    def put(self, value: T) -> None:
        """Leaves the value, in place of an older one. Raises trio.ClosedResourceError once closed."""
        if self._closed.is_set():
            raise trio.ClosedResourceError
        self._waiting = [value]
        self._changed.set()

    def take_nowait(self) -> T | None:
        """The value, if there is one that was not taken yet."""
        return self._waiting.pop() if self._waiting else None

    async def take(self) -> T:
        """Waits for the value. Raises trio.EndOfChannel when the mailbox is closed and empty.

        Cancellation takes nothing.
        """
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._closed.is_set():
                raise trio.EndOfChannel
            self._changed = trio.Event()
            await self._changed.wait()
        return self._waiting.pop()

    @property
    def closed(self) -> bool:
        """Nothing new will come."""
        return self._closed.is_set()

    async def wait_closed(self) -> None:
        """Returns once it is closed, whether or not a value still waits."""
        await self._closed.wait()

    def close(self) -> None:
        """No more values. What waits can still be taken. Closing twice is closing once."""
        self._closed.set()
        self._changed.set()

    def __enter__(self) -> "Latest[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
