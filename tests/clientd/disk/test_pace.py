"""Pace: one limit for all workers, and nobody sleeps through a stop."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from clientd.disk.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.integers(1, 10**9), st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 5)), min_size=1, max_size=30))
def test_no_more_passes_than_the_rate_allows(rate, takes):
    clock = Clock()
    pace = Pace(rate, clock)
    began, passed, ends = clock.now, 0, clock.now
    for amount, wait in takes:
        clock.now += wait
        end = clock.now + pace.book(amount)
        passed += amount
        assert end >= ends or abs(end - ends) < 1e-6
        ends = end
        assert passed <= rate * (end - began + 0.1) * (1 + 1e-9) + 1


def test_without_a_rate_nothing_waits():
    pace = Pace(0)
    stop = threading.Event()
    assert pace.take(10**15, stop)
    stop.set()
    assert not pace.take(1, stop)


def test_a_stop_ends_the_wait_at_once():
    pace = Pace(1)
    stop = threading.Event()
    waiter = threading.Thread(target=lambda: results.append(pace.take(10**9, stop)))
    results: list[bool] = []
    waiter.start()
    stop.set()
    waiter.join(10)
    assert results == [False]
