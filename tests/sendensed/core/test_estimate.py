"""Estimate: speed and time left from raw counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendensed.core import estimate
from sendensed.core.model import Meter

MIB = 2**20


def run(points: list[tuple[float, int]]) -> Meter:
    meter = Meter()
    for at, done in points:
        meter = estimate.observe(meter, at, done)
    return meter


def steady(seconds: float, rate: int, step: float = 5.0) -> list[tuple[float, int]]:
    return [(n * step, int(n * step * rate)) for n in range(int(seconds / step) + 1)]


def test_speed_is_unknown_until_two_points_are_a_second_apart():
    assert estimate.speed(Meter()) is None
    assert estimate.speed(run([(0, 0)])) is None
    assert estimate.speed(run([(0, 0), (0.5, MIB)])) is None
    assert estimate.speed(run([(0, 0), (0.5, MIB), (1.0, 2 * MIB)])) == 2 * MIB


def test_speed_forgets_what_is_older_than_its_window():
    assert estimate.speed(run([*steady(60, 100), *[(60 + s, 6_000) for s in (5, 10, 15)]])) == 0
    assert estimate.speed(run([*steady(60, 100), (65, 6_000)])) == pytest.approx(66, abs=1)


def test_a_sender_that_speaks_often_is_measured_over_the_same_window_in_bounded_memory():
    meter = run(steady(120, 1_000, step=0.1))
    assert estimate.speed(meter) == 1_000
    assert len(meter.recent) <= 10
    assert meter.recent[-1].at - meter.recent[0].at >= estimate.SPEED_WINDOW


def test_a_point_from_the_past_changes_nothing():
    meter = run(steady(30, 100))
    assert estimate.observe(meter, 12.0, 5_000) is meter
    assert estimate.observe(meter, 30.0, 5_000) is meter


def test_the_time_left_of_a_steady_run_is_true():
    meter = run(steady(60, 100))
    assert estimate.time_left(meter, 12_000) == (60, None)


def test_the_time_left_follows_a_change_of_speed_without_jumping():
    meter = run([*steady(60, 100), *[(60 + s, 6_000 + s * 50) for s in range(5, 61, 5)]])
    left, reason = estimate.time_left(meter, 18_000)
    assert reason is None
    assert 9_000 / 100 < left < 9_000 / 50


@pytest.mark.parametrize(
    ("points", "total", "reason"),
    [
        ([], 100, "measuring"),
        (steady(60, 100), 0, "unknown_total"),
        (steady(25, 100), 12_000, "measuring"),
        ([(0, 0), (40, 100)], 1_000, "measuring"),
        ([(0, 0), (20, 0), (40, 0)], 1_000, "measuring"),
        (steady(60, 100), 6_000, "finalizing"),
        (steady(60, 1), 10**12, "measuring"),
    ],
)
def test_there_is_no_time_left_where_none_can_be_true_but_a_reason(points: list, total: int, reason: str):
    assert estimate.time_left(run(points), total) == (None, reason)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 2**62)), max_size=30), st.integers(0, 2**63 - 1))
def test_no_run_gives_a_negative_number(points: list[tuple[float, int]], total: int):
    done, rising = 0, []
    for at, more in points:
        done = max(done, more)
        rising.append((at, done))
    meter = run(rising)
    left, reason = estimate.time_left(meter, total)
    assert (estimate.speed(meter) or 0) >= 0
    assert (left is None) == (reason is not None)
    assert left is None or 0 < left <= estimate.LONGEST
