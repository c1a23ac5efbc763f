"""Pace: a limit of bytes per second, shared by all worker threads of a job.

Each taker books the next free stretch of time and waits until it ends, so that the workers queue up
fairly and none computes another's share. Waits end at once when the taker's stop is set.
"""

import threading
import time
from collections.abc import Callable

monotonic = time.monotonic  # noqa: TID251 - the one clock of worker threads
"""Seconds, for durations and deadlines in threads."""

_BURST = 0.1
"""Seconds of the rate that an idle job may catch up on."""


class Pace:
    """`rate` in bytes per second; 0 never waits. `clock` tells seconds, monotonic."""

    def __init__(self, rate: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()

    def take(self, amount: int, stop: threading.Event) -> bool:
        """Returns True when `amount` bytes may pass, False as soon as `stop` is set."""
        if not self.rate:
            return not stop.is_set()
        return not stop.wait(self.book(amount))

    def book(self, amount: int) -> float:
        """Books the stretch for `amount` bytes; returns the seconds until it ends, not less than 0."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - _BURST) + amount / self.rate
            return max(self._free_at - now, 0.0)
