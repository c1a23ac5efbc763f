"""Job: what updates do to a job, rule by rule and as properties."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import fault, telemetry
from schemas.telemetry import Telemetry
from sendensed.core import estimate, staleness
from sendensed.core.job import Merged, merge
from sendensed.core.model import Event, Job
from sendensed.core.view import job_view

START = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
WIRE = Path(__file__).parents[2] / "wire"


class Run:
    """A job under a row of updates, 5 s apart; keeps what each of them did."""

    def __init__(self) -> None:
        self.now = START
        self.job: Job | None = None
        self.merges: list[Merged] = []
        self.events: list[Event] = []

    def send(self, **fields: object) -> Merged:
        update = Telemetry(**{"job_type": "backup", "job_id": "vm-1", **fields})
        return self.take(update)

    def take(self, update: Telemetry) -> Merged:
        merged = merge(self.job, update, self.now)
        self.now += timedelta(seconds=5)
        self.job = merged.job
        self.merges.append(merged)
        self.events += merged.events
        return merged

    def fall_silent(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        verdict = staleness.judge(self.job, self.now, START, staleness.Limits())
        self.job = verdict.job
        self.events += verdict.events

    def fall_still(self, seconds: float) -> None:
        """The job is heard, but does not move."""
        self.now += timedelta(seconds=seconds)
        self.job = replace(self.job, last_telemetry_at=self.now)
        verdict = staleness.judge(self.job, self.now, START, staleness.Limits())
        self.job = verdict.job
        self.events += verdict.events

    def states(self) -> list[tuple[str, str]]:
        return [(event.status, event.said_by) for event in self.events if event.kind == "state"]


def at(seconds: int) -> datetime:
    """The sender's own clock."""
    return START + timedelta(seconds=seconds)


def recorded(name: str) -> list[Telemetry]:
    lines = (WIRE / name).read_bytes().splitlines()
    bodies = [telemetry.decode(line) for line in lines]
    return [telemetry.parse(body.job_type, body.job_id, line) for body, line in zip(bodies, lines, strict=True)]


# Order


def test_an_unknown_job_is_created_by_its_first_update():
    run = Run()
    assert run.send(status="running", attempt=3, sequence=7).applied
    assert (run.job.attempt, run.job.sequence, run.job.status) == (3, 7, "running")
    assert run.job.created_at == run.job.started_at == run.job.last_telemetry_at == run.job.last_moved_at == START
    assert run.states() == [("running", "sender")]


def test_an_update_is_applied_only_if_its_position_is_greater_and_a_duplicate_proves_life():
    run = Run()
    run.send(status="running", sequence=2, bytes_transferred=20)
    for sequence, reason in ((2, "duplicate"), (1, "out_of_date"), (None, "out_of_date")):
        moment = run.now
        merged = run.send(status="running", sequence=sequence, bytes_transferred=99)
        assert (merged.applied, merged.reason, merged.command) == (False, reason, "continue")
        assert (run.job.bytes_transferred, run.job.last_telemetry_at) == (20, moment)
    assert run.send(status="running", sequence=3, bytes_transferred=30).applied


def test_within_an_attempt_bytes_never_fall():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=50)
    run.send(status="running", sequence=2, bytes_transferred=10)
    assert run.job.bytes_transferred == 50


def test_a_new_attempt_starts_again_and_the_old_one_stays_in_the_history():
    run = Run()
    run.send(status="running", sequence=8, bytes_transferred=60, total_bytes=100, vm_name="db", disks=())
    run.send(status="failed", sequence=9, error="no space")
    run.send(status="running", attempt=2, sequence=0)
    job = run.job
    assert (job.attempt, job.sequence, job.status, job.bytes_transferred, job.error_message) == (
        2,
        0,
        "running",
        0,
        None,
    )
    assert (job.vm_name, job.created_at, job.completed_at, job.closed_by) == ("db", START, None, None)
    [row] = [event for event in run.events if event.kind == "attempt"]
    assert (row.attempt, row.bytes_transferred, row.status) == (1, 60, "failed")


def test_an_update_of_an_older_attempt_is_told_that_it_is_superseded():
    run = Run()
    run.send(status="running", attempt=2, sequence=1)
    before = run.job
    merged = run.send(status="completed", attempt=1, sequence=99)
    assert (merged.applied, merged.reason, merged.command) == (False, "superseded", "superseded")
    assert run.job is before


