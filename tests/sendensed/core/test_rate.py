"""Rate: an appliance may burst, then send steadily; what is refused costs it nothing."""

from hypothesis import given
from hypothesis import strategies as st

from sendensed.core import rate
from sendensed.core.rate import NEW, SIGN, Bucket, Gate, Rate, draw

RATE = Rate(steady=10.0, burst=20)


def test_a_burst_is_taken_and_then_the_steady_rate():
    bucket, wait = draw(None, RATE, 20, 100.0)
    assert (bucket, wait) == (Bucket(0.0, 100.0), None)
    assert draw(bucket, RATE, 1, 100.0) == (Bucket(0.0, 100.0), 1)
    assert draw(bucket, RATE, 15, 100.0) == (Bucket(0.0, 100.0), 2)
    assert draw(bucket, RATE, 10, 101.0) == (Bucket(0.0, 101.0), None)


def test_a_bucket_holds_no_more_than_a_burst():
    assert draw(Bucket(0.0, 0.0), RATE, 1, 1_000.0) == (Bucket(19.0, 1_000.0), None)


def test_more_than_a_burst_is_taken_from_a_full_bucket():
    assert draw(None, RATE, 1_000, 0.0) == (Bucket(0.0, 0.0), None)


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=50))
def test_never_more_than_a_burst_and_the_steady_rate_are_taken(draws):
    bucket, now, taken = None, 0.0, 0
    for pause, count in draws:
        now += pause
        bucket, wait = draw(bucket, RATE, count, now)
        if wait is None:
            taken += min(count, RATE.burst)
        else:
            assert draw(bucket, RATE, count, now + wait)[1] is None
    assert taken <= RATE.burst + now * RATE.steady + 1e-6


def test_a_job_that_was_not_heard_for_long_is_taken_whatever_the_rate():
    gate = Gate(RATE)
    assert gate.wait(["a"] * 20, 0.0) is None
    assert gate.wait(["a"] * 20, 0.1) == 2
    assert gate.wait(["b"] * 20, SIGN) is None
    assert gate.wait(["a"] * 20, SIGN + 0.1) is None
    assert gate.wait(["a"] * 20, SIGN + 0.2) == 2


def test_jobs_that_were_never_heard_have_a_tenth_of_the_rate_besides():
    gate = Gate(RATE)
    assert gate.wait(["a"] * 20, 0.0) is None
    began = [gate.wait([f"job-{number}"], 0.0) is None for number in range(10)]
    assert began == [True] * round(RATE.burst * NEW) + [False] * 8
    assert gate.wait(["job-9", "a"], 0.0) is not None


def test_only_jobs_heard_lately_are_remembered_beyond_a_number(monkeypatch):
    monkeypatch.setattr(rate, "_KNOWN", 3)
    gate = Gate(RATE)
    gate.wait(["a", "b"], 0.0)
    gate.wait(["c", "d"], SIGN + 1)
    assert set(gate._heard) == {"c", "d"}
