"""Health: since when each hub has been able to hear, so that its own trouble is never a job's death.

A beat goes through the writer's own queue to the store and back, and leaves the hub's row there. A gap between
beats, or a step of the store's clock, means that telemetry may have gone unheard or been misdated: the time of
being healthy starts anew, and with it the grace of every job that this hub was the last to hear.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from sendensed.core.alarm import Alarm


class Limits(msgspec.Struct, frozen=True):
    """Seconds between two beats that still count as one healthy stretch, and seconds by which the store's
    clock may move between two beats against the hub's monotonic one."""

    gap: float = 15.0
    step: float = 5.0


class HubBeat(msgspec.Struct, frozen=True):
    """One hub's row: healthy since when, and its last beat, both by the store's clock."""

    hub: str
    healthy_since: datetime
    beat_at: datetime


class Pulse(msgspec.Struct, frozen=True):
    """What a beat brings back: the store's time, every hub's row, and the alarms that are open."""

    now: datetime
    hubs: Mapping[str, HubBeat] = {}
    alarms: tuple[Alarm, ...] = ()


class Health(msgspec.Struct, frozen=True):
    """`healthy_since` is the store's time, `beat_at` monotonic seconds."""

    healthy_since: datetime
    beat_at: float


def beat(known: HubBeat | None, hub: str, now: datetime, gap: float, *, restart: bool) -> HubBeat:
    """The hub's row after a beat at `now`; `restart` tells a trouble that only the hub itself knows of."""
    broken = known is None or restart or not timedelta() <= now - known.beat_at <= timedelta(seconds=gap)
    return HubBeat(hub, now if known is None or broken else known.healthy_since, now)


def is_beating(hub: HubBeat, now: datetime, gap: float) -> bool:
    """Whether the hub's last beat, as far as known at `now`, is recent enough to trust its ears."""
    return (now - hub.beat_at).total_seconds() <= gap


def is_hearing(health: Health, at: float, gap: float) -> bool:
    """Whether this hub's own last beat is recent enough to trust its ears."""
    return at - health.beat_at <= gap
