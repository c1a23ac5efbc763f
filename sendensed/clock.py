"""Clock: the store's clock, carried forward on trio's. Every time the hub writes comes from here.

The wall clock of one machine steps and drifts; silence is measured by the database's clock, which all hubs
share. Each beat asks it once, and in between trio's monotonic clock counts on.
"""

import math
from datetime import datetime, timedelta

import trio

from schemas import codec


class Clock:
    """UTC, as the store tells it. Only inside trio."""

    def __init__(self, now: datetime) -> None:
        self._origin = now
        self._origin_at = trio.current_time()
        self._stamp = ""
        self._stamp_until = -math.inf

    def now(self) -> datetime:
        """The store's time, as far as known."""
        return self.at(trio.current_time())

    def at(self, moment: float) -> datetime:
        """The store's time at a moment of trio's clock."""
        return self._origin + timedelta(seconds=moment - self._origin_at)

    def stamp(self) -> str:
        """The same as RFC 3339 in whole seconds: one text a second, for all who are answered in it."""
        at = trio.current_time()
        if at >= self._stamp_until:
            now = self.now()
            self._stamp = codec.rfc3339(now)
            self._stamp_until = at + 1 - now.microsecond / 1e6
        return self._stamp

    def sync(self, now: datetime) -> float:
        """Takes the store's answer; returns by how many seconds the clock stepped."""
        step = (now - self.now()).total_seconds()
        self._origin, self._origin_at = now, trio.current_time()
        self._stamp_until = -math.inf
        return step
