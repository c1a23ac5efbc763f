"""Mailbox: *Latest*. Keyed by job, it keeps the newest value of each key; putting never waits.

What is behind grows wider, never longer: a slow reader skips intermediate values, never the last one.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

import trio

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Mailbox(Generic[K, V]):
    """One reader, any number of writers, one slot a key. Bounded by the number of live keys."""

    def __init__(self) -> None:
        self._slots: dict[K, V] = {}
        self._closed = False
        self._wake = trio.Event()

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, values: Mapping[K, V]) -> int:
        """Keeps these values, each in the place of an older one of its key; returns how many were. Never waits."""
        if not values:
            return 0
        held = len(self._slots)
        self._slots.update(values)
        self._wake.set()
        return held + len(values) - len(self._slots)

    def close(self) -> None:
        """No more will come; the reader still gets what is there."""
        self._closed = True
        self._wake.set()

    def drain(self) -> dict[K, V]:
        """Takes what is there, be it nothing. Never waits."""
        taken, self._slots = self._slots, {}
        return taken

    async def take(self) -> dict[K, V]:
        """Returns all that is there, once there is something.

        Raises trio.EndOfChannel when the mailbox is closed and empty. Cancellation takes nothing.
        """
        await trio.lowlevel.checkpoint()
        while not self._slots:
            if self._closed:
                raise trio.EndOfChannel
            self._wake = trio.Event()
            await self._wake.wait()
        return self.drain()