def test_an_id_belongs_to_one_job_type():
    run = Run()
    run.send(status="running", sequence=1)
    with pytest.raises(fault.Invalid) as caught:
        run.send(job_type="restore", status="running", sequence=2)
    assert caught.value.field == "job_type"


# States


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_a_state_closed_by_the_sender_is_final_for_its_attempt(end: str):
    run = Run()
    run.send(status="running", sequence=1)
    run.send(status=end, sequence=2)
    before = run.job
    assert (before.status, before.closed_by, before.eta_seconds) == (end, "sender", 0)
    assert before.completed_at == START + timedelta(seconds=5)
    for sequence, reason in ((3, "final"), (2, "duplicate")):
        merged = run.send(status="running", sequence=sequence)
        assert (merged.applied, merged.reason) == (False, reason)
        assert run.job is before


def test_a_sender_that_speaks_after_an_operator_cancelled_is_told_to_stop():
    job = Job(id="vm-1", job_type="backup", created_at=START, status="cancelled", closed_by="operator", sequence=4)
    for sequence in (4, 5):
        merged = merge(job, Telemetry(job_type="backup", job_id="vm-1", sequence=sequence), START)
        assert (merged.job, merged.command, merged.applied) == (job, "cancel", False)


def test_a_job_waits_as_pending_until_its_sender_says_or_shows_otherwise():
    run = Run()
    run.send(sequence=1)
    assert (run.job.status, run.job.current_phase, run.job.started_at) == ("pending", "pending", None)
    run.send(status="pending", sequence=2)
    assert run.job.status == "pending"
    run.send(sequence=3, bytes_transferred=1)
    assert (run.job.status, run.job.started_at) == ("running", START + timedelta(seconds=10))
    run.send(status="pending", sequence=4)
    assert run.job.status == "running"


def test_silence_stalls_a_job_then_fails_it_and_newer_telemetry_revives_it_with_both_in_the_history():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=30, total_bytes=100)
    run.fall_silent(60)
    assert (run.job.status, run.job.eta_seconds, run.job.eta_reason) == ("stalled", None, "stalled")
    run.fall_silent(300)
    assert (run.job.status, run.job.closed_by) == ("failed", "reaper")
    assert run.job.error_message.startswith("no telemetry for 6m05s (last heard 2026-11-23T02:00:00Z at 30.0 %")
    run.send(status="running", sequence=2, bytes_transferred=40)
    job = run.job
    assert (job.status, job.closed_by, job.error_message, job.completed_at) == ("running", None, None, None)
    assert run.states() == [
        ("running", "sender"),
        ("stalled", "reaper"),
        ("failed", "reaper"),
        ("running", "sender"),
    ]


def test_the_senders_own_end_replaces_the_reapers_inference():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=100, total_bytes=100)
    run.fall_silent(400)
    run.send(status="completed", sequence=2)
    assert (run.job.status, run.job.closed_by, run.job.error_message) == ("completed", "sender", None)


def test_a_duplicate_wakes_a_stalled_job_but_not_one_that_the_reaper_failed():
    run = Run()
    run.send(status="running", sequence=1)
    run.fall_silent(100)
    assert not run.send(status="running", sequence=1).applied
    assert run.job.status == "running"
    run.fall_silent(400)
    run.send(status="running", sequence=1)
    assert run.job.status == "failed"


def test_a_failure_without_a_reason_says_so():
    run = Run()
    run.send(status="failed", sequence=1)
    assert run.job.error_message == "the sender reported a failure and gave no reason"


def test_changes_of_phase_and_disk_are_rows_of_the_history():
    run = Run()
    run.send(status="running", sequence=1, current_phase="snapshot", disks=(telemetry.Disk(0, status="pending"),))
    failed = telemetry.Disk(0, status="failed", error_message="EIO at 4096")
    run.send(status="running", sequence=2, current_phase="transferring", disks=(failed,))
    rows = [(event.kind, event.detail) for event in run.events if event.kind != "state"]
    assert rows == [
        ("disk", "disk 0 pending"),
        ("phase", "snapshot -> transferring"),
        ("disk", "disk 0 failed: EIO at 4096"),
    ]


# Numbers


