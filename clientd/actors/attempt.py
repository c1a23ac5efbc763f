"""Attempt: what the queue needs to have a job carried out, as the daemon's map gives it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from clientd.core.order import Order
from clientd.core.queue import Ending
from schemas.telemetry import TelemetryBody


class Attempt(Protocol):
    """One attempt at a job, begun: its number is taken for ever."""

    @property
    def number(self) -> int:
        """From 1 on."""
        ...

    async def run(self, show: Callable[[TelemetryBody], None], ended: Callable[[], None]) -> None:
        """Copies and tells the hub. `show` hears of progress, the last time of the end; then `ended` is called.

        Returns when the disks are let go of. Raises UsageError, before anything is touched, for an order that can
        no longer be carried out. Cancellation stops the copy and tells the hub nothing.
        """
        ...

    def stop(self, reason: str) -> None:
        """Ends it, `cancelled`, for this reason."""
        ...

    async def tell(self, status: Ending, error: str) -> None:
        """Tells the hub this end instead of running. Returns when the hub knows, or the spool has it."""
        ...


Begin = Callable[[Order], Awaitable[Attempt]]
"""The next attempt at a job."""
Check = Callable[[Order], Awaitable[None]]
"""Raises UsageError for an order that cannot be carried out. Ends by itself within a bound."""
