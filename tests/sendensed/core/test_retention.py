"""Retention: days made ahead, thinned in time, dropped in time, and nothing else touched."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sendensed.core import retention
from sendensed.core.retention import Limits, Steps

TODAY = date(2026, 11, 25)
LIMITS = Limits(events=90, samples=90, whole=7)


def days(parent: str, *ago: int, thin: bool = False) -> list[str]:
    return [retention.name(parent, TODAY - timedelta(days=one), thin=thin) for one in ago]


def test_a_name_tells_its_day():
    assert retention.name("job_events", TODAY) == "job_events_20261125"
    assert retention.day_of("job_samples_20261125_thin") == ("job_samples", TODAY, True)
    for stranger in ("job_samples_default", "job_samples", "backup_jobs", "job_events_2026112"):
        assert retention.day_of(stranger) is None


def test_an_empty_database_gets_yesterday_today_and_three_days_ahead():
    steps = retention.steps([], TODAY, LIMITS)
    assert [day - TODAY for parent, day in steps.make if parent == "job_events"] == [
        timedelta(days=n) for n in (-1, 0, 1, 2, 3)
    ]
    assert len(steps.make) == 10
    assert (steps.thin, steps.drop) == ((), ())


def test_a_day_is_thinned_once_and_dropped_when_it_is_old():
    tables = [
        *days("job_samples", -3, -2, -1, 0, 1, 7, 8, 90, 91),
        *days("job_samples", 9, 92, thin=True),
        *days("job_events", -3, -2, -1, 0, 1, 8, 90, 91),
        "job_events_default",
        "job_samples_default",
    ]
    assert retention.steps(tables, TODAY, LIMITS) == Steps(
        make=(),
        thin=tuple(sorted(days("job_samples", 8, 90))),
        drop=tuple(
            sorted([*days("job_samples", 91), *days("job_samples", 92, thin=True), *days("job_events", 91)])
        ),
    )


@given(st.lists(st.integers(-10, 200)), st.integers(1, 100), st.integers(1, 100), st.integers(1, 100))
def test_once_done_there_is_nothing_left_to_do(ago, events, samples, whole):
    limits = Limits(events, samples, whole)
    tables = {*days("job_events", *ago), *days("job_samples", *ago)}
    steps = retention.steps(tables, TODAY, limits)
    after = (tables - set(steps.drop) - set(steps.thin)) | {f"{table}_thin" for table in steps.thin}
    after |= {retention.name(parent, day) for parent, day in steps.make}
    again = retention.steps(after, TODAY, limits)
    assert (again.make, again.drop) == ((), ())
    assert {retention.day_of(table)[1] for table in again.thin} <= {TODAY - timedelta(days=1)}