def test_with_disks_the_jobs_bytes_are_their_sum_above_all_at_completion():
    run = Run()
    first, second = telemetry.Disk(0, 60, 100), telemetry.Disk(1, 5, 50)
    run.send(status="running", sequence=1, bytes_transferred=7, total_bytes=150, disks=(first, second))
    assert run.job.bytes_transferred == 65
    run.send(status="running", sequence=2, disks=(telemetry.Disk(1, 50, 50),))
    assert run.job.bytes_transferred == 110
    run.send(status="completed", sequence=3, bytes_transferred=0, disks=(telemetry.Disk(0, 100, 100),))
    assert (run.job.bytes_transferred, run.job.total_bytes, run.job.progress_percent) == (150, 150, 100)
    assert [disk.status for disk in run.job.disks] == ["completed", "completed"]


def test_a_disks_bottleneck_is_the_one_told_last():
    run = Run()
    run.send(status="running", sequence=1, disks=(telemetry.Disk(0, 60, 100, bottleneck="read"),))
    run.send(status="running", sequence=2, disks=(telemetry.Disk(0, 70, 100),))
    assert [disk.bottleneck for disk in run.job.disks] == ["read"]
    run.send(status="running", sequence=3, disks=(telemetry.Disk(0, 80, 100, bottleneck="write"),))
    assert [disk.bottleneck for disk in run.job.disks] == ["write"]


def test_a_failed_disk_of_a_job_called_completed_stays_failed():
    run = Run()
    run.send(
        status="completed", sequence=1, disks=(telemetry.Disk(0, 5, 9, status="failed"), telemetry.Disk(1, 9, 9))
    )
    assert [(disk.status, disk.progress_percent) for disk in run.job.disks] == [
        ("failed", pytest.approx(500 / 9)),
        ("completed", 100),
    ]


def test_the_total_is_what_the_sender_plans_else_the_sum_of_its_disks_else_unknown():
    run = Run()
    run.send(status="running", sequence=1, disks=(telemetry.Disk(0, 10, 0),))
    assert (run.job.total_bytes, run.job.progress_percent) == (0, None)
    run.send(status="running", sequence=2, disks=(telemetry.Disk(0, 10, 100),))
    assert run.job.total_bytes == 100
    run.send(status="running", sequence=3, disks=(telemetry.Disk(1, 0, 100),))
    assert run.job.total_bytes == 200
    run.send(status="running", sequence=4, total_bytes=250)
    assert (run.job.total_bytes, run.job.progress_percent) == (250, 4)


@pytest.mark.parametrize(
    ("fields", "percent"),
    [
        ({"bytes_transferred": 50, "total_bytes": 200, "progress_percent": 99.0}, 25.0),
        ({"bytes_transferred": 200, "total_bytes": 200}, 99.9),
        ({"bytes_transferred": 300, "total_bytes": 200}, 99.9),
        ({"bytes_transferred": 50, "progress_percent": 40.0}, 40.0),
        ({"bytes_transferred": 50, "progress_percent": 100.0}, 99.9),
        ({"bytes_transferred": 50}, None),
        ({"total_bytes": 200}, 0.0),
    ],
)
def test_progress_comes_from_bytes_and_total_and_is_100_only_when_completed(fields: dict, percent: float | None):
    run = Run()
    run.send(status="running", sequence=1, **fields)
    assert run.job.progress_percent == percent
    run.send(status="completed", sequence=2)
    assert run.job.progress_percent == 100


def test_a_completed_job_of_unknown_total_is_as_large_as_what_was_copied():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=77)
    run.send(status="completed", sequence=2, bytes_transferred=0)
    assert (run.job.bytes_transferred, run.job.total_bytes) == (77, 77)


def test_the_senders_speed_stands_in_until_the_hub_has_measured_and_the_last_measurement_stays():
    run = Run()
    run.send(status="running", sequence=1, transfer_speed_bps=123)
    assert run.job.transfer_speed_bps == 123
    run.send(status="running", sequence=2, bytes_transferred=5_000, transfer_speed_bps=123)
    assert run.job.transfer_speed_bps == 1_000
    run.send(status="completed", sequence=3, bytes_transferred=5_000, transfer_speed_bps=0)
    assert run.job.transfer_speed_bps == 1_000


def test_an_update_that_waited_in_a_spool_is_measured_at_its_own_time():
    run = Run()
    run.send(status="running", sequence=1)
    run.send(status="running", sequence=2, bytes_transferred=4_000, age=1.0)
    assert run.job.transfer_speed_bps == 1_000
    run.send(status="running", sequence=3, bytes_transferred=4_000, age=9e15)
    assert run.job.transfer_speed_bps == 1_000


