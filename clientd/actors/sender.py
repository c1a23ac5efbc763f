"""Sender: carries updates to the hub, one at a time, as long as it takes.

What there is to send, and what an answer means for it, is the supply's: a running job's (actors/telling.py), or
what earlier processes left (actors/courier.py).
"""

from typing import Protocol

import structlog
import trio

from clientd.config import TelemetrySettings
from clientd.core.outbox import Position, Update
from clientd.core.retry import Backoff
from clientd.environment import Environment
from clientd.errors import HubDenied, HubRefused, HubUnavailable
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


class Supply(Protocol):
    """Updates in the order in which they are to be sent."""

    async def next(self) -> Update | None:
        """The one to send now, waiting for it; asked again, perhaps a newer one. None when there are no more."""
        ...

    def acknowledged(self, update: Update, answer: Acknowledgement, *, unanswered: bool) -> None:
        """The hub has a state at least as new. `unanswered`: an earlier try at it may have arrived as well."""
        ...

    def refused(self, update: Update, reason: str) -> None:
        """The hub will never take it."""
        ...

    @property
    def ending(self) -> bool:
        """Little time is left: pauses are short, and a hub that denies us is not waited for."""
        ...

    async def wait_ending(self) -> None:
        """Returns once that is so."""
        ...

    @property
    def meanwhile(self) -> str:
        """What goes on while the hub is away, for the log."""
        ...


class Sender:
    """One at a time over one hub."""

    def __init__(self, supply: Supply, hub: Hub, *, environment: Environment, settings: TelemetrySettings) -> None:
        self._supply = supply
        self._hub = hub
        self._environment = environment
        self._settings = settings
        self._backoff = Backoff(settings.backoff_least, settings.backoff_most, settings.longest_retry_after)
        self._failures = 0
        self._trouble: type[Exception] | None = None
        self._unanswered: tuple[str | None, Position] | None = None

    async def run(self) -> None:
        """Returns when the supply has no more, or when the hub denies us and little time is left.

        An update whose answer did not come is sent again, an event as it was, progress as its newest. Cancellation
        keeps what the hub does not have in the supply.
        """
        while (update := await self._supply.next()) is not None:
            await self._environment.failpoint("update.sending")
            name = update.body.job_id, update.position
            try:
                answer = await self._push(update)
            except HubRefused as error:
                log.error(
                    "update refused by the hub, set aside",
                    job_id=update.body.job_id,
                    sequence=update.sequence,
                    error=str(error),
                )
                self._answered()
                self._supply.refused(update, str(error))
            except HubDenied as error:
                self._note("hub denies us", error)
                if self._supply.ending:
                    return
                await self._pause(self._settings.denied_retry, self._settings.final_retry)
            except HubUnavailable as error:
                self._unanswered = name
                self._note(f"hub not reachable, {self._supply.meanwhile}", error)
                delay = self._backoff.delay(self._failures, self._environment.random(), error.retry_after)
                asked = error.retry_after is not None
                await self._pause(delay, self._settings.final_retry_after if asked else self._settings.final_retry)
            else:
                await self._environment.failpoint("update.acknowledged")
                self._answered()
                self._supply.acknowledged(update, answer, unanswered=name == self._unanswered)

    async def _push(self, update: Update) -> Acknowledgement:
        body = update.aged(self._environment.moment())
        return await self._hub.push(body.job_type or "", body.job_id or "", codec.encode(body))

    def _answered(self) -> None:
        if self._failures:
            log.info("hub reachable again", failures=self._failures)
        self._failures = 0
        self._trouble = None

    def _note(self, what: str, error: Exception) -> None:
        """Says it once, until the hub answers again or the trouble is another."""
        self._failures += 1
        if self._trouble is not type(error):
            log.warning(what, error=str(error))
        self._trouble = type(error)

    async def _pause(self, seconds: float, most_at_end: float) -> None:
        """Waits. The end's coming cuts a pause short, and those after it are bounded."""
        if not self._supply.ending:
            with trio.move_on_after(seconds):
                await self._supply.wait_ending()
            return
        await trio.sleep(min(seconds, most_at_end))
