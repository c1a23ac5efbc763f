"""Courier: delivers what earlier processes left in the spool: each attempt's events in order, the oldest first."""

import math
from collections.abc import Callable, Collection
from types import TracebackType

import structlog
import trio

from clientd.actors.keeper import Keeper, KeptOutbox
from clientd.config import TelemetrySettings
from clientd.core.outbox import LAST, Update
from schemas.telemetry import Acknowledgement

log = structlog.get_logger()


def nothing_resumes() -> Collection[str]:
    """No job goes on in another attempt by itself."""
    return ()


class Left:
    """A sender.Supply. With `once` it ends when nothing is left; without it looks again and again.

    `resuming` names the jobs whose interrupted attempts another one follows at once: they get no end.
    """

    def __init__(
        self,
        keeper: Keeper,
        settings: TelemetrySettings,
        *,
        once: bool,
        resuming: Callable[[], Collection[str]] = nothing_resumes,
    ) -> None:
        self.delivered = 0
        self.refusals = 0
        self._keeper = keeper
        self._settings = settings
        self._once = once
        self._resuming = resuming
        self._outboxes: list[KeptOutbox] = []

    async def next(self) -> Update | None:
        """The oldest event of the oldest attempt."""
        while True:
            while self._outboxes:
                if (update := self._outboxes[0].head()) is not None:
                    return update
                self._outboxes.pop(0).close()
            self._outboxes = await self._keeper.claim(self._resuming())
            if not self._outboxes:
                if self._once:
                    return None
                await trio.sleep(self._settings.spool_look)

    def acknowledged(self, update: Update, answer: Acknowledgement, *, unanswered: bool) -> None:
        """Forgets it; of an attempt that a newer one has superseded, all of it."""
        last = LAST if answer.command == "superseded" else update.sequence
        self._outboxes[0].forget((update.attempt, last))
        self.delivered += 1
        if update.final:
            log.info(
                "the end of an earlier job is delivered",
                job_id=update.body.job_id,
                attempt=update.attempt,
                status=update.body.status,
                applied=answer.applied,
            )

    def refused(self, update: Update, reason: str) -> None:
        """Sets it aside."""
        self._outboxes[0].set_aside(update, reason)
        self.refusals += 1

    @property
    def ending(self) -> bool:
        """Somebody waits for what is left."""
        return self._once

    async def wait_ending(self) -> None:
        """Never comes by itself."""
        await trio.sleep(math.inf)

    @property
    def meanwhile(self) -> str:
        """Nothing is lost by waiting."""
        return "what is left in the spool waits for it"

    def __enter__(self) -> "Left":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What could not be delivered goes back."""
        for outbox in self._outboxes:
            outbox.close()
        self._outboxes = []
