"""Calendar: machines by days. Where days begin in a zone, and what became of the runs created on each."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from schemas.fault import Invalid
from schemas.job import ACTIVE, State
from schemas.reading import CalendarMachine, DayView

DAYS_MOST = 62
"""Days of one calendar: two months."""
DAYS_USUAL = 14
"""Days where nobody says since when."""


class Tally(msgspec.Struct, frozen=True):
    """The runs of one machine between two bounds, the `day`-th of them and the next: how many ended how.

    `last_id` and `last_status` are of the one created last.
    """

    day: int
    completed: int
    failed: int
    cancelled: int
    active: int
    last_id: str
    last_status: State


def span(first: date | None, last: date | None, today: date) -> tuple[date, int]:
    """The first day and how many there are. Raises Invalid where they are no span, or too long a one."""
    end = last or today
    if not 1970 <= end.year < 9999:
        raise Invalid(f"to: {end} is not a day that a job can be of", "to")
    start = first or end - timedelta(days=DAYS_USUAL - 1)
    if start > end:
        raise Invalid(f"from: {start} is after {end}", "from")
    days = (end - start).days + 1
    if days > DAYS_MOST:
        raise Invalid(f"from: {days} days; a calendar has {DAYS_MOST} at the most", "from")
    return start, days


def bounds(first: date, days: int, zone: tzinfo) -> list[datetime]:
    """Where each day begins in the zone, and where the last one ends: `days` + 1 moments, rising.

    A day whose midnight the clocks jump over begins where they jump.
    """
    return [datetime.combine(first + timedelta(days=day), time(), zone) for day in range(days + 1)]


def view(name: str, first: date, tallies: Sequence[Tally]) -> CalendarMachine:
    """One line of the calendar: the days on which there was a run, in order."""
    return CalendarMachine(
        name,
        tuple(
            DayView(
                day=first + timedelta(days=one.day),
                completed=one.completed,
                failed=one.failed,
                cancelled=one.cancelled,
                active=one.active,
                last_id=one.last_id,
                last_status=one.last_status,
            )
            for one in tallies
        ),
    )


def tally(day: int, runs: Sequence[tuple[str, State]]) -> Tally:
    """The tally of at least one run, `(id, state)`, newest first."""
    states = [state for _, state in runs]
    last_id, last_status = runs[0]
    return Tally(
        day=day,
        completed=states.count("completed"),
        failed=states.count("failed"),
        cancelled=states.count("cancelled"),
        active=sum(state in ACTIVE for state in states),
        last_id=last_id,
        last_status=last_status,
    )
