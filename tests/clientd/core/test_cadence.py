"""Cadence: never silent for longer than a beat, and every change told at once."""

from hypothesis import given
from hypothesis import strategies as st

from clientd.core.cadence import Cadence, Decision, Picture, Sent

BEAT, POINTS = 5.0, 10.0
cadence = Cadence(BEAT, POINTS)
START = Picture(0.0, "starting", "running", None, ("pending",))

pictures = st.builds(
    Picture,
    st.floats(0, 100),
    st.sampled_from(["starting", "transferring", "finalizing"]),
    st.sampled_from(["running", "completed", "failed"]),
    st.sampled_from([None, "broken"]),
    st.sampled_from([("pending",), ("running",)]),
)


def test_the_start_is_an_event():
    assert cadence.decide(None, START, 3.0) == Decision("event", 8.0)


@given(pictures, pictures, st.floats(0, 4.9))
def test_a_change_is_told_at_once_and_what_must_arrive_is_an_event(before, after, waited):
    decision = cadence.decide(Sent(0.0, before), after, waited)
    changed = (before.phase, before.status, before.error) != (after.phase, after.status, after.error)
    moved = after.percent - before.percent >= POINTS or before.disks != after.disks
    assert decision.kind == ("event" if changed else "progress" if moved else "none")
    assert decision.due == (waited + BEAT if decision.kind != "none" else BEAT)


@given(
    st.lists(st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 9.0)), min_size=1, max_size=60),
    st.sampled_from(["completed", "failed", "cancelled"]),
)
def test_no_two_updates_are_more_than_a_beat_apart_and_start_and_end_are_told(steps, end):
    """The polls come when they like; the clock only has to wake us when an update is due."""
    now, percent = 0.0, 0.0
    decision = cadence.decide(None, START, now)
    last = Sent(now, START)
    sent = [now]
    told = [START]
    for wait, points in steps:
        until = now + wait
        percent = min(percent + points, 99.0)
        while now < until:
            now = min(until, decision.due)
            picture = Picture(percent, "starting", "running", None, ("pending",))
            decision = cadence.decide(last, picture, now)
            if decision.kind != "none":
                last = Sent(now, picture)
                sent.append(now)
                told.append(picture)
            else:
                assert picture.percent - last.picture.percent < POINTS
    final = Picture(percent, "starting", end, None, (end,))
    assert cadence.decide(last, final, now).kind == "event"
    assert told[0] == START
    assert all(later - earlier <= BEAT + 1e-9 for earlier, later in zip(sent, [*sent[1:], now], strict=True))
