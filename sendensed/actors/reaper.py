"""Reaper: finds silent jobs and asks the writer to judge them; and beats, to prove that the hub can hear.

It changes nothing itself. Its questions pass through the writer's queue behind all telemetry that came
before them, so that a job whose word is already in the house is never called silent.
"""

from datetime import timedelta

import structlog
import trio

from sendensed import config
from sendensed.actors.asks import Beat, Outbox
from sendensed.actors.writer import Hearing
from sendensed.core import staleness
from sendensed.core.batch import Silence
from sendensed.store import Store, StoreUnavailable

log = structlog.get_logger()

_SHORTEST_PAUSE = 0.2
"""Seconds between two looks at the least: many deadlines close together are met in one."""


async def run(store: Store, intents: Outbox, hearing: Hearing, settings: config.Reaper) -> None:
    """Beats and looks for silence until it is cancelled. A look that the store does not answer is made again."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beat, intents, settings.beat)
        while True:
            pause = await _look(store, intents, hearing, settings)
            await trio.sleep(pause)


async def _beat(intents: Outbox, period: float) -> None:
    while True:
        await trio.sleep(period)
        await intents.send(Beat())


async def _look(store: Store, intents: Outbox, hearing: Hearing, settings: config.Reaper) -> float:
    """Asks about every job whose verdict is due; returns seconds until the next one is."""
    if not hearing.is_ready:
        return settings.beat
    now = hearing.clock.now()
    soon = now + timedelta(seconds=settings.period - settings.stall_after)
    try:
        jobs = await store.silent(soon)
    except StoreUnavailable as error:
        log.warning("silence not looked for", reason=str(error))
        return settings.beat
    pause = settings.period
    for job in jobs:
        deadline = staleness.due(job, now, hearing.health.healthy_since, settings.limits)
        left = (deadline - now).total_seconds()
        if left <= 0:
            await intents.send(Silence(job.id))
        else:
            pause = min(pause, left)
    return max(pause, _SHORTEST_PAUSE)
