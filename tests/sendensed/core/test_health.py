"""Health and alarm: which hubs can hear, and when silence is nobody's own."""

from datetime import UTC, datetime, timedelta

import pytest

from sendensed.core import alarm, health
from sendensed.core.health import HubBeat

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
LIMITS = alarm.Limits()


def later(seconds: float) -> datetime:
    return NIGHT + timedelta(seconds=seconds)


def beats(*moments: float, restart: bool = False) -> HubBeat:
    row = None
    for at in moments:
        row = health.beat(row, "a", later(at), 15, restart=restart)
    return row


def test_regular_beats_keep_a_hub_healthy_and_a_gap_starts_it_anew():
    assert beats(0, 5, 10, 25) == HubBeat("a", NIGHT, later(25))
    assert beats(0, 5, 20.1) == HubBeat("a", later(20.1), later(20.1))


def test_a_clock_that_steps_back_starts_the_health_anew():
    assert beats(10, 5) == HubBeat("a", later(5), later(5))


def test_a_trouble_that_only_the_hub_knows_of_starts_its_health_anew():
    assert beats(0, 5, restart=True) == HubBeat("a", later(5), later(5))


def test_a_hub_whose_beats_are_not_answered_does_not_hear():
    state = health.Health(NIGHT, 100.0)
    assert health.is_hearing(state, 115.0, 15)
    assert not health.is_hearing(state, 115.1, 15)


def test_another_hub_beats_as_long_as_its_row_is_recent():
    assert health.is_beating(HubBeat("a", NIGHT, NIGHT), later(15), 15)
    assert not health.is_beating(HubBeat("a", NIGHT, NIGHT), later(15.1), 15)


@pytest.mark.parametrize(
    ("silent", "active", "is_mass"),
    [(2, 2, False), (3, 3, True), (3, 6, False), (4, 6, True), (500, 1_000, False)],
)
def test_mass_silence_is_at_least_three_and_over_half_of_the_active_jobs(silent, active, is_mass):
    assert alarm.is_mass(silent, active, LIMITS) is is_mass


def test_an_alarm_says_how_many_are_silent_and_where_to_look():
    raised = alarm.mass_silence(4, 6, NIGHT, "a", LIMITS)
    assert (raised.kind, raised.since, raised.raised_by) == ("mass_silence", NIGHT, "a")
    assert raised.detail == (
        "4 of 6 active jobs are silent: look at the network between appliances and hubs; "
        "none is called failed for 15 min 00 s, or until the share falls"
    )


def test_failures_are_held_while_the_alarm_is_open_and_fifteen_minutes_at_most():
    raised = alarm.mass_silence(4, 6, NIGHT, "a", LIMITS)
    assert alarm.is_held([raised], later(899), LIMITS)
    assert not alarm.is_held([raised], later(900), LIMITS)
    assert not alarm.is_held([], NIGHT, LIMITS)