def test_there_is_no_time_left_before_it_can_be_true():
    run = Run()
    seen = []
    for step in range(8):
        run.send(status="running", sequence=step, bytes_transferred=step * 500, total_bytes=10_000)
        seen.append((run.job.eta_seconds, run.job.eta_reason))
    assert seen[:6] == [(None, "measuring")] * 6
    assert seen[6:] == [(70, None), (65, None)]


def test_the_end_of_a_copy_that_is_verified_then_is_not_told_as_the_jobs():
    run = Run()
    seen = []
    for step in range(9):
        said = {"bytes_transferred": step * 500, "bytes_to_verify": 20_000 if step == 0 else 0}
        run.send(status="running", sequence=step, total_bytes=4_000, current_phase="transferring", **said)
        seen.append((run.job.eta_seconds, run.job.eta_reason, job_view(run.job).eta_copy_seconds))
    assert seen[:6] == [(None, "measuring", None)] * 6
    assert seen[6:] == [(None, "verification", 10), (None, "verification", 5), (None, "verification", None)]
    assert (run.job.eta_low_seconds, run.job.eta_high_seconds) == (None, None)
    run.fall_silent(70)
    assert (run.job.eta_reason, job_view(run.job).eta_copy_seconds) == ("stalled", None)


def test_a_verification_has_a_time_left_by_the_bytes_that_are_read_again():
    run = Run()
    run.send(status="running", sequence=1, total_bytes=10, bytes_transferred=10, current_phase="transferring")
    seen = []
    for step in range(11):
        said = {"bytes_verified": 1_000 + step * 500, "bytes_to_verify": 6_000, "transfer_speed_bps": 3}
        run.send(status="running", sequence=step + 2, current_phase="verifying", **said)
        seen.append((run.job.eta_seconds, run.job.eta_reason))
    assert seen == [
        *[(None, "measuring")] * 6,
        (20, None),
        (15, None),
        (10, None),
        (5, None),
        (None, "finalizing"),
    ]
    assert run.job.transfer_speed_bps == 3  # the sender's word: nothing is copied that the hub could measure
    run.send(status="completed", sequence=20)
    assert (run.job.eta_seconds, run.job.eta_reason, run.job.transfer_speed_bps) == (0, None, 3)


def test_no_speed_is_made_of_bytes_read_again_and_bytes_copied():
    run = Run()
    for step in range(8):
        said = {"bytes_verified": step * 500, "bytes_to_verify": 9_000, "bytes_transferred": 50_000}
        run.send(status="running", sequence=step, current_phase="verifying", **said)
    run.send(status="completed", sequence=9, current_phase="finalizing")
    assert run.job.transfer_speed_bps == 0


def test_a_verification_that_stands_still_has_no_time_left():
    run = Run()
    for step in range(12):
        run.send(status="running", sequence=step, current_phase="verifying", bytes_verified=5, bytes_to_verify=60)
    assert (run.job.eta_seconds, run.job.eta_reason) == (None, "measuring")


def test_a_verification_whose_size_is_told_late_is_measured_from_then_on():
    run = Run()
    for step in range(8):
        run.send(
            status="running", sequence=step, bytes_transferred=9_000, total_bytes=9_000, current_phase="verifying"
        )
    assert run.job.eta_reason == "finalizing"
    for step in range(8):
        said = {"bytes_verified": step * 500, "bytes_to_verify": 5_000}
        run.send(status="running", sequence=step + 8, current_phase="verifying", **said)
    assert (run.job.eta_seconds, run.job.eta_reason) == (15, None)


def test_how_near_estimates_of_copies_came_says_nothing_of_a_verification():
    job = None
    for number in range(9):
        said = {"bytes_verified": 100 * number, "bytes_to_verify": 10_000, "vm_name": "web"}
        update = Telemetry("backup", "vm-1", sequence=number, current_phase="verifying", **said)
        job = merge(job, update, START + timedelta(seconds=5 * number), past={"web": 0.5}).job
    assert (job.eta_low_seconds, job.eta_high_seconds) == estimate.spread(job.meter, job.eta_seconds)
    assert job_view(job).eta_basis == "run"


def test_only_advancing_bytes_or_phase_count_as_moving():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=5)
    run.send(status="running", sequence=2, bytes_transferred=5)
    assert run.job.last_moved_at == START
    run.send(status="running", sequence=3, bytes_transferred=6)
    assert run.job.last_moved_at == START + timedelta(seconds=10)
    run.send(status="running", sequence=4, current_phase="verifying")
    assert run.job.last_moved_at == START + timedelta(seconds=15)


