"""Calendar: days begin where the zone says, and each run belongs to one."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from schemas.fault import Invalid
from schemas.reading import CalendarMachine, DayView
from sendensed.core import calendar
from sendensed.core.calendar import Tally

TODAY = date(2026, 11, 24)


def test_a_span_is_the_last_fortnight_unless_told_otherwise():
    assert calendar.span(None, None, TODAY) == (date(2026, 11, 11), 14)
    assert calendar.span(date(2026, 11, 24), None, TODAY) == (TODAY, 1)
    assert calendar.span(None, date(2026, 11, 14), TODAY) == (date(2026, 11, 1), 14)
    assert calendar.span(date(2026, 10, 1), date(2026, 12, 1), TODAY) == (date(2026, 10, 1), 62)


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        (date(2026, 11, 25), None, "from"),
        (date(2026, 9, 30), date(2026, 12, 1), "from"),
        (date(1, 1, 1), None, "from"),
        (None, date(1, 1, 2), "to"),
        (None, date.max, "to"),
    ],
)
def test_days_that_are_no_span_are_refused(first, last, field):
    with pytest.raises(Invalid) as caught:
        calendar.span(first, last, TODAY)
    assert caught.value.field == field


def test_days_are_those_of_the_zone_also_where_its_clocks_are_changed():
    found = [
        moment.astimezone(UTC) for moment in calendar.bounds(date(2026, 10, 24), 3, ZoneInfo("Europe/Berlin"))
    ]
    hours = [(after - before) / timedelta(hours=1) for before, after in pairwise(found)]
    assert found[0] == datetime(2026, 10, 23, 22, tzinfo=UTC)
    assert hours == [24, 25, 24]


def test_a_day_whose_midnight_is_jumped_over_begins_where_the_clocks_jump():
    [start, end] = calendar.bounds(date(2026, 3, 8), 1, ZoneInfo("America/Havana"))
    assert start.astimezone(UTC) == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=23)


def test_a_tally_counts_states_and_names_the_newest():
    runs = [("d", "stalled"), ("c", "completed"), ("b", "failed"), ("a", "cancelled"), ("z", "completed")]
    assert calendar.tally(3, runs) == Tally(3, 2, 1, 1, 1, "d", "stalled")


def test_a_line_of_the_calendar_has_the_days_with_a_run():
    shown = calendar.view("web", date(2026, 11, 30), [Tally(1, 1, 0, 0, 0, "a", "completed")])
    assert shown == CalendarMachine("web", (DayView(date(2026, 12, 1), 1, 0, 0, 0, "a", "completed"),))
    assert calendar.view("idle", TODAY, []) == CalendarMachine("idle", ())
