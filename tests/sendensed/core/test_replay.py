"""Replay: a run is gone through again as the hub saw it, from its points and its history."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from schemas import bundle
from schemas.bundle import Bundle
from schemas.job import EventView, JobDetail, Prediction
from schemas.reading import DiskBytes, Sample, Samples
from sendensed.core import prediction, replay
from sendensed.core.model import Disk, Job, Meter
from sendensed.core.view import job_view

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
GIB = 2**30


def at(seconds: float) -> datetime:
    return NIGHT + timedelta(seconds=seconds)


def sample(
    seconds: float, done: int, speed: int = 7, attempt: int = 1, disks: dict[int, int] | None = None
) -> Sample:
    known = None if disks is None else tuple(DiskBytes(index, each * GIB) for index, each in disks.items())
    return Sample(at(seconds), attempt, done, speed, "transferring", known)


def event(seconds: float, status: str, kind: str = "state", said_by: str = "sender", **said: object) -> EventView:
    known = {"attempt": 1, "sequence": None, "bytes_transferred": 0, "progress_percent": None, "detail": ""}
    return EventView(at(seconds), kind, said_by, status, current_phase="transferring", **{**known, **said})


def recorded(*points: Sample, events: tuple[EventView, ...] = (), predictions=(), **fields: object) -> Bundle:
    known = {
        "created_at": NIGHT,
        "started_at": NIGHT,
        "completed_at": at(100),
        "last_telemetry_at": at(100),
        "vm_name": "web01",
        "status": "completed",
        "closed_by": "sender",
        "total_bytes": 10 * GIB,
        "bytes_transferred": 10 * GIB,
        "progress_percent": 100.0,
        "sender": "clientd 0.1.0",
        "disks": (Disk(0, 10 * GIB, 10 * GIB, 100.0, "completed"),),
        "revision": 9,
    }
    job = job_view(Job(id="a", job_type="backup", **{**known, **fields}))
    chart = Samples("a", 5.0, points, ())
    lines = bundle.write(JobDetail(job, events, predictions), chart, hub="hub-a", version="1", now=at(200))
    return bundle.read(lines)


def test_points_become_the_job_as_it_stood_with_the_speed_that_was_kept():
    found = replay.steps(recorded(*(sample(5 * number, number * GIB // 2) for number in range(1, 20))))
    assert [step.at for step in found] == [NIGHT, *(at(5 * number) for number in range(1, 20)), at(100)]
    first, second = found[0].job, found[1].job
    assert (first.status, first.vm_name, first.created_at, first.bytes_transferred) == (
        "pending",
        "web01",
        NIGHT,
        0,
    )
    assert (second.status, second.transfer_speed_bps, second.progress_percent) == ("running", 7, 5.0)
    assert (second.eta_seconds, second.eta_reason) == (None, "measuring")
    assert second.disks == (Disk(0, GIB // 2, 10 * GIB, 5.0),)
    late = found[-2].job
    assert (late.last_telemetry_at, late.eta_reason) == (at(95), None)
    assert 3 <= late.eta_seconds <= 7
    assert [step.is_sampled for step in found] == [False, *[True] * 19, False]


def test_the_end_is_the_job_as_it_was_exported():
    played = recorded(sample(5, GIB), sample(100, 10 * GIB), events=(event(100, "completed"),))
    *_, sampled, told, last = replay.steps(played)
    assert sampled.job == told.job == last.job
    assert [one.kind for one in told.events] == ["state"]
    assert replace(job_view(last.job), revision=played.job.revision) == played.job


def test_silence_is_a_verdict_and_a_later_word_revives():
    played = recorded(
        sample(5, GIB),
        sample(90, 2 * GIB),
        events=(event(65, "stalled", said_by="reaper"), event(90, "running")),
    )
    states = [(step.at, step.job.status) for step in replay.steps(played)]
    assert states[2:-1] == [(at(65), "stalled"), (at(90), "running"), (at(90), "running")]
    stalled = replay.steps(played)[2].job
    assert (stalled.eta_seconds, stalled.eta_reason) == (None, "stalled")


def test_a_failed_attempt_and_the_next_one_are_both_shown():
    played = recorded(
        sample(5, 4 * GIB),
        sample(40, GIB, attempt=2),
        events=(
            event(20, "failed", detail="no space"),
            event(40, "failed", kind="attempt", attempt=2),
            event(40, "running", attempt=2),
        ),
        attempt=2,
    )
    *_, failed, restarted, _, _, last = [step.job for step in replay.steps(played)]
    assert (failed.status, failed.error_message, failed.closed_by) == ("failed", "no space", "sender")
    assert (failed.completed_at, failed.eta_seconds) == (at(20), 0)
    assert (restarted.status, restarted.attempt, restarted.bytes_transferred) == ("running", 2, GIB)
    assert (restarted.error_message, restarted.completed_at) == (None, None)
    assert last.status == "completed"


def test_a_word_after_the_senders_end_opens_the_same_attempt_again():
    played = recorded(sample(5, GIB), sample(30, 2 * GIB), events=(event(10, "completed"), event(30, "running")))
    states = [step.job.status for step in replay.steps(played)]
    assert states == ["pending", "running", "completed", "running", "running", "completed"]


def test_wishes_alarms_and_other_rows_of_the_history():
    played = recorded(
        sample(5, GIB),
        events=(
            event(1, "pending"),
            event(10, "running", kind="cancel", said_by="operator"),
            event(11, "running", kind="alarm", said_by="reaper", detail="has not moved for 10 min"),
            event(12, "running", kind="alarm", detail="moves again"),
            event(13, "running", kind="disk"),
            event(20, "cancelled", said_by="operator"),
            event(25, "running"),
        ),
    )
    jobs = [step.job for step in replay.steps(played)]
    assert [job.cancel_requested_at for job in jobs[2:5]] == [None, at(10), at(10)]
    assert [job.not_moving for job in jobs[3:7]] == [False, True, False, False]
    assert [job.status for job in jobs[6:]] == ["running", "cancelled", "running", "completed"]


def test_a_run_that_goes_on_ends_where_it_was_exported():
    played = recorded(status="running", closed_by=None, completed_at=None, progress_percent=40.0)
    first, last = replay.steps(played)
    assert (first.at, last.at) == (NIGHT, at(200))
    assert last.job.progress_percent == 40.0


def of_disks(*points: Sample, told: dict[float, tuple[str, ...]], disks: tuple[Disk, ...], **fields: object):
    """The disks at each point of a run, as `index: bytes, percent, state`, in the words of the history."""
    rows = tuple(
        event(when, "running", kind="disk", detail=said) for when, lines in told.items() for said in lines
    )
    played = recorded(*points, events=rows, disks=disks, **fields)
    return [
        {
            disk.index: (disk.bytes_transferred // GIB, disk.progress_percent, disk.status)
            for disk in step.job.disks
        }
        for step in replay.steps(played)
        if step.is_sampled
    ]


THREE = (
    Disk(0, 4 * GIB, 4 * GIB, 100.0, "completed"),
    Disk(1, 2 * GIB, 4 * GIB, 50.0, "failed", "EIO: at 9"),
    Disk(2, 4 * GIB, 4 * GIB, 100.0, "completed"),
)


def test_of_several_disks_each_is_shown_at_the_times_when_the_history_tells_how_far_it_was():
    seen = of_disks(
        *(sample(when, done * GIB) for when, done in ((5, 0), (10, 1), (20, 3), (40, 5), (50, 8), (60, 9))),
        told={
            5: ("disk 0 pending", "disk 1 pending", "disk 2 pending"),
            8: ("disk 0 running",),
            15: ("disk 1 running",),
            30: ("disk 0 completed",),
            45: ("disk 2 running",),
            55: ("disk 1 failed: EIO: at 9", "other words"),
        },
        disks=THREE,
        total_bytes=12 * GIB,
    )
    assert seen == [
        {},  # points come before the rows of the same moment
        {0: (1, 25.0, "running"), 1: (0, 0.0, "pending"), 2: (0, 0.0, "pending")},
        {2: (0, 0.0, "pending")},
        {0: (4, 100.0, "completed"), 1: (1, 25.0, "running"), 2: (0, 0.0, "pending")},
        {0: (4, 100.0, "completed")},
        {0: (4, 100.0, "completed"), 1: (2, 50.0, "failed"), 2: (3, 75.0, "running")},
    ]


def test_of_an_attempt_before_the_last_only_disks_without_another_ones_bytes_are_known():
    told = {1: ("disk 0 running", "disk 1 pending"), 15: ("disk 0 completed",), 16: ("disk 1 running",)}
    points = (sample(2, 0), sample(10, 3 * GIB), sample(20, 5 * GIB), sample(30, GIB, attempt=2))
    assert of_disks(*points, told=told, disks=THREE[:2], attempt=2) == [
        {0: (0, None, "running"), 1: (0, None, "pending")},
        {0: (3, None, "running"), 1: (0, None, "pending")},
        {},
        {},
    ]


def test_a_history_whose_beginning_is_lost_tells_nothing_of_several_disks():
    told = {6: ("disk 0 running",), 15: ("disk 0 completed",)}
    assert of_disks(sample(5, GIB), sample(20, 5 * GIB), told=told, disks=THREE[:2]) == [{}, {}]


def test_points_that_tell_the_disks_show_each_of_several_that_run_at_once():
    seen = of_disks(
        sample(5, 0),
        sample(10, 3 * GIB, disks={0: 2, 1: 1}),
        sample(20, 6 * GIB, disks={0: 3, 1: 1, 2: 2}),
        sample(40, 9 * GIB, disks={0: 4, 1: 1, 2: 4}),
        sample(50, 9 * GIB),
        told={
            4: ("disk 0 running", "disk 1 running", "disk 2 pending"),
            15: ("disk 2 running",),
            30: ("disk 1 failed: EIO: at 9", "disk 0 completed"),
        },
        disks=THREE,
        total_bytes=12 * GIB,
    )
    assert seen == [
        {2: (0, 0.0, "pending")},
        {0: (2, 50.0, "running"), 1: (1, 25.0, "running"), 2: (0, 0.0, "pending")},
        {0: (3, 75.0, "running"), 1: (1, 25.0, "running"), 2: (2, 50.0, "running")},
        {0: (4, 100.0, "completed"), 1: (2, 50.0, "failed"), 2: (4, 99.9, "running")},
        {0: (4, 100.0, "completed"), 1: (2, 50.0, "failed"), 2: (3, 75.0, "running")},
    ]


def test_a_disk_that_ended_after_a_point_has_all_its_bytes_at_once():
    told = event(30, "running", kind="disk", detail="disk 0 completed")
    played = recorded(sample(20, 5 * GIB, disks={0: 3, 1: 2}), events=(told,), disks=THREE[:2])
    *_, at_point, at_end, _ = replay.steps(played)
    assert [disk.bytes_transferred // GIB for disk in at_point.job.disks] == [3, 2]
    assert [disk.bytes_transferred // GIB for disk in at_end.job.disks] == [4, 2]


def test_points_that_tell_the_disks_do_so_in_any_attempt_and_without_the_beginning_of_the_history():
    told = {15: ("disk 0 completed",)}
    points = (sample(10, 3 * GIB, disks={0: 2, 1: 1}), sample(20, 5 * GIB, disks={0: 4, 1: 1}))
    assert of_disks(
        *points, sample(30, GIB, attempt=2, disks={0: 1, 1: 0}), told=told, disks=THREE[:2], attempt=2
    ) == [
        {0: (2, None, ""), 1: (1, None, "")},
        {0: (4, 100.0, "completed"), 1: (1, None, "")},
        {0: (1, 25.0, ""), 1: (0, 0.0, "")},
    ]


def test_how_far_a_verification_was_is_part_of_the_end():
    played = recorded(sample(5, GIB), meter=Meter(verified=3, to_verify=9))
    assert replay.steps(played)[-1].job.meter == Meter(verified=3, to_verify=9)


def test_a_verification_goes_by_as_its_points_told_it():
    points = [replace(sample(5 * number, number * GIB), bytes_verified=0) for number in range(1, 11)]
    points += [
        replace(sample(50 + 5 * number, 10 * GIB), current_phase="verifying", bytes_verified=number * GIB)
        for number in range(1, 10)
    ]
    jobs = [
        step.job for step in replay.steps(recorded(*points, meter=Meter(verified=10 * GIB, to_verify=10 * GIB)))
    ]
    views = [job_view(job) for job in jobs[11:20]]
    assert [view.bytes_verified for view in views] == [number * GIB for number in range(1, 10)]
    assert {view.bytes_to_verify for view in views} == {10 * GIB}
    assert jobs[10].eta_reason == "verification"
    assert views[-1].eta_seconds == 5


def test_a_copy_that_was_verified_then_has_no_time_left_of_the_whole_run():
    points = [sample(5 * number, number * GIB // 2) for number in range(1, 11)]
    points.append(replace(sample(60, 10 * GIB), current_phase="verifying"))
    jobs = [
        step.job
        for step in replay.steps(recorded(*points, meter=Meter(verified=3, to_verify=9)))
        if step.is_sampled
    ]
    assert [job.eta_reason for job in jobs[6:]] == [*["verification"] * 4, "finalizing"]
    assert [(job.meter.verified, job.meter.to_verify) for job in jobs[-2:]] == [(0, 9), (0, 0)]


def test_what_was_predicted_is_shown_as_it_was():
    kept = (Prediction(25, 80, 60, 120, 75), Prediction(50, 45, 40, 60, None))
    last = replay.steps(recorded(predictions=kept))[-1].job
    assert prediction.views(last)[0] == kept[0]
    assert prediction.views(last)[1].predicted_seconds == 45