def test_bytes_that_are_verified_count_as_moving_and_as_nothing_else():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=5, total_bytes=10, current_phase="verifying")
    for sequence, verified, moved in ((2, 3, True), (3, 3, False), (4, 0, False), (5, 4, True), (6, 4, False)):
        before = run.job.last_moved_at
        run.send(status="running", sequence=sequence, bytes_transferred=5, bytes_verified=verified)
        assert (run.job.last_moved_at > before) == moved
        assert (run.job.bytes_transferred, run.job.progress_percent) == (5, 50)
    run.send(attempt=2, status="running", sequence=1, current_phase="verifying")
    before = run.job.last_moved_at
    run.send(attempt=2, status="running", sequence=2, bytes_verified=1)
    assert run.job.last_moved_at > before


def test_a_verification_is_told_in_bytes_of_all_that_are_read_again_until_the_next_attempt():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=5, total_bytes=5, current_phase="transferring")
    assert (run.job.meter.verified, run.job.meter.to_verify) == (0, 0)
    run.send(status="running", sequence=2, current_phase="verifying", bytes_to_verify=40)
    seen = []
    for sequence, said in (
        (3, {"bytes_verified": 7, "bytes_to_verify": 40}),
        (4, {"bytes_verified": 30}),
        (5, {}),
    ):
        run.send(status="running", sequence=sequence, **said)
        shown = job_view(run.job)
        seen.append((shown.bytes_verified, shown.bytes_to_verify, shown.bytes_transferred))
    assert seen == [(7, 40, 5), (30, 40, 5), (30, 40, 5)]
    run.send(attempt=2, status="running", sequence=1, bytes_transferred=1)
    assert (job_view(run.job).bytes_verified, job_view(run.job).bytes_to_verify) == (0, 0)


def test_disks_that_add_up_beyond_what_can_be_stored_are_refused():
    run = Run()
    run.send(status="running", sequence=1, disks=(telemetry.Disk(0, telemetry.INT64),))
    with pytest.raises(fault.Invalid):
        run.send(status="running", sequence=2, disks=(telemetry.Disk(1, 1),))
    with pytest.raises(fault.Invalid):
        run.send(status="running", sequence=2, disks=tuple(telemetry.Disk(n) for n in range(1, 257)))


def test_disks_that_appear_late_take_no_bytes_away():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=1000)
    run.send(status="running", sequence=2, disks=(telemetry.Disk(0, 400),))
    assert (run.job.bytes_transferred, run.job.transfer_speed_bps) == (1000, 0)
    run.send(status="running", sequence=3, disks=(telemetry.Disk(0, 1200),))
    assert run.job.bytes_transferred == 1200


def test_disks_that_tell_no_bytes_leave_the_jobs_own_number():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=1000)
    run.send(
        status="completed", sequence=2, bytes_transferred=2000, disks=(telemetry.Disk(0, status="completed"),)
    )
    assert (run.job.bytes_transferred, run.job.total_bytes) == (2000, 2000)


def test_a_planned_total_does_not_fall_to_what_the_disks_add_up_to():
    run = Run()
    run.send(status="running", sequence=1, total_bytes=1000)
    run.send(status="running", sequence=2, disks=(telemetry.Disk(0, 1, 500),))
    assert run.job.total_bytes == 1000


def test_a_sender_that_begins_to_number_its_updates_speaks_for_itself_again():
    run = Run()
    run.send(status="running", bytes_transferred=100, total_bytes=1000)
    run.send(status="running", sequence=1, bytes_transferred=500)
    assert (run.job.bytes_transferred, run.job.disks) == (500, ())
    run.send(status="completed", sequence=2, bytes_transferred=1000)
    assert (run.job.bytes_transferred, run.job.progress_percent) == (1000, 100)


def test_a_stalled_job_that_never_ran_wakes_as_pending():
    run = Run()
    run.send(status="pending", sequence=1)
    run.fall_silent(100)
    run.send(status="pending", sequence=1)
    assert (run.job.status, run.job.started_at) == ("pending", None)


def test_what_the_sender_said_was_wrong_outlives_the_reapers_verdict():
    run = Run()
    run.send(status="running", sequence=1, error="disk 1 unreadable")
    run.fall_silent(400)
    assert run.job.error_message.startswith("no telemetry for")
    run.send(status="failed", sequence=2)
    assert run.job.error_message == "disk 1 unreadable"


