"""Retention: which days of history a database should have tables for, which to thin, which to drop.

    events   ├────────────── whole ──────────────┤
    samples  ├─ a point a minute ─┤── every 5 s ──┤ + days ahead
             kept                 whole          today

A table of samples holds one day; thinned, its name says so. Rows whose day has no table (of a clock that
stepped, of a hub that was long away) go to a table of their own and leave it after the same time.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

AHEAD = 3
"""Days for which there are tables in advance: so long may all hubs be away or busy."""

_NAME = re.compile(
    r"(?P<parent>job_events|job_samples)_(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?P<thin>_thin)?"
)


class Limits(msgspec.Struct, frozen=True):
    """Days that events are kept, samples are kept, and samples are kept whole."""

    events: int
    samples: int
    whole: int


class Steps(msgspec.Struct, frozen=True):
    """What is to be done: tables to make as (parent, day), to thin and to drop by name."""

    make: tuple[tuple[str, date], ...]
    thin: tuple[str, ...]
    drop: tuple[str, ...]


def name(parent: str, day: date, *, thin: bool = False) -> str:
    """The table of one day."""
    return f"{parent}_{day:%Y%m%d}{'_thin' if thin else ''}"


def day_of(table: str) -> tuple[str, date, bool] | None:
    """Parent, day and whether it is thinned; None for a table that is none of ours."""
    match = _NAME.fullmatch(table)
    if match is None:
        return None
    return match["parent"], date(int(match["year"]), int(match["month"]), int(match["day"])), bool(match["thin"])


def steps(tables: Iterable[str], today: date, limits: Limits) -> Steps:
    """What brings the tables that there are to what `today` asks for."""
    kept = {"job_events": limits.events, "job_samples": limits.samples}
    known = {table: found for table in tables if (found := day_of(table))}
    have = {(parent, day) for parent, day, _ in known.values()}
    ahead = [today + timedelta(days=days) for days in range(-1, AHEAD + 1)]
    old = {table for table, (parent, day, _) in known.items() if day < oldest(today, kept[parent])}
    return Steps(
        make=tuple((parent, day) for parent in sorted(kept) for day in ahead if (parent, day) not in have),
        thin=tuple(
            sorted(
                table
                for table, (parent, day, thinned) in known.items()
                if parent == "job_samples"
                and not thinned
                and table not in old
                and day < oldest(today, limits.whole)
            )
        ),
        drop=tuple(sorted(old)),
    )


def oldest(today: date, days: int) -> date:
    """The first day of those kept for so many days before today."""
    return today - timedelta(days=days)
