"""Reaper: finds silent jobs and asks the writer to judge them; and beats, to prove that the hub can hear.

It changes nothing itself. Its questions pass through the writer's queue behind all telemetry that came
before them, so that a job whose word is already in the house is never called silent.
"""

from datetime import timedelta

import structlog
import trio

from sendensed import config
from sendensed.actors.asks import Beat, Outbox
from sendensed.actors.hearing import Hearing
from sendensed.core import alarm, staleness
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
    now, healthy_since, limits = hearing.clock.now(), hearing.health.healthy_since, settings.limits
    longest = min(
        settings.period, settings.stall_after / 2
    )  # a job heard just now is due before the next look but one
    soon = now + timedelta(seconds=longest)
    try:
        quiet = await store.silent(soon - timedelta(seconds=settings.stall_after))
        still = await store.unmoved(soon - timedelta(seconds=settings.unmoved_after))
        silent = sum(staleness.is_silent(job, now, healthy_since, limits) for job in quiet)
        await _guard(store, hearing, silent, settings.mass)
    except StoreUnavailable as error:
        log.warning("silence not looked for", reason=str(error))
        return settings.beat
    held = hearing.is_held
    deadlines = {job.id: staleness.unmoved_due(job, healthy_since, limits) for job in still}
    for job in quiet:
        if not (held and job.status == "stalled"):
            deadlines[job.id] = staleness.due(job, now, healthy_since, limits, ear=hearing.ear(job))
    pause = min(settings.beat, longest) if hearing.pulse.alarms else longest
    for job_id, deadline in deadlines.items():
        left = (deadline - now).total_seconds()
        if left <= 0:
            await intents.send(Silence(job_id))
        else:
            pause = min(pause, left)
    return max(pause, _SHORTEST_PAUSE)


async def _guard(store: Store, hearing: Hearing, silent: int, limits: alarm.Limits) -> None:
    """Raises the alarm of mass silence before anybody is judged, and clears it when the share has fallen.

    Each hub comes to the same conclusion; the store lets one of them raise the alarm, and one clear it.
    """
    opened = alarm.opened(hearing.pulse.alarms, alarm.MASS_SILENCE)
    if silent < limits.jobs and opened is None:
        return
    active = await store.active()
    is_mass = alarm.is_mass(silent, active, limits)
    if is_mass and opened is None:
        mine = alarm.mass_silence(silent, active, hearing.clock.now(), hearing.hub, limits)
        opened = await store.raise_alarm(mine)
        hearing.alarmed(opened)
        if opened == mine:
            log.error("alarm raised", kind=mine.kind, detail=mine.detail)
    elif opened is not None and not is_mass:
        hearing.calmed(opened)
        if await store.clear_alarm(opened, hearing.clock.now()):
            log.warning("alarm cleared", kind=opened.kind, silent=silent, active=active)