# The original sender


def test_the_recorded_run_of_one_disk_ends_with_all_its_bytes():
    run = Run()
    for update in recorded("original-sender-one-disk.ndjson"):
        run.take(update)
    job = run.job
    assert (job.status, job.bytes_transferred, job.total_bytes, job.progress_percent) == (
        "completed",
        8455192577,
        8455192577,
        100,
    )
    assert (job.vm_name, job.eta_seconds, job.closed_by) == ("pgtest1", 0, "sender")
    assert [(disk.index, disk.bytes_transferred, disk.status) for disk in job.disks] == [
        (0, 8455192577, "completed")
    ]


def test_the_recorded_failure_is_a_failure_with_its_message():
    run = Run()
    [update] = recorded("original-sender-failed.ndjson")
    run.take(update)
    assert (run.job.status, run.job.error_message) == ("failed", 'disk read <failed> & "quoted"')
    assert run.job.disks == ()


def test_the_recorded_run_of_unknown_total_is_as_large_as_what_was_copied():
    run = Run()
    first, last = recorded("original-sender-total-unknown.ndjson")
    run.take(first)
    assert (run.job.eta_seconds, run.job.eta_reason, run.job.transfer_speed_bps) == (
        None,
        "unknown_total",
        59995188,
    )
    run.take(last)
    assert (run.job.bytes_transferred, run.job.total_bytes, run.job.transfer_speed_bps) == (
        300000000,
        300000000,
        59995188,
    )


def test_a_later_running_opens_the_next_disk_and_the_job_is_the_sum():
    run = Run()
    run.send(status="running", bytes_transferred=100, total_bytes=100, timestamp=at(1))
    run.send(status="completed", timestamp=at(2))
    late = run.send(status="running", bytes_transferred=90, total_bytes=100, timestamp=at(2))
    assert (late.applied, late.reason, run.job.status) == (False, "final", "completed")
    run.send(status="running", bytes_transferred=10, total_bytes=50, timestamp=at(7))
    assert (run.job.status, run.job.bytes_transferred, run.job.total_bytes, run.job.closed_by) == (
        "running",
        110,
        150,
        None,
    )
    run.send(status="completed", timestamp=at(9))
    assert [(disk.index, disk.bytes_transferred, disk.total_bytes, disk.status) for disk in run.job.disks] == [
        (0, 100, 100, "completed"),
        (1, 10, 50, "completed"),
    ]
    assert (run.job.status, run.job.bytes_transferred, run.job.progress_percent) == ("completed", 110, 100)
    assert [state for state, _ in run.states()] == ["running", "completed", "running", "completed"]


def test_without_clocks_nothing_opens_a_next_disk():
    for ended, began in ((None, at(9)), (at(2), None)):
        run = Run()
        run.send(status="running", bytes_transferred=100, timestamp=at(1))
        run.send(status="completed", timestamp=ended)
        assert not run.send(status="running", bytes_transferred=10, timestamp=began).applied


def test_a_disk_that_fails_before_its_first_progress_does_not_hide_behind_the_finished_one():
    run = Run()
    run.send(status="running", bytes_transferred=100, total_bytes=100, timestamp=at(1))
    run.send(status="completed", timestamp=at(2))
    run.send(status="failed", error="disk 1: no such file", timestamp=at(4))
    assert (run.job.status, run.job.error_message) == ("failed", "disk 1: no such file")
    assert [disk.status for disk in run.job.disks] == ["completed", "failed"]


def test_a_next_disk_of_unknown_total_makes_the_jobs_total_unknown():
    run = Run()
    run.send(status="running", bytes_transferred=100, total_bytes=100, timestamp=at(1))
    run.send(status="completed", timestamp=at(2))
    run.send(status="running", bytes_transferred=10, timestamp=at(7), progress_percent=20.0)
    assert (run.job.total_bytes, run.job.eta_reason) == (0, "unknown_total")


def test_a_late_word_of_a_finished_disk_changes_nothing_of_the_open_one():
    run = Run()
    run.send(status="running", bytes_transferred=1000, total_bytes=1000, timestamp=at(8))
    run.send(status="completed", timestamp=at(10))
    run.send(status="running", bytes_transferred=5, total_bytes=50, timestamp=at(11))
    for status, seconds in (("running", 9), ("running", 10), ("completed", 10)):
        late = run.send(status=status, bytes_transferred=1000, total_bytes=1000, timestamp=at(seconds))
        assert (late.applied, late.reason) == (False, "late")
        assert (run.job.status, run.job.bytes_transferred, run.job.total_bytes) == ("running", 1005, 1050)


