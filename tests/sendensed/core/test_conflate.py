"""Conflate: what waits before the writer is bounded, gives way only to what says as much, and is never lost."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.telemetry import Acknowledgement, Disk, Telemetry
from sendensed.core import conflate
from sendensed.core.answer import Refusal
from sendensed.core.batch import Post
from sendensed.core.conflate import Room, Waiting, says_all
from sendensed.core.job import Invalid, merge

NIGHT = datetime(2026, 11, 23, 2, tzinfo=UTC)
ROOM = Room(count=10, bytes=1_000)
ACK = Acknowledgement()


class Slip:
    def __init__(self) -> None:
        self.answer = None

    def settle(self, answer) -> None:
        self.answer = answer


def update(job_id="a", sequence=1, **fields) -> Telemetry:
    return Telemetry(
        **{"job_type": "backup", "job_id": job_id, "status": "running", "sequence": sequence, **fields}
    )


def post(job_id="a", sequence=1, appliance="", **fields) -> Post:
    return Post(job_id, update(job_id, sequence, **fields), NIGHT, Slip(), appliance)


def filled(count: int) -> Waiting[str]:
    waiting = Waiting[str](ROOM)
    for number in range(count):
        assert waiting.offer(post(f"other-{number}"), 10) == "queued"
    return waiting


def test_what_waits_comes_out_in_the_order_it_came_in():
    waiting = Waiting[str](ROOM)
    first, second = post("a"), post("b")
    waiting.offer(first, 5)
    waiting.put("beat")
    waiting.offer(second, 7)
    assert (len(waiting), waiting.bytes, waiting.fill) == (3, 12, 0.3)
    assert [waiting.take() for _ in range(3)] == [first, "beat", second]
    assert (len(waiting), waiting.bytes) == (0, 0)
    with pytest.raises(IndexError):
        waiting.take()


def test_below_four_fifths_nothing_gives_way():
    waiting = filled(6)
    assert waiting.offer(post(sequence=1), 10) == "queued"
    assert waiting.offer(post(sequence=2), 10) == "queued"
    assert len(waiting) == 8


def test_above_it_the_newer_update_takes_the_place_of_the_older_and_both_are_answered_with_its_commit():
    waiting = filled(7)
    older, newer = post(sequence=1, bytes_transferred=1), post(sequence=2, bytes_transferred=2)
    waiting.offer(older, 10)
    assert waiting.offer(newer, 15) == "conflated"
    assert (len(waiting), waiting.bytes) == (8, 85)
    taken = [waiting.take() for _ in range(8)][-1]
    assert taken.update == newer.update
    taken.receipt.settle(ACK)
    assert (older.receipt.answer, newer.receipt.answer) == (ACK, ACK)


def test_one_that_gave_way_is_told_to_send_again_where_the_newer_one_is_refused():
    older, newer = Slip(), Slip()
    refusal = Refusal(400, "unstorable", "it holds a value that cannot be stored")
    conflate.Together(newer, older).settle(refusal)
    assert (newer.answer, older.answer) == (refusal, conflate.AGAIN)
    assert older.answer.status == 503


def test_progress_finds_a_queue_full_that_still_takes_ends():
    assert not filled(8).is_full
    waiting = filled(9)
    assert waiting.is_full
    assert waiting.offer(post("late"), 10) == "full"
    assert waiting.offer(post("end", status="completed"), 10) == "queued"
    assert waiting.offer(post("another end", status="failed"), 10) == "full"
    assert len(waiting) == 10


def test_bytes_are_a_bound_of_their_own():
    waiting = Waiting[str](ROOM)
    assert waiting.offer(post("big"), 700) == "queued"
    assert not waiting.is_full
    assert waiting.offer(post("more"), 250) == "full"
    assert waiting.offer(post("end", status="cancelled"), 250) == "queued"
    assert waiting.offer(post("end too", status="completed"), 100) == "full"
    assert waiting.fill == 0.95
    assert waiting.is_full


def test_a_larger_update_that_would_break_the_bound_does_not_take_a_place():
    waiting = filled(7)
    waiting.offer(post(sequence=1), 10)
    assert waiting.offer(post(sequence=2), 990) == "full"
    assert waiting.offer(post(sequence=3), 930) == "conflated"
    assert waiting.bytes == 1_000


def test_nothing_conflates_across_what_is_no_telemetry_nor_across_an_end_nor_between_appliances():
    for between in (lambda w: w.put("silence"), lambda w: w.offer(post(sequence=2, status="completed"), 1)):
        waiting = filled(6)
        waiting.offer(post(sequence=1), 10)
        between(waiting)
        assert waiting.offer(post(sequence=3), 10) == "queued"
    waiting = filled(7)
    waiting.offer(post(sequence=1, appliance="one"), 10)
    assert waiting.offer(post(sequence=2, appliance="two"), 10) == "queued"


def test_what_was_taken_out_already_is_not_changed_any_more():
    waiting = filled(8)
    for number in range(8):
        waiting.take()
        waiting.offer(post(f"more-{number}"), 10)
    assert waiting.offer(post("other-7", sequence=2), 10) == "queued"


DISK = Disk(0, 5, 10, 50.0, "running", "slow")


@pytest.mark.parametrize(
    "fields",
    [
        {"job_type": "restore"},
        {"attempt": 2},
        {"sequence": 0},
        {"sequence": 1},
        {"sequence": None},
        {"status": ""},
        {"status": "pending"},
        {"bytes_transferred": 4},
        {"total_bytes": 0},
        {"current_phase": ""},
        {"error": ""},
        {"vm_name": ""},
        {"backup_type": ""},
        {"total_kind": ""},
        {"sender": ""},
        {"disks": ()},
        {"disks": (replace(DISK, index=1),)},
        {"disks": (replace(DISK, bytes_transferred=4),)},
        {"disks": (replace(DISK, total_bytes=0),)},
        {"disks": (replace(DISK, status=""),)},
        {"disks": (replace(DISK, error_message=""),)},
    ],
    ids=str,
)
def test_an_update_that_says_less_takes_no_place(fields):
    older = update(
        bytes_transferred=5,
        total_bytes=10,
        current_phase="transferring",
        error="slow",
        vm_name="web01",
        backup_type="full",
        total_kind="virtual",
        sender="clientd",
        disks=(DISK,),
    )
    assert says_all(replace(older, sequence=2), older)
    assert not says_all(replace(older, **{"sequence": 2, **fields}), older)


def test_an_end_and_a_finished_disk_give_way_to_nothing():
    assert not says_all(update(sequence=2, status="completed"), update(status="failed"))
    finished, running = Disk(0, 5, 5, 100.0, "completed"), Disk(0, 5, 5, 100.0, "running")
    assert not says_all(update(sequence=2, disks=(running,)), update(disks=(finished,)))
    assert says_all(update(sequence=2, disks=(finished,)), update(disks=(finished,)))
    assert says_all(update(sequence=2, disks=(finished,)), update(disks=(running,)))


def test_the_percent_counts_only_where_the_total_is_unknown():
    assert not says_all(update(sequence=2), update(progress_percent=5.0))
    assert says_all(update(sequence=2, progress_percent=1.0), update(progress_percent=5.0))
    assert says_all(update(sequence=2, total_bytes=9), update(progress_percent=5.0))
    assert not says_all(update(sequence=2, disks=(Disk(0),)), update(disks=(Disk(0, progress_percent=5.0),)))


def test_of_the_original_sender_only_progress_gives_way_to_progress_in_the_order_of_its_clock():
    older, newer = update(sequence=None, timestamp=NIGHT), update(sequence=None, timestamp=NIGHT)
    assert says_all(newer, older)
    assert says_all(replace(newer, timestamp=None), replace(older, timestamp=None))
    assert not says_all(newer, replace(older, timestamp=None))
    assert not says_all(replace(newer, timestamp=None), older)
    assert not says_all(replace(newer, timestamp=NIGHT - timedelta(seconds=1)), older)
    assert not says_all(replace(newer, status="completed"), older)
    assert not says_all(replace(newer, disks=(Disk(0),)), older)


numbers = st.integers(0, 3)
texts = st.sampled_from(["", "x", "y"])
percents = st.sampled_from([0.0, 30.0, 100.0])
disk_lists = st.lists(
    st.builds(
        Disk,
        index=st.integers(0, 1),
        bytes_transferred=numbers,
        total_bytes=numbers,
        progress_percent=percents,
        status=st.sampled_from(["", "pending", "running", "completed", "failed"]),
        error_message=texts,
    ),
    max_size=2,
    unique_by=lambda disk: disk.index,
).map(lambda disks: tuple(sorted(disks, key=lambda disk: disk.index)))
updates = st.builds(
    Telemetry,
    job_type=st.just("backup"),
    job_id=st.just("a"),
    status=st.sampled_from(["", "pending", "running", "running", "running", "completed", "failed", "cancelled"]),
    current_phase=texts,
    bytes_transferred=numbers,
    total_bytes=numbers,
    progress_percent=percents,
    disks=disk_lists,
    error=texts,
    timestamp=st.none() | st.integers(0, 3).map(lambda seconds: NIGHT + timedelta(seconds=seconds)),
    attempt=st.integers(1, 2),
    sequence=st.none() | st.integers(0, 4),
    vm_name=texts,
)


def merged(job, *said):
    """The job after these updates; one that it refuses changes nothing."""
    for one in said:
        try:
            job = merge(job, one, NIGHT).job
        except Invalid:
            continue
    return job


MEASURED = {"meter", "transfer_speed_bps", "eta_seconds", "eta_reason", "last_moved_at", "last_telemetry_at"}


def kept(job):
    return {field: value for field, value in msgspec.structs.asdict(job).items() if field not in MEASURED}


@given(before=st.lists(updates, max_size=4), older=updates, newer=updates, grow=st.booleans())
def test_a_job_is_the_same_after_the_newer_update_alone_as_after_both(before, older, newer, grow):
    if grow:  # pairs by chance alone seldom say enough
        newer = replace(
            older,
            status=newer.status if older.sequence is not None else "running",
            bytes_transferred=older.bytes_transferred + newer.bytes_transferred,
            total_bytes=older.total_bytes or newer.total_bytes,
            current_phase=newer.current_phase or older.current_phase,
            sequence=None if older.sequence is None else older.sequence + 1,
            timestamp=newer.timestamp or older.timestamp,
        )
    if not says_all(newer, older):
        return
    job = merged(None, *before)
    assert kept(merged(job, newer)) == kept(merged(job, older, newer))


@given(data=st.data())
def test_whatever_comes_nothing_taken_is_lost_and_no_bound_is_passed(data):
    room = Room(count=data.draw(st.integers(3, 8)), bytes=data.draw(st.integers(60, 200)))
    waiting, taken, posts = Waiting[str](room), [], []
    for _ in range(data.draw(st.integers(0, 40))):
        if data.draw(st.booleans()):
            said = replace(data.draw(updates), job_id=data.draw(st.sampled_from("ab")))
            one = Post(said.job_id, said, NIGHT, Slip())
            if waiting.offer(one, data.draw(st.integers(1, 60))) != "full":
                posts.append(one)
        elif len(waiting):
            taken.append(waiting.take())
        assert len(waiting) <= room.count
        assert 0 <= waiting.bytes <= room.bytes
    taken += [waiting.take() for _ in range(len(waiting))]
    assert waiting.bytes == 0
    for one in taken:
        one.receipt.settle(ACK)
    assert all(one.receipt.answer is ACK for one in posts)
    for job_id in "ab":
        alone = merged(None, *(one.update for one in posts if one.job_id == job_id))
        together = merged(None, *(one.update for one in taken if one.job_id == job_id))
        assert alone is together is None or kept(alone) == kept(together)
