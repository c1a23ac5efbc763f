"""Telling: what the hub is told of a running job: events in order first, then the newest progress.

What the hub answers decides what happens next, never what the copy does, with one exception: a command.
"""

from collections.abc import Callable

import structlog
import trio

from clientd.core.outbox import LAST, Outbox, Position, Update
from clientd.latest import Latest
from schemas.telemetry import Acknowledgement

log = structlog.get_logger()


class Delivery:
    """What has come of the sending so far; `heard` is set once the hub has answered. Survives a cancellation."""

    def __init__(self) -> None:
        self.sent = 0
        self.end_known = False
        self.superseded = False
        self.heard = trio.Event()


class Telling:
    """A sender.Supply. `stop` is called with a reason when the hub wants the job to end.

    The outbox may begin with events of the job's earlier attempts; their answers end nothing but themselves.
    """

    def __init__(
        self,
        attempt: int,
        newest: Latest[Update],
        outbox: Outbox,
        stop: Callable[[str], None],
        delivery: Delivery,
    ) -> None:
        self._attempt = attempt
        self._newest = newest
        self._outbox = outbox
        self._stop = stop
        self._delivery = delivery
        self._done_with: Position = (0, 0)
        self._held: Update | None = None

    async def next(self) -> Update | None:
        """The oldest event, else progress that no event has overtaken. None at the end, or once superseded."""
        while not self._delivery.superseded:
            self._held = self._newest.take_nowait() or self._held
            if self._held is not None and self._held.position <= self._done_with:
                self._held = None
            update = self._outbox.head() or self._held
            if update is not None:
                return update
            try:
                self._held = await self._newest.take()
            except trio.EndOfChannel:
                return None
        return None

    def acknowledged(self, update: Update, answer: Acknowledgement, *, unanswered: bool) -> None:
        """Forgets it, and does as the hub commands."""
        self._forget(update.position)
        self._delivery.sent += 1
        self._delivery.heard.set()
        if answer.command == "superseded":
            self._superseded(update, answer)
        elif update.attempt == self._attempt:
            if update.final:
                self._end(update, answer, unanswered)
            if answer.command == "cancel":
                self._stop("cancelled at the hub")

    def refused(self, update: Update, reason: str) -> None:
        """Sets it aside, where it is an event."""
        self._outbox.set_aside(update, reason)
        self._forget(update.position)

    @property
    def ending(self) -> bool:
        """The job has ended."""
        return self._newest.closed

    async def wait_ending(self) -> None:
        """For the job's end."""
        await self._newest.wait_closed()

    @property
    def meanwhile(self) -> str:
        """The copy waits for no hub."""
        return "the job has ended and waits for it" if self.ending else "the copy goes on"

    def _forget(self, position: Position) -> None:
        self._done_with = max(self._done_with, position)
        self._outbox.forget(position)

    def _superseded(self, update: Update, answer: Acknowledgement) -> None:
        self._forget((update.attempt, LAST))
        if update.attempt == self._attempt:
            log.error("superseded by a newer attempt of this job, stopping", reason=answer.reason)
            self._delivery.superseded = True
            self._stop("superseded by a newer attempt")

    def _end(self, update: Update, answer: Acknowledgement, unanswered: bool) -> None:
        """The end that the hub has is the one told: applied now, or by a try before whose answer was lost."""
        cancelled_there = answer.command == "cancel" and update.body.status == "cancelled"
        if answer.applied or unanswered or cancelled_there:
            self._delivery.end_known = True
        else:
            again = f"run it again with --attempt {update.attempt + 1}"
            log.error(f"the hub already has a later state of this attempt: {again}", reason=answer.reason)
