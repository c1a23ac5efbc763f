"""Alarm: what the hubs call people for, once between them all; and the guard against mass silence.

When many jobs fall silent together the trouble is more likely a tunnel, a switch or the hub's own network than
all of their machines. They are called stalled, one alarm is raised, and nobody is called failed until the share
falls or the hold is over.

    share over the limits ──▶ raised ── hold ──▶ over: failed again   share falls ──▶ cleared
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from schemas import words

MASS_SILENCE = "mass_silence"


class Limits(msgspec.Struct, frozen=True):
    """Mass silence: at least so many jobs, and over this share of the active ones; seconds of the hold."""

    jobs: int = 3
    share: float = 0.5
    hold: float = 900.0


class Alarm(msgspec.Struct, frozen=True):
    """One alarm: what, since when (the store's clock), which hub raised it, and the evidence as a sentence."""

    kind: str
    since: datetime
    raised_by: str
    detail: str


def is_mass(silent: int, active: int, limits: Limits) -> bool:
    """Whether so many of the active jobs being silent is more than their own misfortune."""
    return silent >= limits.jobs and silent > active * limits.share


def mass_silence(silent: int, active: int, now: datetime, hub: str, limits: Limits) -> Alarm:
    """The alarm to raise."""
    detail = (
        f"{silent} of {active} active jobs are silent: look at the network between appliances and hubs; "
        f"none is called failed for {words.duration(limits.hold)}, or until the share falls"
    )
    return Alarm(MASS_SILENCE, now, hub, detail)


def opened(alarms: Iterable[Alarm], kind: str) -> Alarm | None:
    """The open alarm of this kind."""
    return next((alarm for alarm in alarms if alarm.kind == kind), None)


def is_held(alarms: Iterable[Alarm], now: datetime, limits: Limits) -> bool:
    """Whether mass silence holds verdicts of failure back at `now`."""
    alarm = opened(alarms, MASS_SILENCE)
    return alarm is not None and (now - alarm.since).total_seconds() < limits.hold
