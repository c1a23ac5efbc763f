"""Outbox: in order, until the hub has them, and bounded."""

import pytest

from clientd.core.outbox import MemoryOutbox, Update
from schemas.telemetry import TelemetryBody


def update(sequence: int, status: str = "running") -> Update:
    return Update(sequence, TelemetryBody(status=status, sequence=sequence), made=10.0)


def test_events_wait_in_order_until_they_are_forgotten():
    outbox = MemoryOutbox(3)
    assert outbox.head() is None
    for sequence in (1, 4, 6):
        outbox.add(update(sequence))
    assert outbox.head().sequence == 1
    outbox.forget(5)
    assert outbox.head().sequence == 6
    outbox.forget(6)
    outbox.forget(7)
    assert outbox.head() is None


def test_more_events_than_a_job_can_have_are_a_bug():
    outbox = MemoryOutbox(1)
    outbox.add(update(1))
    with pytest.raises(OverflowError):
        outbox.add(update(2))


def test_an_update_tells_how_long_it_waited():
    assert update(1).aged(12.5).age_ms == 2500
    assert update(1).aged(9.0).age_ms == 0


def test_the_end_is_final():
    assert [update(1, status).final for status in ("running", "completed", "failed", "cancelled")] == [
        False,
        True,
        True,
        True,
    ]
