"""Staleness: when silence is a verdict, and when it is a hub's own trouble."""

from datetime import UTC, datetime, timedelta

import pytest

from sendensed.core import staleness
from sendensed.core.health import HubBeat
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


def test_a_word_from_the_future_counts_from_when_the_hub_is_healthy():
    ahead = job(last_telemetry_at=later(86_400))
    assert status(ahead, 59) is None
    assert status(ahead, 60) == "stalled"
    assert staleness.due(ahead, NIGHT, later(10), LIMITS) == later(70)


def judged(subject: Job, seconds: float, **more: object) -> staleness.Verdict | None:
    return staleness.judge(subject, later(seconds), NIGHT, LIMITS, **more)


def test_a_job_that_another_hub_heard_counts_from_when_that_hub_is_healthy():
    ear = HubBeat("other", later(100), later(399))
    assert judged(job(status="stalled"), 399.9, ear=ear) is None
    verdict = judged(job(status="stalled"), 400, ear=ear)
    assert verdict.job.status == "failed"
    assert staleness.due(job(status="stalled"), later(399), NIGHT, LIMITS, ear=ear) == later(400)


def test_the_history_names_the_hub_that_heard_the_job_where_another_one_judges_it():
    verdict = judged(job(status="stalled"), 312, ear=HubBeat("other", NIGHT, later(310)))
    assert verdict.job.error_message == "no telemetry for 5m12s (last heard 2026-11-23T02:00:00Z, phase pending)"
    said = "; heard by hub other, healthy since 2026-11-23T02:00:00Z, last beat 2026-11-23T02:05:10Z"
    assert verdict.events[0].detail == verdict.job.error_message + said


def test_a_job_whose_hub_does_not_beat_is_stalled_and_failed_only_when_that_hub_has_long_gone():
    ear = HubBeat("other", NIGHT, later(10))
    assert judged(job(), 60, ear=ear).job.status == "stalled"
    assert judged(job(status="stalled"), 909.9, ear=ear) is None
    assert judged(job(status="stalled"), 910, ear=ear).job.status == "failed"
    assert staleness.due(job(status="stalled"), later(300), NIGHT, LIMITS, ear=ear) == later(910)


def test_the_time_in_which_a_gone_hub_is_waited_for_is_the_judges_own_healthy_time():
    ear = HubBeat("other", NIGHT, later(10))
    healthy_since = later(1_000)
    stalled = job(status="stalled")
    assert staleness.judge(stalled, later(1_899), healthy_since, LIMITS, ear=ear) is None
    assert staleness.judge(stalled, later(1_900), healthy_since, LIMITS, ear=ear).job.status == "failed"


def test_while_failures_are_held_a_silent_job_is_stalled_and_no_more():
    assert judged(job(), 1_000, held=True).job.status == "stalled"
    assert judged(job(status="stalled"), 1_000, held=True) is None


def moving(seconds: float, **fields: object) -> Job:
    return job(**{"last_telemetry_at": later(seconds), "last_moved_at": NIGHT, "progress_percent": 62.3, **fields})


def test_a_job_that_is_heard_but_has_not_moved_for_ten_minutes_is_marked_and_not_failed():
    assert judged(moving(599), 599.9) is None
    verdict = judged(moving(599), 600)
    assert (verdict.job.status, verdict.job.not_moving) == ("running", True)
    [event] = verdict.events
    assert (event.kind, event.said_by) == ("alarm", "reaper")
    assert event.detail == "heard, but not moved for 10m00s at 62.3 %, phase pending"
    assert judged(verdict.job, 601) is None


def test_a_job_that_has_never_moved_counts_from_its_creation():
    assert judged(moving(599, last_moved_at=None), 600).job.not_moving


def test_a_job_that_waits_to_begin_is_not_expected_to_move():
    assert judged(moving(650, status="pending"), 700) is None


def test_the_hubs_own_trouble_is_not_a_jobs_standing_still():
    assert staleness.judge(moving(1_100), later(1_100), later(600), LIMITS) is None
    assert staleness.unmoved_due(moving(1_100), later(600), LIMITS) == later(1_200)


def test_a_failed_job_is_no_longer_shown_as_not_moving():
    assert judged(job(status="stalled", not_moving=True), 300).job.not_moving is False
