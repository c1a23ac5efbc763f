"""Progress: counters never fall, sums are sums, 100 % means completed."""

from hypothesis import given
from hypothesis import strategies as st

from clientd.core import progress
from clientd.core.progress import Busy, Count, Speed

busy = st.builds(Busy, *[st.floats(0, 100)] * 3)
counts = st.lists(st.builds(Count, *[st.integers(0, 100)] * 3, busy, st.integers(0, 100)), min_size=3, max_size=3)


@given(st.lists(counts, min_size=1, max_size=8))
def test_no_counter_ever_falls(looks):
    known = (Count(),) * 3
    for look in looks:
        after = progress.advance(known, look)
        for old, new, seen in zip(known, after, look, strict=True):
            assert new.examined == max(old.examined, seen.examined)
            assert new.copied == max(old.copied, seen.copied)
            assert new.durable == max(old.durable, seen.durable)
            assert new.verified == max(old.verified, seen.verified)
            assert new.busy.read == max(old.busy.read, seen.busy.read)
            assert new.busy.write == max(old.busy.write, seen.busy.write)
            assert new.busy.network == max(old.busy.network, seen.busy.network)
        known = after
    assert progress.copied(known) == sum(count.copied for count in known)
    assert progress.verified(known) == sum(count.verified for count in known)


def test_speed_is_that_of_the_window():
    speed = Speed(10.0)
    assert speed.bytes_per_second == 0
    speed = speed.add(0.0, 0)
    assert speed.bytes_per_second == 0
    for second in range(1, 31):
        speed = speed.add(float(second), second * 100 if second < 20 else 2000)
    assert speed.bytes_per_second == 0
    assert len(speed.samples) <= 12
    assert Speed(10.0).add(0.0, 0).add(4.0, 1000).bytes_per_second == 250
    assert Speed(10.0).add(1.0, 0).add(1.0, 1000).bytes_per_second == 0


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_percent_is_100_for_what_is_completed_only(done, whole):
    assert 0 <= progress.percent(min(done, whole), whole, completed=False) < 100
    assert progress.percent(done, whole, completed=True) == 100
