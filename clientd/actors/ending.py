"""Ending: the way of a job to its end, begun by whoever comes first: a stop, or a disk that failed."""

import trio

from clientd.core import job as state


class Ending:
    """`begin` stops the copy, which runs in `scope`; `tell` sends the end, once. `begun` is set by the first."""

    def __init__(self, outbox: trio.MemorySendChannel[state.Event]) -> None:
        """`outbox` has room for the end."""
        self.scope = trio.CancelScope()
        self.begun = trio.Event()
        self._outbox = outbox
        self._reason: str | None = None
        self._told = False

    def begin(self, reason: str | None = None) -> None:
        """For this reason, where somebody stopped it. The first reason counts."""
        self._reason = self._reason or reason
        self.begun.set()
        self.scope.cancel()

    def tell(self) -> None:
        """Nothing more will happen."""
        if not self._told:
            self._told = True
            self._outbox.send_nowait(state.JobEnded(self._reason))
