"""Lag: by how much the event loop is behind, which is how long everybody waits for his turn."""

import trio

_EVERY = 0.1
"""Seconds between two looks."""
_FORGET = 0.5
"""How much of an old lag is left at the next look: one hiccup is over within a second."""


class Lag:
    """Measured by a task that asks to be woken at a time and sees when it is."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def run(self) -> None:
        """Measures until it is cancelled."""
        while True:
            due = trio.current_time() + _EVERY
            await trio.sleep_until(due)
            self.seconds = max(trio.current_time() - due, self.seconds * _FORGET)
