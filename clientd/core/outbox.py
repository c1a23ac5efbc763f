"""Outbox: the updates that must arrive, in order, until the hub has them."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from clientd.core import moment
from clientd.core.moment import Moment
from schemas.telemetry import TelemetryBody

FINAL = frozenset({"completed", "failed", "cancelled"})

CAPACITY = 16
"""Events of one attempt that may wait: its start, its phases and its end are fewer."""

LAST = 2**62
"""A sequence behind all others: `(attempt, LAST)` is the end of an attempt."""

Position = tuple[int, int]
"""(attempt, sequence): the order of a job's updates, at the hub as well."""


class Update(msgspec.Struct, frozen=True):
    """A body and the moment it was made."""

    body: TelemetryBody
    made: Moment

    @property
    def attempt(self) -> int:
        """Of the job."""
        return self.body.attempt or 1

    @property
    def sequence(self) -> int:
        """Within the attempt."""
        return self.body.sequence or 0

    @property
    def position(self) -> Position:
        """Its place among the job's updates."""
        return self.attempt, self.sequence

    @property
    def final(self) -> bool:
        """It tells the attempt's end."""
        return self.body.status in FINAL

    def aged(self, now: Moment) -> TelemetryBody:
        """The body as it is sent, with the milliseconds it has waited."""
        return msgspec.structs.replace(self.body, age_ms=round(moment.age(self.made, now) * 1000))


class Refused(msgspec.Struct, frozen=True):
    """An update that the hub will never take, and why."""

    update: Update
    reason: str


class Outbox(Protocol):
    """Where a job's events wait. Progress does not come here: of that only the newest counts.

    Nothing here blocks: what keeps the events over the process's end follows behind.
    """

    def add(self, update: Update) -> None:
        """Behind the others."""
        ...

    def head(self) -> Update | None:
        """The oldest one still waiting."""
        ...

    def forget(self, position: Position) -> None:
        """Those up to this one are done with: the hub has a state at least as new."""
        ...

    def set_aside(self, update: Update, reason: str) -> None:
        """The hub will never take it: it is kept apart and not sent again."""
        ...

    def close(self) -> None:
        """The job goes on with it no more: what is left may be delivered by others."""
        ...

    async def kept(self) -> bool:
        """Waits until what it holds now is on stable storage; False where that fails. Callers bound the wait."""
        ...


class MemoryOutbox:
    """Lives and dies with the process. `capacity` is every event that can come, so it is never full."""

    def __init__(self, waiting: Sequence[Update] = (), capacity: int = CAPACITY) -> None:
        self._capacity = len(waiting) + capacity
        self._waiting = deque(waiting)
        self._aside: list[Refused] = []

    @property
    def waiting(self) -> tuple[Update, ...]:
        """All that wait, in order."""
        return tuple(self._waiting)

    @property
    def aside(self) -> tuple[Refused, ...]:
        """Those set aside."""
        return tuple(self._aside)

    def add(self, update: Update) -> None:
        """Raises OverflowError beyond the capacity: then the job has events that nobody foresaw."""
        if len(self._waiting) >= self._capacity:
            raise OverflowError(f"more than {self._capacity} events wait for the hub")
        self._waiting.append(update)

    def head(self) -> Update | None:
        """The oldest one still waiting."""
        return self._waiting[0] if self._waiting else None

    def forget(self, position: Position) -> None:
        """Drops all up to and with this position."""
        while self._waiting and self._waiting[0].position <= position:
            self._waiting.popleft()

    def set_aside(self, update: Update, reason: str) -> None:
        """Takes it from those that wait, if it is an event at all."""
        if update in self._waiting:
            self._waiting.remove(update)
            self._aside.append(Refused(update, reason))

    def close(self) -> None:
        """Nobody else can have it."""

    async def kept(self) -> bool:
        """Never."""
        return False
