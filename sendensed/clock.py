"""Clock: the store's clock, carried forward on trio's. Every time the hub writes comes from here.

The wall clock of one machine steps and drifts; silence is measured by the database's clock, which all hubs
share. Each beat asks it once, and in between trio's monotonic clock counts on.
"""

from datetime import datetime, timedelta

import trio


class Clock:
    """UTC, as the store tells it. Only inside trio."""

    def __init__(self, now: datetime) -> None:
        self._origin = now
        self._origin_at = trio.current_time()

    def now(self) -> datetime:
        """The store's time, as far as known."""
        return self._origin + timedelta(seconds=trio.current_time() - self._origin_at)

    def sync(self, now: datetime) -> float:
        """Takes the store's answer; returns by how many seconds the clock stepped."""
        step = (now - self.now()).total_seconds()
        self._origin, self._origin_at = now, trio.current_time()
        return step