def test_a_disk_without_a_changed_block_is_a_disk_too():
    run = Run()
    run.send(status="completed", timestamp=at(1))
    run.send(status="running", bytes_transferred=5, total_bytes=50, timestamp=at(3))
    assert [(disk.index, disk.bytes_transferred, disk.status) for disk in run.job.disks] == [
        (0, 0, "completed"),
        (1, 5, "running"),
    ]
    assert (run.job.total_bytes, run.job.progress_percent) == (50, 10)


def test_zero_empty_and_null_of_the_original_overwrite_nothing():
    run = Run()
    run.send(status="running", bytes_transferred=60, total_bytes=100, current_phase="transferring", vm_name="db")
    run.send(status="running")
    job = run.job
    assert (job.bytes_transferred, job.total_bytes, job.current_phase, job.vm_name) == (
        60,
        100,
        "transferring",
        "db",
    )


def test_disks_named_by_a_sender_without_sequence_are_its_own_and_not_counted_serially():
    run = Run()
    disks = (telemetry.Disk(0, 10, 20), telemetry.Disk(1, 5, 20))
    run.send(status="running", disks=disks, timestamp=at(1))
    run.send(status="running", bytes_transferred=99, timestamp=at(2))
    assert run.job.bytes_transferred == 15
    run.send(status="completed", timestamp=at(3))
    run.send(status="running", disks=(telemetry.Disk(2, 1, 20),), timestamp=at(9))
    assert (run.job.status, run.job.bytes_transferred, len(run.job.disks)) == ("running", 16, 3)


# Properties

SEQUENCED = st.builds(
    Telemetry,
    job_type=st.just("backup"),
    job_id=st.just("vm-1"),
    status=st.sampled_from(["", "pending", "running", "running", "completed", "failed", "cancelled"]),
    current_phase=st.sampled_from(["", "transferring", "verifying"]),
    bytes_transferred=st.integers(0, 1000),
    total_bytes=st.sampled_from([0, 500, 1000]),
    disks=st.lists(
        st.builds(
            telemetry.Disk,
            index=st.integers(0, 3),
            bytes_transferred=st.integers(0, 1000),
            total_bytes=st.sampled_from([0, 1000]),
            status=st.sampled_from(["", "running", "completed", "failed"]),
        ),
        max_size=3,
        unique_by=lambda disk: disk.index,
    ).map(tuple),
    attempt=st.integers(1, 3),
    sequence=st.integers(0, 20),
    age=st.floats(0, 100),
)
ORIGINAL = st.builds(
    Telemetry,
    job_type=st.just("backup"),
    job_id=st.just("vm-1"),
    status=st.sampled_from(["running", "running", "completed", "failed"]),
    bytes_transferred=st.integers(0, 1000),
    total_bytes=st.sampled_from([0, 1000]),
    timestamp=st.none() | st.integers(0, 60).map(at),
)
ANY = st.one_of(SEQUENCED, ORIGINAL)


@given(st.lists(ANY, max_size=12))
def test_an_update_taken_twice_leaves_the_numbers_of_one(updates: list[Telemetry]):
    run = Run()
    for update in updates:
        run.take(update)
        once = run.job
        again = run.take(update)
        assert (again.job.bytes_transferred, again.job.disks, again.job.status) == (
            once.bytes_transferred,
            once.disks,
            once.status,
        )
        assert not again.events


@given(st.lists(ANY, max_size=12))
def test_bytes_never_fall_and_final_states_stay_within_an_attempt(updates: list[Telemetry]):
    run = Run()
    for update in updates:
        before = run.job
        merged = run.take(update)
        after = merged.job
        summed = sum(disk.bytes_transferred for disk in after.disks)
        same_attempt = before is not None and before.attempt == after.attempt
        if summed and summed >= (before.bytes_transferred if same_attempt else 0):
            assert after.bytes_transferred == summed
        assert after.transfer_speed_bps >= 0
        assert after.progress_percent is None or 0 <= after.progress_percent <= 100
        assert (after.progress_percent == 100) <= (after.status == "completed")
        if before is None or before.attempt != after.attempt:
            continue
        assert after.bytes_transferred >= before.bytes_transferred
        if before.closed_by == "sender" and before.status != "completed":
            assert after is before
        if before.closed_by == "sender" and update.sequence is not None:
            assert after is before


