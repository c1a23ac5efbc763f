"""Sna: tells the legacy progress endpoint, the newest state only, deaf to whatever comes back.

Nothing here touches the copy or the hub's channel; a failure costs the one update and a line in the log.
"""

from typing import Protocol

import structlog
import trio

from clientd.config import TelemetrySettings
from clientd.core import sna
from clientd.core.outbox import Update
from clientd.errors import LegacyUnavailable
from clientd.latest import Latest
from schemas.sna import SnaProgress

log = structlog.get_logger()


class Endpoint(Protocol):
    """Where legacy progress goes, for the one job that it is about."""

    async def push(self, progress: SnaProgress) -> None:
        """Returns when it is taken. Raises LegacyUnavailable. Ends by itself within a bound."""
        ...


async def run(newest: Latest[Update], endpoint: Endpoint, *, settings: TelemetrySettings) -> None:
    """Returns when `newest` is closed and its last word was tried, once and for `legacy_timeout` at most.

    A push under way gives way to the job's end. Cancellation abandons a push.
    """
    trouble = False
    while True:
        try:
            update = await newest.take()
        except trio.EndOfChannel:
            return
        problem = await _try(newest, endpoint, update, settings.legacy_timeout)
        if problem and not trouble:
            log.warning("the legacy progress endpoint does not take our updates, the copy goes on", error=problem)
        elif trouble and not problem:
            log.info("the legacy progress endpoint takes our updates again")
        trouble = bool(problem)


async def _try(newest: Latest[Update], endpoint: Endpoint, update: Update, longest: float) -> str:
    """What went wrong; empty for nothing, and for a push that gave way to the end."""
    problem = ""

    async def push(scope: trio.CancelScope) -> None:
        nonlocal problem
        try:
            await endpoint.push(sna.progress(update.body))
        except LegacyUnavailable as error:
            problem = str(error)
        scope.cancel()

    with trio.move_on_after(longest) as limit:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(push, nursery.cancel_scope)
            if not update.final:
                await newest.wait_closed()
                nursery.cancel_scope.cancel()
    return f"no answer within {longest:g} s" if limit.cancelled_caught else problem
