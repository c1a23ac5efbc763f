"""Health: since when this hub has been able to hear, so that its own trouble is never a job's death.

A beat goes through the writer's own queue to the store and back. A gap between beats, or a step of the
store's clock, means that telemetry may have gone unheard or been misdated: the time of being healthy starts
anew, and with it every job's grace.
"""

from datetime import datetime

import msgspec

LONGEST_GAP = 15.0
"""Seconds between two beats that still count as one healthy stretch: three missed beats."""
LARGEST_STEP = 5.0
"""Seconds by which the store's clock may move between two beats against the hub's monotonic one."""


class Health(msgspec.Struct, frozen=True):
    """`healthy_since` is the store's time, `beat_at` monotonic seconds."""

    healthy_since: datetime
    beat_at: float


def beat(health: Health, now: datetime, at: float, step: float) -> Health:
    """After a beat that the store answered at `at` with the time `now`, `step` seconds off what was expected."""
    broken = at - health.beat_at > LONGEST_GAP or abs(step) > LARGEST_STEP
    return Health(now if broken else health.healthy_since, at)


def is_hearing(health: Health, at: float) -> bool:
    """Whether the last beat is recent enough to trust the hub's ears."""
    return at - health.beat_at <= LONGEST_GAP
