"""Staleness and health: when silence is a verdict, and when it is the hub's own trouble."""

from datetime import UTC, datetime, timedelta

import pytest

from sendensed.core import health, staleness
from sendensed.core.model import Job

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
LIMITS = staleness.Limits()


def later(seconds: float) -> datetime:
    return NIGHT + timedelta(seconds=seconds)


def job(**fields: object) -> Job:
    heard = {"id": "a", "job_type": "backup", "created_at": NIGHT, "last_telemetry_at": NIGHT, "status": "running"}
    return Job(**{**heard, **fields})


def status(subject: Job, seconds: float, healthy_since: datetime = NIGHT) -> str | None:
    verdict = staleness.judge(subject, later(seconds), healthy_since, LIMITS)
    return verdict.job.status if verdict else None


@pytest.mark.parametrize("state", ["pending", "running"])
def test_sixty_silent_seconds_stall_a_job_and_not_one_less(state: str):
    assert status(job(status=state), 59.9) is None
    assert status(job(status=state), 60) == "stalled"


@pytest.mark.parametrize("state", ["pending", "running", "stalled"])
def test_three_hundred_silent_seconds_fail_a_job(state: str):
    assert status(job(status=state), 299.9) != "failed"
    assert status(job(status=state), 300) == "failed"


def test_a_stalled_job_is_not_stalled_again():
    assert status(job(status="stalled"), 100) is None


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
def test_a_job_that_has_ended_is_not_judged(state: str):
    assert status(job(status=state), 10_000) is None


def test_a_job_that_never_spoke_goes_stale_from_its_creation():
    silent = job(status="pending", last_telemetry_at=None)
    assert status(silent, 60) == "stalled"
    verdict = staleness.judge(silent, later(312), NIGHT, LIMITS)
    assert verdict.job.error_message == "no telemetry for 5m12s (never heard, created 2026-11-23T02:00:00Z)"


def test_silence_counts_only_since_the_hub_is_healthy():
    healthy_since = later(1_000)
    assert status(job(), 1_059, healthy_since) is None
    assert status(job(), 1_060, healthy_since) == "stalled"
    assert status(job(), 1_300, healthy_since) == "failed"


def test_the_verdict_says_who_when_and_on_what_evidence():
    subject = job(progress_percent=62.345, current_phase="transferring", transfer_speed_bps=7)
    verdict = staleness.judge(subject, later(312), NIGHT, LIMITS)
    said = "no telemetry for 5m12s (last heard 2026-11-23T02:00:00Z at 62.3 %, phase transferring)"
    assert verdict.job.error_message == said
    assert (verdict.job.closed_by, verdict.job.completed_at) == ("reaper", later(312))
    assert (verdict.job.eta_seconds, verdict.job.transfer_speed_bps) == (0, 7)
    [event] = verdict.events
    assert (event.kind, event.said_by, event.status, event.detail) == ("state", "reaper", "failed", said)


@pytest.mark.parametrize(("seconds", "words"), [(301, "5m01s"), (3_600, "1h00m"), (90_061, "25h01m")])
def test_long_silences_are_told_in_hours(seconds: int, words: str):
    verdict = staleness.judge(job(), later(seconds), NIGHT, LIMITS)
    assert f"no telemetry for {words} " in verdict.job.error_message


def test_short_limits_are_told_in_seconds():
    verdict = staleness.judge(job(), later(3), NIGHT, staleness.Limits(1, 2))
    assert "no telemetry for 3s " in verdict.job.error_message


def test_a_verdict_is_due_when_the_limit_of_the_next_state_is_reached():
    assert staleness.due(job(), NIGHT, NIGHT, LIMITS) == later(60)
    assert staleness.due(job(status="stalled"), NIGHT, NIGHT, LIMITS) == later(300)
    assert staleness.due(job(), later(100), later(100), LIMITS) == later(160)


def test_regular_beats_keep_the_hub_healthy_and_a_gap_starts_it_anew():
    state = health.Health(NIGHT, 0.0)
    for at in (5.0, 10.0, 25.0):
        state = health.beat(state, later(at), at, step=0.1)
    assert state.healthy_since == NIGHT
    state = health.beat(state, later(40.1), 40.1, step=0.0)
    assert state.healthy_since == later(40.1)


@pytest.mark.parametrize("step", [-6.0, 6.0])
def test_a_step_of_the_stores_clock_starts_the_health_anew(step: float):
    state = health.beat(health.Health(NIGHT, 0.0), later(5 + step), 5.0, step=step)
    assert state.healthy_since == later(5 + step)


def test_a_hub_whose_beats_are_not_answered_does_not_hear():
    state = health.Health(NIGHT, 100.0)
    assert health.is_hearing(state, 115.0)
    assert not health.is_hearing(state, 115.1)


def test_a_word_from_the_future_counts_from_when_the_hub_is_healthy():
    ahead = job(last_telemetry_at=later(86_400))
    assert status(ahead, 59) is None
    assert status(ahead, 60) == "stalled"
    assert staleness.due(ahead, NIGHT, later(10), LIMITS) == later(70)
