"""Asks: what goes to the writer besides telemetry, and the two ends of the queue as actors see them."""

from typing import Protocol

import msgspec

from sendensed.core.batch import Cancel, Intent, Silence


class Beat(msgspec.Struct, frozen=True):
    """A proof of hearing: it goes through the queue like an update, and asks the store for its time."""


Ask = Silence | Cancel | Beat


class Inbox(Protocol):
    """The writer's end."""

    def receive_nowait(self) -> Intent | Beat:
        """The oldest. Raises trio.WouldBlock, trio.EndOfChannel."""

    async def receive(self) -> Intent | Beat:
        """The oldest, once there is one. Raises trio.EndOfChannel."""


class Outbox(Protocol):
    """The other end, for those who may wait."""

    async def send(self, item: Ask, /) -> None:
        """Returns when there was room."""
