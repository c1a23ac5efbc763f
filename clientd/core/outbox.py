"""Outbox: the updates that must arrive, in order, until the hub has them."""

from collections import deque
from typing import Protocol

import msgspec

from schemas.telemetry import TelemetryBody

FINAL = frozenset({"completed", "failed", "cancelled"})

CAPACITY = 16
"""Events of one attempt that may wait: its start, its phases and its end are fewer."""


class Update(msgspec.Struct, frozen=True):
    """A body and the moment it was made (seconds, monotonic). `sequence` orders the updates of a process."""

    sequence: int
    body: TelemetryBody
    made: float

    @property
    def final(self) -> bool:
        """It tells the job's end."""
        return self.body.status in FINAL

    def aged(self, now: float) -> TelemetryBody:
        """The body as it is sent, with the milliseconds it has waited."""
        return msgspec.structs.replace(self.body, age_ms=max(round((now - self.made) * 1000), 0))


class Outbox(Protocol):
    """Where events wait. Progress does not come here: of that only the newest counts."""

    def add(self, update: Update) -> None:
        """Behind the others. Must not block on the hub."""
        ...

    def head(self) -> Update | None:
        """The oldest one still waiting."""
        ...

    def forget(self, sequence: int) -> None:
        """Those up to this one are done with: the hub has a state at least as new, or never wants it."""
        ...


class MemoryOutbox:
    """Lives and dies with the process. `capacity` is every event its job can have, so it is never full."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: deque[Update] = deque()

    def add(self, update: Update) -> None:
        """Raises OverflowError beyond the capacity: then the job has events that nobody foresaw."""
        if len(self._waiting) >= self._capacity:
            raise OverflowError(f"more than {self._capacity} events wait for the hub")
        self._waiting.append(update)

    def head(self) -> Update | None:
        """The oldest one still waiting."""
        return self._waiting[0] if self._waiting else None

    def forget(self, sequence: int) -> None:
        """Drops all up to and with this sequence."""
        while self._waiting and self._waiting[0].sequence <= sequence:
            self._waiting.popleft()
