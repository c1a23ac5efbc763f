"""Estimate: speed and time left from raw counters."""

import math
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendensed.core import estimate, prediction
from sendensed.core.model import Meter

MIB = 2**20


def run(points: list[tuple[float, int]]) -> Meter:
    meter = Meter()
    for at, done in points:
        meter = estimate.observe(meter, at, done)
    return meter


def steady(seconds: float, rate: int, step: float = 5.0) -> list[tuple[float, int]]:
    return [(n * step, int(n * step * rate)) for n in range(int(seconds / step) + 1)]


def even(chance: Random) -> Iterator[float]:
    """Bytes a second of a run that nothing disturbs."""
    base = chance.uniform(50, 500)
    while True:
        yield base * chance.uniform(0.9, 1.1)


def bursts(chance: Random) -> Iterator[float]:
    """A source that is fast, slow or nearly still for up to a minute at a time."""
    base = chance.uniform(50, 500)
    while True:
        factor = chance.choice([0.1, 0.3, 1, 1.7])
        for _ in range(chance.randint(1, 12)):
            yield base * factor * chance.uniform(0.8, 1.2)


def neighbours(chance: Random) -> Iterator[float]:
    """A link that is shared with jobs which come and go, each state for minutes."""
    base = chance.uniform(50, 500)
    while True:
        share = chance.choice([1, 1, 2, 3, 4])
        for _ in range(int(chance.expovariate(1 / 30)) + 1):
            yield base / share * chance.uniform(0.9, 1.1)


class Told(NamedTuple):
    """What was told at 25, 50 or 75 % of a run, and what came."""

    left: int
    span: tuple[int, int] | None
    actual: int


def told(rates: Iterator[float], chance: Random, past: float | None = None) -> list[Told]:
    """Every estimate of a run at its marks."""
    steps = [next(rates) * 5 for _ in range(round(chance.uniform(60, 1440)))]
    total, meter, done = int(sum(steps)), estimate.observe(Meter(), 0.0, 0), 0.0
    asked, found = [25, 50, 75], []
    for number, step in enumerate(steps, start=1):
        done += step
        meter = estimate.observe(meter, number * 5.0, int(done))
        if asked and 100 * done >= asked[0] * total:
            asked.pop(0)
            left, _ = estimate.time_left(meter, total)
            if left:
                found.append(Told(left, estimate.spread(meter, left, past), 5 * (len(steps) - number)))
    return found


def held(found: list[Told]) -> list[bool]:
    """Whether the truth lay within the range, wherever one was told."""
    return [one.span[0] <= one.actual <= one.span[1] for one in found if one.span]


def test_speed_is_unknown_until_two_points_are_a_second_apart():
    assert estimate.speed(Meter()) is None
    assert estimate.speed(run([(0, 0)])) is None
    assert estimate.speed(run([(0, 0), (0.5, MIB)])) is None
    assert estimate.speed(run([(0, 0), (0.5, MIB), (1.0, 2 * MIB)])) == 2 * MIB


def test_speed_forgets_what_is_older_than_its_window():
    assert estimate.speed(run([*steady(60, 100), *[(60 + s, 6_000) for s in (5, 10, 15)]])) == 0
    assert estimate.speed(run([*steady(60, 100), (65, 6_000)])) == pytest.approx(66, abs=1)


def test_the_weighted_rate_forgets_over_120_seconds():
    stopped = [*steady(60, 100), *[(60 + s, 6_000) for s in range(5, 121, 5)]]
    assert run(stopped).rate == pytest.approx(100 / math.e)


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


def test_a_steady_run_has_a_narrow_range_around_its_time_left():
    low, high = estimate.spread(run(steady(1800, 100)), 600)
    assert 560 < low < 600 < high < 640


def test_a_young_run_has_a_wide_range_for_it_has_not_met_its_link_yet():
    low, high = estimate.spread(run(steady(40, 100)), 600)
    assert low < 450
    assert high > 900


@pytest.mark.parametrize("points", [[], steady(10, 100), [(0, 0), (60, 0)]])
def test_a_run_that_tells_too_little_has_no_range(points: list):
    assert estimate.spread(run(points), 600) is None


def test_marks_are_even_and_bounded_however_long_the_run_and_its_pauses():
    meter = run([*steady(500, 100), (90_000, 60_000), *[(90_000 + n * 5, 60_000 + n * 500) for n in range(1, 99)]])
    assert len(meter.marks) < estimate.MARKS
    assert meter.spacing * (len(meter.marks) + 1) > meter.recent[-1].at
    assert list(meter.marks) == sorted(meter.marks)
    assert run(steady(40, 100)).marks == tuple(500 * n for n in range(1, 9))


TRACES = {"steady": even, "bursty": bursts, "shared link": neighbours}


@pytest.mark.parametrize("kind", TRACES)
def test_four_of_five_runs_end_within_the_range_that_was_told(kind: str):
    """300 synthetic runs of 5 min to 2 h, asked at 25, 50 and 75 %."""
    came = held([one for seed in range(300) for one in told(TRACES[kind](Random(seed)), Random(seed))])
    assert len(came) > 800
    assert sum(came) / len(came) >= 0.78


@pytest.mark.parametrize("kind", TRACES)
def test_four_of_five_runs_end_within_the_range_that_the_machines_past_had_a_part_in(kind: str):
    """30 machines, of each ten runs that are learnt from and ten more."""
    came = []
    for machine in range(30):
        runs = [(TRACES[kind](Random(seed)), Random(seed)) for seed in range(20 * machine, 20 * machine + 20)]
        learnt = [one for run in runs[:10] for one in told(*run)]
        off = sorted(abs(one.left - one.actual) / max(one.actual, 1) for one in learnt)
        past = off[int(prediction.SHARE * len(off))]
        came += held([one for run in runs[10:] for one in told(*run, past)])
    assert len(came) > 800
    assert sum(came) / len(came) >= 0.78


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


def test_a_machines_past_takes_the_place_of_what_a_young_run_cannot_know():
    meter = run(steady(40, 100))
    without, near, far = (estimate.spread(meter, 100, past) for past in (None, 0.1, 0.75))
    assert without is not None
    assert near == (90, 112)
    assert far == (57, 400)
    assert without[0] < near[0]


def test_a_machines_past_gives_a_range_before_the_run_itself_can():
    meter = run(steady(10, 100))
    assert estimate.spread(meter, 100) is None
    assert estimate.spread(meter, 100, 0.25) == (80, 134)
    assert estimate.spread(meter, 100, 0.0) == (97, 104)


def test_a_range_is_never_narrower_than_the_run_itself_tells():
    chance = Random(7)
    rates, points = bursts(chance), [(0.0, 0)]
    for number in range(1, 60):
        points.append((number * 5.0, points[-1][1] + int(next(rates) * 5)))
    uneven = run(points)
    low, high = estimate.spread(uneven, 100, 0.03)
    assert low < 97
    assert high > 104
