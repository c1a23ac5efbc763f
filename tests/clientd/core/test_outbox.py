"""Outbox: in order, until the hub has them, and bounded."""

import pytest

from clientd.core.moment import Moment
from clientd.core.outbox import LAST, MemoryOutbox, Refused, Update
from schemas.telemetry import TelemetryBody


def update(sequence: int, status: str = "running", attempt: int = 1) -> Update:
    body = TelemetryBody(status=status, attempt=attempt, sequence=sequence)
    return Update(body, Moment("boot", 10.0, 1000.0))


def test_events_wait_in_order_until_they_are_forgotten():
    outbox = MemoryOutbox(capacity=3)
    assert outbox.head() is None
    for sequence in (1, 4, 6):
        outbox.add(update(sequence))
    assert outbox.head().sequence == 1
    outbox.forget((1, 5))
    assert outbox.head().sequence == 6
    outbox.forget((1, 6))
    outbox.forget((1, 7))
    assert outbox.head() is None


def test_more_events_than_a_job_can_have_are_a_bug():
    outbox = MemoryOutbox([update(1)], capacity=1)
    outbox.add(update(2))
    with pytest.raises(OverflowError):
        outbox.add(update(3))


def test_an_attempt_s_end_is_behind_all_of_it_and_before_the_next():
    outbox = MemoryOutbox([update(1), update(9), update(1, attempt=2)])
    outbox.forget((1, LAST))
    assert outbox.waiting == (update(1, attempt=2),)


def test_what_is_set_aside_waits_no_more_and_is_kept_apart():
    outbox = MemoryOutbox([update(1), update(2)])
    outbox.set_aside(update(2), "400: no")
    outbox.set_aside(update(3), "400: it was progress")
    assert outbox.waiting == (update(1),)
    assert outbox.aside == (Refused(update(2), "400: no"),)


async def test_memory_keeps_nothing_over_the_process_s_end():
    outbox = MemoryOutbox([update(1)])
    outbox.close()
    assert not await outbox.kept()
    assert outbox.head() == update(1)


def test_a_body_without_positions_is_the_first_attempt_s():
    assert Update(TelemetryBody(), Moment("boot", 0.0, 0.0)).position == (1, 0)


def test_an_update_tells_how_long_it_waited():
    assert update(1).aged(Moment("boot", 12.5, 0.0)).age_ms == 2500
    assert update(1).aged(Moment("boot", 9.0, 5000.0)).age_ms == 0


def test_the_end_is_final():
    assert [update(1, status).final for status in ("running", "completed", "failed", "cancelled")] == [
        False,
        True,
        True,
        True,
    ]
