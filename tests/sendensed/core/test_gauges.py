"""Gauges: counters since the start, timings of now."""

import pytest
from msgspec.structs import replace

from sendensed.core.gauges import BOUNDS, PERIOD, Gauges, Histogram, Timing, merged
from tests.fakes.jobs import a_job, an_event


def histogram(*values: float) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(value)
    return made


def test_a_value_counts_in_the_bucket_that_it_does_not_exceed():
    made = histogram(0.0, 0.001, 0.0011, 10.0, 11.0)
    assert (made.counts[0], made.counts[1], made.counts[-2], made.counts[-1]) == (2, 1, 1, 1)
    assert made.sum == pytest.approx(21.0021)
    assert len(made.counts) == len(BOUNDS) + 1


def test_a_quantile_lies_in_the_bucket_of_its_value():
    assert merged([Histogram(), Histogram()]).quantile(0.95) is None
    both = merged([histogram(*[0.003] * 90), histogram(*[0.2] * 10)])
    assert both.quantile(0.5) == pytest.approx(0.0039, abs=2e-4)
    assert 0.1 < both.quantile(0.95) <= 0.25
    assert both.mean() == pytest.approx(0.0227)
    assert histogram(60.0).quantile(0.95) == BOUNDS[-1]


def test_a_timing_forgets_what_is_older_than_two_periods_but_not_its_total():
    timing = Timing()
    assert timing.recent(0.0).mean() is None
    timing.add(0.0, [1.0])
    timing.add(PERIOD + 1, [0.5])
    assert timing.recent(PERIOD + 2).mean() == 0.75
    assert timing.recent(2 * PERIOD + 2).mean() == 0.5
    assert timing.recent(9 * PERIOD).quantile(0.95) is None
    assert sum(timing.total.counts) == 2


def test_copied_bytes_are_those_that_each_commit_added_attempt_by_attempt():
    gauges = Gauges(0.0)
    first = a_job(bytes_transferred=10)
    gauges.changed(None, first, ())
    gauges.changed(first, replace(first, bytes_transferred=15), ())
    gauges.changed(first, replace(first, attempt=2, bytes_transferred=4), ())
    assert gauges.copied_bytes == 10 + 5 + 4


def test_flips_are_counted_by_voice_and_state():
    gauges = Gauges(0.0)
    events = [an_event(status="failed", said_by="reaper"), an_event(kind="phase"), an_event(status="running")]
    gauges.changed(None, a_job(), events)
    assert gauges.flips == {("reaper", "failed"): 1, ("sender", "running"): 1}


def test_the_sizes_of_the_last_hundred_batches_are_kept():
    gauges = Gauges(0.0)
    for size in [1000] + [10] * 100:
        gauges.committed(0.0, size, 0.01)
    assert (sum(gauges.sizes), gauges.batched, sum(gauges.batch.total.counts)) == (1000, 2000, 101)


def test_a_delay_over_a_step_of_the_clock_back_counts_as_none_and_a_sum_never_falls():
    gauges = Gauges(0.0)
    gauges.answered(0.0, [0.5, -3600.0])
    assert gauges.delay.total.sum == 0.5
    assert (gauges.delay.total.counts[0], sum(gauges.delay.total.counts)) == (1, 2)
