"""Job: the states of a job and its disks, and bodies that every hub accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientd.core import job
from clientd.core.job import DiskCopied, DiskFailed, DiskPlanned, DiskStarted, DiskWritten, Identity, JobEnded
from clientd.core.order import DiskOrder, Order
from clientd.core.progress import Count
from schemas import codec, telemetry

JOB_ID = "backup-größe 1/2"


def identity(disks: int) -> Identity:
    return Identity(JOB_ID, "backup", 2, "vm", "clientd/1", tuple(range(disks)))


def run(disks: int, *events: job.Event) -> job.Job:
    state = job.begin(disks)
    for event in events:
        state = job.apply(state, event)
    return state


def whole(index: int, total: int = 100) -> list[job.Event]:
    return [DiskPlanned(index, total), DiskStarted(index), DiskWritten(index), DiskCopied(index)]


def wire(state: job.Job, counts: list[Count], sequence: int = 1) -> telemetry.Telemetry:
    body = job.body(
        identity(len(counts)), state, counts, speed=5, sequence=sequence, timestamp="2026-11-23T02:14:07Z"
    )
    return telemetry.parse("backup", JOB_ID, codec.encode(body))


def test_an_attempt_carries_the_names_that_its_order_gives():
    disks = (DiskOrder(index=3, target="a", source="b"), DiskOrder(index=5, target="c", source="d"))
    order = Order(job_id=JOB_ID, job_type="backup", vm_name="vm", disks=disks)
    assert job.identity(order, 2, "clientd/1") == Identity(
        JOB_ID, "backup", 2, "vm", "clientd/1", (3, 5), order.mode
    )


def test_phases_follow_the_disks():
    state = job.begin(2)
    phases = []
    for event in (
        DiskPlanned(0, 1),
        DiskPlanned(1, 1),
        DiskStarted(0),
        DiskWritten(0),
        DiskStarted(1),
        DiskCopied(0),
        DiskWritten(1),
        DiskCopied(1),
    ):
        state = job.apply(state, event)
        phases.append(state.phase)
    assert phases == ["starting"] * 2 + ["transferring"] * 4 + ["finalizing"] * 2
    assert state.status == "running"
    assert job.apply(state, JobEnded()).status == "completed"


def test_a_failed_disk_fails_the_job_and_cancels_the_others():
    state = run(3, *whole(0), DiskPlanned(1, 50), DiskStarted(1), DiskFailed(1, "writing x failed"), JobEnded())
    assert state.status == "failed"
    assert state.error == "disk 1: writing x failed"
    assert [disk.status for disk in state.disks] == ["completed", "failed", "cancelled"]


def test_several_failed_disks_are_counted():
    state = run(2, DiskFailed(0, "a"), DiskFailed(1, "b"), JobEnded("stopped by SIGTERM"))
    assert (state.status, state.error) == ("failed", "disk 0: a (and 1 more of 2 disks failed)")


def test_a_stopped_job_is_cancelled_unless_it_was_through():
    assert run(1, *whole(0)[:2], JobEnded("stopped by SIGTERM")).status == "cancelled"
    assert run(1, *whole(0)[:2], JobEnded("stopped by SIGTERM")).error == "stopped by SIGTERM"
    assert run(1, *whole(0), JobEnded("stopped by SIGTERM")).status == "completed"


@pytest.mark.parametrize(
    "events",
    [
        [DiskStarted(0)],
        [DiskPlanned(0, 1), DiskPlanned(0, 1)],
        [DiskPlanned(0, 1), DiskWritten(0)],
        [DiskPlanned(0, 1), DiskStarted(0), DiskCopied(0)],
        [*whole(0), DiskFailed(0, "late")],
        [*whole(0)[:3], DiskWritten(0)],
        [JobEnded()],
        [*whole(0), JobEnded(), JobEnded()],
        [*whole(0), JobEnded(), DiskFailed(0, "after the end")],
    ],
)
def test_events_out_of_order_are_bugs(events):
    with pytest.raises(job.Misplaced):
        run(1, *events)


def test_the_total_is_known_when_every_disk_is_planned():
    assert run(2, DiskPlanned(0, 10)).total_bytes is None
    assert run(2, DiskPlanned(0, 10), DiskPlanned(1, 0)).total_bytes == 10


def test_a_total_is_of_the_kind_that_all_disks_share_and_of_parts_where_they_share_none():
    assert run(2, DiskPlanned(0, 10, "virtual"), DiskPlanned(1, 5)).total_kind == "allocated"
    assert run(2, DiskPlanned(0, 10, "virtual"), DiskPlanned(1, 5, "virtual")).total_kind == "virtual"
    assert run(2, DiskPlanned(0, 10, "changed"), DiskPlanned(1, 5, "changed")).total_kind == "changed"
    assert run(2, DiskPlanned(0, 10, "changed"), DiskPlanned(1, 5, "virtual")).total_kind == "allocated"


def test_a_job_that_is_to_be_verified_ends_with_that_phase():
    state = job.begin(1, verified=True)
    for event in (DiskPlanned(0, 1), DiskStarted(0), DiskWritten(0)):
        state = job.apply(state, event)
    assert state.phase == "verifying"


def test_a_body_tells_how_much_of_the_targets_will_be_read_again_as_soon_as_all_disks_are_planned():
    state = job.apply(job.begin(2, verified=True), DiskPlanned(0, 1, to_verify=30))
    assert wire(state, [Count(), Count()]).bytes_to_verify == 0
    for event in (DiskPlanned(1, 1, to_verify=10), DiskStarted(0), DiskWritten(0)):
        state = job.apply(state, event)
    told = wire(state, [Count(verified=7), Count()])
    assert (told.current_phase, told.bytes_verified, told.bytes_to_verify) == ("transferring", 7, 40)
    for event in (DiskStarted(1), DiskWritten(1)):
        state = job.apply(state, event)
    told = wire(state, [Count(verified=20), Count(verified=3)])
    assert (told.current_phase, told.bytes_verified, told.bytes_to_verify) == ("verifying", 23, 40)


def test_a_body_of_a_job_that_is_not_verified_tells_nothing_of_that():
    state = job.apply(job.begin(1), DiskPlanned(0, 1, to_verify=30))
    assert wire(state, [Count()]).bytes_to_verify == 0


def test_a_body_tells_the_whole_state():
    state = run(2, DiskPlanned(0, 100), DiskPlanned(1, 300), DiskStarted(0), DiskStarted(1))
    told = wire(state, [Count(60, 50, 0), Count(300, 250, 0)], sequence=7)
    assert (told.job_type, told.job_id, told.attempt, told.sequence) == ("backup", JOB_ID, 2, 7)
    assert (told.status, told.current_phase, told.vm_name) == ("running", "transferring", "vm")
    assert (told.bytes_transferred, told.total_bytes, told.progress_percent) == (300, 400, 75.0)
    assert (told.transfer_speed_bps, told.total_kind, told.backup_type) == (5, "allocated", "full")
    assert [(disk.index, disk.bytes_transferred, disk.total_bytes, disk.status) for disk in told.disks] == [
        (0, 50, 100, "running"),
        (1, 250, 300, "running"),
    ]


def test_a_body_of_a_failure_names_the_disk_twice():
    state = run(1, DiskPlanned(0, 100), DiskStarted(0), DiskFailed(0, "reading y failed"), JobEnded())
    told = wire(state, [Count(10, 5, 0)])
    assert told.error == "disk 0: reading y failed"
    assert told.disks[0].error_message == "reading y failed"
    assert told.progress_percent == 5.0


def test_the_largest_job_fits_a_body():
    messages = "é" * 400
    state = run(256, *[DiskFailed(index, messages) for index in range(256)], JobEnded())
    body = job.body(identity(256), state, [Count()] * 256, speed=0, sequence=1, timestamp="2026-11-23T02:14:07Z")
    assert len(codec.encode(body)) < telemetry.BODY_BYTES


moves = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["plan", "start", "write", "copy", "fail"])), max_size=40
)


@given(moves, st.sampled_from([None, "stopped by SIGINT"]))
def test_whatever_happens_completed_means_every_disk_and_a_body_is_always_accepted(steps, stopped):
    state = job.begin(3)
    phases = [state.phase]
    makers = {"plan": lambda i: DiskPlanned(i, 9), "start": DiskStarted, "write": DiskWritten, "copy": DiskCopied}
    for index, step in steps:
        event = DiskFailed(index, "broken") if step == "fail" else makers[step](index)
        try:
            state = job.apply(state, event)
        except job.Misplaced:
            continue
        phases.append(state.phase)
        wire(state, [Count(9, 9, 0)] * 3)
    order = ["starting", "transferring", "finalizing"]
    assert phases == sorted(phases, key=order.index)
    statuses = [disk.status for disk in state.disks]
    try:
        state = job.apply(state, JobEnded(stopped))
    except job.Misplaced:
        assert stopped is None
        return
    assert (state.status == "completed") == all(status == "completed" for status in statuses)
    assert (state.status == "failed") == ("failed" in statuses)
    assert {disk.status for disk in state.disks} <= {"completed", "failed", "cancelled"}
    told = wire(state, [Count(9, 9, 9)] * 3)
    assert told.status == state.status
    assert (told.error == "") == (state.status == "completed")


def test_an_attempt_that_copied_nothing_tells_its_end_and_no_bytes():
    body = job.ending(identity(1), "failed", "interrupted", "2026-11-23T02:14:07Z")
    read = telemetry.parse("backup", JOB_ID, codec.encode(body))
    assert (read.status, read.error, read.attempt, read.sequence) == ("failed", "interrupted", 2, 1)
    assert (read.vm_name, read.bytes_transferred, read.disks) == ("vm", 0, ())
