"""Summary: how things stand, from the active jobs and what ended within a day."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from schemas.job import State
from schemas.reading import Summary

DAY = timedelta(hours=24)


class Standing(msgspec.Struct, frozen=True):
    """One active job: its state, when it was heard of, and its time left at that moment."""

    status: State
    last_telemetry_at: datetime | None
    eta_low_seconds: int | None
    eta_high_seconds: int | None


class Counts(msgspec.Struct, frozen=True):
    """What a store knows: the active jobs, how many ended within a day by state, and the last word of those."""

    active: tuple[Standing, ...]
    ended: Mapping[State, int]
    heard_at: datetime | None


def view(counts: Counts, now: datetime) -> Summary:
    """As it goes out. The last of the jobs ends it all, so both ends of the range are the latest of theirs."""
    active = counts.active
    estimated = [
        (heard + timedelta(seconds=low), heard + timedelta(seconds=high))
        for heard, low, high in (
            (one.last_telemetry_at, one.eta_low_seconds, one.eta_high_seconds) for one in active
        )
        if heard is not None and low is not None and high is not None
    ]
    heard = [one.last_telemetry_at for one in active if one.last_telemetry_at is not None]
    return Summary(
        time=now,
        pending=sum(one.status == "pending" for one in active),
        running=sum(one.status == "running" for one in active),
        stalled=sum(one.status == "stalled" for one in active),
        failed_24h=counts.ended.get("failed", 0),
        completed_24h=counts.ended.get("completed", 0),
        cancelled_24h=counts.ended.get("cancelled", 0),
        finish_low_at=max((low for low, _ in estimated), default=None),
        finish_high_at=max((high for _, high in estimated), default=None),
        without_estimate=len(active) - len(estimated),
        last_telemetry_at=max([*heard, *([counts.heard_at] if counts.heard_at else [])], default=None),
    )
