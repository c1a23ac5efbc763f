"""Moments: durations and times as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from sendensed.cli import moments


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("1.5", 1.5),
        ("30s", 30),
        ("10m", 600),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
    ],
)
def test_durations_are_numbers_with_units(text: str, seconds: float):
    assert moments.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10 m", "-5", "1x", "5m3", "nan", "inf", "²", "h1", "99999999w"])
def test_what_is_no_duration_is_said_in_a_sentence(text: str):
    with pytest.raises(ValueError, match=r"is no duration|longer than ten years"):
        moments.duration(text)


def test_a_time_is_a_date_or_how_long_ago_and_utc_unless_it_says_otherwise():
    assert moments.moment("2d") == timedelta(days=2)
    assert moments.moment("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)
    assert moments.moment("2026-11-23T03:00+01:00") == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert moments.moment("2026-11-23T02:00:00Z") == datetime(2026, 11, 23, 2, tzinfo=UTC)
    with pytest.raises(ValueError, match="'yesterday' is no time: give one like 2026-11-23"):
        moments.moment("yesterday")
