"""Sender: carries updates to the hub, one at a time: events in order first, then the newest progress.

What the hub answers decides what happens next, never what the copy does, with one exception: a command.
"""

from collections.abc import Callable
from typing import Protocol

import structlog
import trio

from clientd.config import TelemetrySettings
from clientd.core.outbox import Outbox, Update
from clientd.core.retry import Backoff
from clientd.environment import Environment
from clientd.errors import HubDenied, HubRefused, HubUnavailable
from clientd.latest import Latest
from schemas import codec
from schemas.telemetry import Acknowledgement

log = structlog.get_logger()


class Hub(Protocol):
    """Where updates go."""

    async def push(self, job_type: str, job_id: str, content: bytes) -> Acknowledgement:
        """Returns the hub's acknowledgement. Raises HubUnavailable, HubDenied or HubRefused.

        Ends by itself within a bound. Cancellation leaves it unknown whether the hub has the update.
        """
        ...


class Delivery:
    """What has come of the sending so far. Survives the sender's cancellation."""

    def __init__(self) -> None:
        self.sent = 0
        self.end_known = False
        self.superseded = False


class Sender:
    """One job's. `stop` is called with a reason when the hub wants the job to end."""

    def __init__(
        self,
        newest: Latest[Update],
        outbox: Outbox,
        hub: Hub,
        stop: Callable[[str], None],
        delivery: Delivery,
        *,
        environment: Environment,
        settings: TelemetrySettings,
    ) -> None:
        self._newest = newest
        self._outbox = outbox
        self._hub = hub
        self._stop = stop
        self._delivery = delivery
        self._environment = environment
        self._settings = settings
        self._backoff = Backoff(settings.backoff_least, settings.backoff_most, settings.longest_retry_after)
        self._failures = 0
        self._trouble: type[Exception] | None = None
        self._unanswered = 0
        self._done_with = 0
        self._held: Update | None = None

    async def run(self) -> None:
        """Returns when `newest` is closed and all is delivered, refused or superseded.

        An update whose answer did not come is sent again, an event with the same sequence, progress as its
        newest. Cancellation keeps what the hub does not have in the outbox.
        """
        while (update := await self._next()) is not None:
            try:
                answer = await self._push(update)
            except HubRefused as error:
                log.error("update refused by the hub, dropped", sequence=update.sequence, error=str(error))
                self._answered()
                self._forget(update)
            except HubDenied as error:
                self._note("hub denies us", error)
                if self._newest.closed:
                    return
                await self._pause(self._settings.denied_retry, self._settings.final_retry)
            except HubUnavailable as error:
                self._unanswered = update.sequence
                going_on = "the job has ended and waits for it" if self._newest.closed else "the copy goes on"
                self._note(f"hub not reachable, {going_on}", error)
                delay = self._backoff.delay(self._failures, self._environment.random(), error.retry_after)
                asked = error.retry_after is not None
                await self._pause(delay, self._settings.final_retry_after if asked else self._settings.final_retry)
            else:
                await self._environment.failpoint("update.acknowledged")
                self._acknowledged(update, answer)
                if self._obey(answer):
                    return

    async def _next(self) -> Update | None:
        while True:
            self._held = self._newest.take_nowait() or self._held
            if self._held is not None and self._held.sequence <= self._done_with:
                self._held = None
            update = self._outbox.head() or self._held
            if update is not None:
                return update
            try:
                self._held = await self._newest.take()
            except trio.EndOfChannel:
                return None

    async def _push(self, update: Update) -> Acknowledgement:
        body = update.aged(trio.current_time())
        return await self._hub.push(body.job_type or "", body.job_id or "", codec.encode(body))

    def _acknowledged(self, update: Update, answer: Acknowledgement) -> None:
        self._answered()
        self._forget(update)
        self._delivery.sent += 1
        if update.final and self._is_ours(update, answer):
            self._delivery.end_known = True
        elif update.final and answer.command != "superseded":
            again = f"run it again with --attempt {(update.body.attempt or 1) + 1}"
            log.error(f"the hub already has a later state of this attempt: {again}", reason=answer.reason)

    def _is_ours(self, update: Update, answer: Acknowledgement) -> bool:
        """The end that the hub has is the one told: applied now, or by a try before whose answer was lost."""
        cancelled_there = answer.command == "cancel" and update.body.status == "cancelled"
        return answer.applied or update.sequence == self._unanswered or cancelled_there

    def _answered(self) -> None:
        if self._failures:
            log.info("hub reachable again", failures=self._failures)
        self._failures = 0
        self._trouble = None

    def _forget(self, update: Update) -> None:
        self._done_with = max(self._done_with, update.sequence)
        self._outbox.forget(update.sequence)

    def _obey(self, answer: Acknowledgement) -> bool:
        """True if nothing more is to be sent."""
        if answer.command == "cancel":
            self._stop("cancelled at the hub")
        elif answer.command == "superseded":
            log.error("superseded by a newer attempt of this job, stopping", reason=answer.reason)
            self._delivery.superseded = True
            self._stop("superseded by a newer attempt")
        return self._delivery.superseded

    def _note(self, what: str, error: Exception) -> None:
        """Says it once, until the hub answers again or the trouble is another."""
        self._failures += 1
        if self._trouble is not type(error):
            log.warning(what, error=str(error))
        self._trouble = type(error)

    async def _pause(self, seconds: float, most_at_end: float) -> None:
        """Waits. The job's end cuts a pause short, and those after it are bounded: little time is left then."""
        if not self._newest.closed:
            with trio.move_on_after(seconds):
                await self._newest.wait_closed()
            return
        await trio.sleep(min(seconds, most_at_end))
