"""Samples: one each 5 s and at each change; gaps with their cause."""

from datetime import timedelta

import pytest

from schemas.reading import DiskBytes, Gap, Sample
from sendensed.core import samples
from sendensed.core.model import Disk, Meter
from sendensed.core.samples import Found, Hole, Outage, Window
from tests.fakes.jobs import EARLY, a_job, an_event


def at(seconds: float):
    return EARLY + timedelta(seconds=seconds)


def heard(seconds: float | None, **fields):
    return a_job(last_telemetry_at=None if seconds is None else at(seconds), **{"status": "running", **fields})


@pytest.mark.parametrize(
    ("before", "job", "due"),
    [
        (None, heard(1), True),
        (None, heard(None), False),
        (heard(None), heard(1), True),
        (heard(1), heard(4.9), False),
        (heard(4.9), heard(5), True),
        (heard(1), heard(2, current_phase="finalizing"), True),
        (heard(1), heard(2, status="completed"), True),
        (heard(1), heard(2, attempt=2), True),
        (heard(1), heard(1, status="stalled"), False),
    ],
)
def test_a_sample_is_due_once_in_five_seconds_and_at_each_change_that_was_heard(before, job, due):
    assert samples.is_due(before, job) is due


def test_a_job_that_was_never_heard_of_has_no_sample():
    assert samples.of(heard(None)) is None
    assert samples.of(heard(3, bytes_transferred=9)) == Sample(at(3), 1, 9, 0, "pending")


def test_a_sample_tells_how_far_each_of_several_disks_is_and_of_one_nothing_besides():
    several = (Disk(0, 5, 9), Disk(3, 7, 9))
    assert samples.of(heard(3, disks=several)).disks == (DiskBytes(0, 5), DiskBytes(3, 7))
    assert samples.of(heard(3, disks=several[:1])).disks is None


def test_a_sample_tells_how_far_a_verification_is_where_there_will_be_one():
    meters = (Meter(), Meter(to_verify=9), Meter(verified=4, to_verify=9))
    assert [samples.of(heard(3, meter=meter)).bytes_verified for meter in meters] == [None, 0, 4]


def a_sample(seconds: float, attempt: int = 1, done: int = 0) -> Sample:
    return Sample(at(seconds), attempt, done, int(seconds), "transferring")


def test_a_window_is_the_jobs_own_time_in_about_so_many_points():
    asked = samples.window(heard(100, completed_at=at(2999)), at(9999), 300, timedelta(days=7))
    assert (asked.start, asked.end, asked.step) == (at(0), at(3000), 10)
    assert asked.thinned == at(9999) - timedelta(days=7)
    running = samples.window(heard(10), at(20), 300, timedelta(days=7))
    assert (running.end, running.step) == (at(21), 5)


def test_no_step_reaches_over_a_hole():
    kept = [a_sample(0, done=1), a_sample(5, done=2), a_sample(50, done=3), a_sample(55, 2, 1)]
    found = samples.chosen(kept, Window(at(0), at(55.5), 100, at(-1)))
    assert [(one.at, one.bytes_transferred) for one in found.samples] == [(at(5), 2), (at(50), 3), (at(55), 1)]
    assert found.holes == (Hole(at(5), at(50), False), Hole(at(50), at(55), True))


def gaps(job, holes=(), last=0.0, events=(), outages=(), now=0.0):
    found = Found((a_sample(last),) if last is not None else (), tuple(holes))
    return samples.gaps(job, found, events, outages, at(now))


def test_each_gap_has_its_cause():
    holes = [Hole(at(0), at(100), False), Hole(at(200), at(400), False), Hole(at(500), at(510), True)]
    events = [an_event(status="stalled", at=at(260), said_by="reaper"), an_event(status="running", at=at(50))]
    found = gaps(heard(600), [*holes, Hole(at(520), at(600), False)], 600, events, [Outage(at(510), at(590))], 610)
    assert [gap.cause for gap in found] == ["silent", "stalled", "between_attempts", "hub_away"]
    assert found[0] == Gap(at(0), at(100), "silent")


def test_an_outage_elsewhere_is_no_cause():
    [gap] = gaps(heard(600), [Hole(at(0), at(100), False)], 600, (), [Outage(at(70), at(900))], 610)
    assert gap.cause == "silent"


def test_a_job_that_should_still_speak_has_an_open_gap_to_now():
    assert gaps(heard(0), last=0, now=30) == ()
    [gap] = gaps(heard(0), last=0, now=31)
    assert (gap.start, gap.end, gap.cause) == (at(0), at(31), "silent")
    assert gaps(heard(0, completed_at=at(1)), last=0, now=999) == ()
    [never] = gaps(heard(None), last=None, now=60)
    assert (never.start, never.end) == (at(0), at(60))


def test_what_was_thinned_may_be_minutes_apart():
    kept = [a_sample(0), a_sample(120), a_sample(400)]
    assert samples.chosen(kept, Window(at(0), at(500), 5, at(1000))).holes == (Hole(at(120), at(400), False),)