@st.composite
def honest_runs(draw: st.DrawFn) -> list[Telemetry]:
    """The updates of one attempt as a true sender makes them: counters only rise, the end comes last."""
    totals = draw(st.lists(st.integers(1, 1000), min_size=1, max_size=3))
    steps = draw(st.integers(1, 6))
    end = draw(st.sampled_from(["completed", "failed", "cancelled"]))
    updates = []
    for step in range(steps + 1):
        disks = tuple(
            telemetry.Disk(n, total * step // steps, total, status="running") for n, total in enumerate(totals)
        )
        updates.append(
            Telemetry(
                job_type="backup",
                job_id="vm-1",
                status="running" if step < steps else end,
                current_phase="transferring",
                total_bytes=sum(totals),
                disks=disks,
                sequence=step,
            )
        )
    return updates


@given(honest_runs(), st.data())
def test_the_end_is_the_same_in_whatever_order_the_updates_arrive(updates: list[Telemetry], data: st.DataObject):
    shuffled = data.draw(st.permutations(updates))
    ends = []
    for order in (updates, shuffled):
        run = Run()
        for update in order:
            run.take(update)
        job = run.job
        ends.append((job.status, job.bytes_transferred, job.total_bytes, job.disks, job.sequence, job.closed_by))
    assert ends[0] == ends[1]


def test_every_order_of_three_updates_gives_the_same_end():
    updates = [
        Telemetry(
            job_type="backup", job_id="vm-1", status=status, bytes_transferred=done, total_bytes=9, sequence=n
        )
        for n, (status, done) in enumerate([("running", 1), ("running", 5), ("completed", 9)])
    ]
    ends = set()
    for order in itertools.permutations(updates):
        run = Run()
        for update in order:
            run.take(update)
        ends.add((run.job.status, run.job.bytes_transferred, run.job.sequence))
    assert ends == {("completed", 9, 2)}


def test_a_job_that_moves_again_is_no_longer_shown_as_not_moving_and_its_history_says_so():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=5)
    run.fall_still(600)
    assert run.job.not_moving
    run.send(status="running", sequence=2, bytes_transferred=5)
    assert run.job.not_moving
    run.send(status="running", sequence=3, bytes_transferred=6)
    assert not run.job.not_moving
    assert [(event.said_by, event.detail) for event in run.events if event.kind == "alarm"] == [
        ("reaper", "heard, but not moved for 10m05s, phase pending"),
        ("sender", "moves again"),
    ]


def test_a_job_that_ends_without_moving_again_is_no_longer_shown_as_not_moving():
    run = Run()
    run.send(status="running", sequence=1, bytes_transferred=5)
    run.fall_still(600)
    run.send(status="failed", sequence=2)
    assert not run.job.not_moving
    assert "moves again" not in [event.detail for event in run.events]


def test_each_update_names_the_hub_that_heard_it():
    first = merge(None, Telemetry(job_type="backup", job_id="vm-1", status="running", sequence=1), START, "hub-a")
    assert first.job.heard_by == "hub-a"
    again = Telemetry(job_type="backup", job_id="vm-1", status="running", sequence=1)
    assert merge(first.job, again, at(5), "hub-b").job.heard_by == "hub-b"


def test_the_range_of_the_time_left_rests_on_the_machines_past_as_well():
    job = None
    for number in range(9):
        said = {"sequence": number, "bytes_transferred": 100 * number, "total_bytes": 10_000, "vm_name": "web"}
        update = Telemetry("backup", "vm-1", **said)
        job = merge(job, update, START + timedelta(seconds=5 * number), past={"web": 0.5, "db": 0.1}).job
    shown = (job.eta_low_seconds, job.eta_high_seconds)
    assert shown == estimate.spread(job.meter, job.eta_seconds, 0.5)
    assert job_view(job).eta_basis == "history"
    update = Telemetry("backup", "vm-1", sequence=9, bytes_transferred=900, total_bytes=10_000, vm_name="web")
    job = merge(job, update, START + timedelta(seconds=45), past={"db": 0.1}).job
    assert (job.eta_low_seconds, job.eta_high_seconds) == estimate.spread(job.meter, job.eta_seconds)
    assert job_view(job).eta_basis == "run"
    ended = merge(job, replace(update, sequence=10, status="completed"), START + timedelta(seconds=50)).job
    assert (ended.eta_low_seconds, job_view(ended).eta_basis) == (None, None)
