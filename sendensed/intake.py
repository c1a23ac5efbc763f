"""Intake: the queue before the writer, which conflates before it refuses; `core/conflate.py` says what gives way.

Telemetry never waits to get in: it is taken or refused at once. The reaper's questions and the hub's beats wait.
"""

from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

import trio

from sendensed.core.batch import Post
from sendensed.core.conflate import Room, Waiting

T = TypeVar("T")


class Intake(Generic[T]):
    """Any number of senders, one receiver at a time. `T` is what goes through besides telemetry."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._waiting = Waiting[T](room)
        self._closed = False
        self._filled = trio.Event()
        self._senders = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._waiting)

    def __enter__(self) -> "Intake[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1."""
        return self._waiting.fill

    @property
    def is_full(self) -> bool:
        """Whether there is room for ends of jobs only."""
        return self._waiting.is_full

    def close(self) -> None:
        """No more will come; the receiver still gets what is there."""
        self._closed = True
        self._filled.set()
        self._senders.unpark_all()

    def offer(self, post: Post, size: int) -> bool:
        """Takes an update of so many bytes; False where there is no room. Raises trio.ClosedResourceError."""
        self._check_open()
        taken = self._waiting.offer(post, size) != "full"
        self._filled.set()
        return taken

    def send_nowait(self, item: T) -> None:
        """Takes what is no telemetry. Raises trio.WouldBlock where it is full, trio.ClosedResourceError."""
        self._check_open()
        if len(self._waiting) >= self.room.count:
            raise trio.WouldBlock
        self._waiting.put(item)
        self._filled.set()

    async def send(self, item: T) -> None:
        """Takes what is no telemetry, once there is room. Raises trio.ClosedResourceError."""
        await trio.lowlevel.checkpoint()
        while True:
            try:
                self.send_nowait(item)
            except trio.WouldBlock:
                await self._senders.park()
            else:
                return

    def receive_nowait(self) -> Post | T:
        """The oldest. Raises trio.WouldBlock where nothing waits, trio.EndOfChannel where nothing more will."""
        if not len(self._waiting):
            raise trio.EndOfChannel if self._closed else trio.WouldBlock
        if self._senders:
            self._senders.unpark()
        return self._waiting.take()

    async def receive(self) -> Post | T:
        """The oldest, once there is one. Raises trio.EndOfChannel. Cancelled, it takes nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            item = self.receive_nowait()
        except trio.WouldBlock:
            return await self._wait()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return item

    async def _wait(self) -> Post | T:
        while True:
            self._filled = trio.Event()
            await self._filled.wait()
            with suppress(trio.WouldBlock):  # somebody else was quicker
                return self.receive_nowait()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError
