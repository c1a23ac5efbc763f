"""Retry: jitter over the whole range, never less than asked for, never for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientd.core import retry
from clientd.core.retry import Backoff

backoff = Backoff(1.0, 30.0, 300.0)
chances = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10**6), chances)
def test_waits_lie_between_the_bounds(failures, chance):
    assert 1.0 <= backoff.delay(failures, chance) <= min(30.0, 2.0 ** min(failures, 10))


def test_the_upper_bound_doubles_up_to_the_most():
    almost = 1 - 2**-53
    assert [round(backoff.delay(failures, almost)) for failures in range(1, 8)] == [2, 4, 8, 16, 30, 30, 30]
    assert backoff.delay(7, 0.0) == 1.0


@given(st.integers(1, 20), chances, st.floats(0, 1e9))
def test_what_the_hub_asks_for_is_kept_within_reason(failures, chance, asked):
    delay = backoff.delay(failures, chance, asked)
    assert delay >= min(asked, 300.0)
    assert delay <= max(300.0, 30.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("5", 5.0), (" 7 ", 7.0), ("-1", None), ("Wed, 21 Oct 2026", None), ("²", None)],
)
def test_retry_after_is_read_where_it_is_seconds(header, seconds):
    assert retry.parse_retry_after(header) == seconds
