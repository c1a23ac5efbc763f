"""What every Store promises: the same suite for the one in memory and the one in PostgreSQL."""

from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sendensed.core.model import Disk, Meter, Point
from sendensed.store import Change, RowRefused
from tests.fakes import jobs as some
from tests.fakes.jobs import EARLY, a_job, an_event
from tests.fakes.stores import new, saved

_numbers = count(1)
examples = partial(settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def test_a_new_job_is_read_back_as_it_was_saved(store):
    job = a_job(disks=(Disk(0), Disk(1, 5, 10, 50.0, "running", "slow")), meter=Meter((Point(1.5, 3),)))
    kept = await saved(store, job, an_event())
    assert await store.load([job.id, "unheard-of"]) == {job.id: kept}
    assert await store.job(job.id) == (kept, (an_event(),))
    assert await store.jobs(limit=10) == [kept]


async def test_a_job_that_does_not_exist_is_none(store):
    assert await store.job("unheard-of") is None
    assert await store.load([]) == {}
    assert await store.jobs(limit=10) == []
    assert await store.silent(EARLY) == []


async def test_an_empty_save_saves_nothing(store):
    assert await store.save([]) == set()


@examples(max_examples=60)
@given(data=st.data())
async def test_any_job_and_its_events_are_read_back_equal(open_store, data):
    job = data.draw(some.jobs(id=f"backup-ü %2F'\"\\-{next(_numbers)}"))
    after = data.draw(some.jobs(id=job.id, revision=1))
    events = tuple(data.draw(st.lists(some.events(job.id), max_size=3)))
    async with open_store() as store:
        kept = await saved(store, job, *events)
        assert await store.job(job.id) == (kept, events)
        assert await store.save([Change(after, kept)]) == {job.id}
        assert await store.load([job.id]) == {job.id: replace(after, revision=2)}


async def test_numbers_that_are_finite_alone_but_not_as_a_sum_are_kept(store):
    job = replace(a_job("large"), progress_percent=1.7e308, meter=replace(Meter(), rate=1.7e308))
    kept = await saved(store, job)
    assert await store.load(["large"]) == {"large": kept}


@examples(max_examples=30)
@given(name=some.text)
async def test_any_text_is_an_id(open_store, name):
    async with open_store() as store:
        job = await saved(store, a_job(f"{name}-{next(_numbers)}"))
        assert await store.load([job.id]) == {job.id: job}


async def test_each_save_raises_the_revision_by_one(store):
    job = await saved(store, a_job())
    for revision in (1, 2, 3):
        after = replace(job, revision=revision, bytes_transferred=revision)
        assert await store.save([Change(after, replace(job, revision=revision))]) == {job.id}
    assert (await store.load([job.id]))[job.id].revision == 4


async def test_a_change_of_an_old_revision_is_left_out_with_its_disks_and_events(store):
    first = await saved(store, a_job(disks=(Disk(0, 1),)))
    second = replace(first, bytes_transferred=2, disks=(Disk(0, 2),))
    assert await store.save([Change(second, first, (an_event(detail="in time"),))]) == {first.id}
    late = replace(first, bytes_transferred=9, disks=(Disk(0, 9), Disk(1, 9)))
    assert await store.save([Change(late, first, (an_event(detail="late"),))]) == set()
    late_drop = replace(first, disks=())
    assert await store.save([Change(late_drop, first)]) == set()
    assert await store.job(first.id) == (replace(second, revision=2), (an_event(detail="in time"),))


async def test_a_job_that_another_writer_made_first_is_left_out(store):
    kept = await saved(store, a_job(), an_event(detail="first"))
    assert await store.save([new(a_job(vm_name="other", disks=(Disk(7),)), an_event(detail="second"))]) == set()
    assert await store.job(kept.id) == (kept, (an_event(detail="first"),))


async def test_the_others_of_a_save_are_stored_where_one_guard_does_not_hold(store):
    kept = await saved(store, a_job("b"))
    changes = [new(a_job("c")), new(a_job("b", vm_name="other")), new(a_job("a"))]
    assert await store.save(changes) == {"a", "c"}
    assert await store.load(["a", "b", "c"]) == {
        "a": a_job("a", revision=1),
        "b": kept,
        "c": a_job("c", revision=1),
    }


async def test_disks_change_come_and_go_with_their_job(store):
    first = await saved(store, a_job(disks=(Disk(0, 1), Disk(1, 1), Disk(3, 1))))
    second = replace(first, disks=(Disk(0, 1), Disk(1, 2), Disk(2, 1)))
    assert await store.save([Change(second, first)]) == {first.id}
    assert (await store.load([first.id]))[first.id].disks == second.disks
    third = replace(second, revision=2, attempt=2, disks=())
    assert await store.save([Change(third, replace(second, revision=2))]) == {first.id}
    assert (await store.load([first.id]))[first.id] == replace(third, revision=3)


async def test_events_come_back_in_order_and_only_the_newest_500(store):
    job = await saved(store, a_job(), *(an_event(detail=str(number)) for number in range(400)))
    events = tuple(an_event(detail=str(number)) for number in range(400, 700))
    await store.save([Change(job, job, events)])
    found = await store.job(job.id)
    assert found is not None
    assert [event.detail for event in found[1]] == [str(number) for number in range(200, 700)]


BAD = {
    "NUL in a text": a_job(vm_name="a\x00b"),
    "NUL in an id": a_job("a\x00b"),
    "half a surrogate pair": a_job(error_message="\ud800"),
    "half a surrogate pair in an id": a_job("\udfff"),
    "bytes over int64": a_job(bytes_transferred=2**63),
    "bytes over uint64": a_job(bytes_transferred=2**64),
    "bytes under int64": a_job(total_bytes=-(2**63) - 1),
    "an attempt over int32": a_job(attempt=2**31),
    "an unknown status": a_job(status="lost"),
    "NaN": a_job(progress_percent=float("nan")),
    "infinity": a_job(progress_percent=float("inf")),
    "NaN in the meter": a_job(meter=Meter(rate=float("nan"))),
    "NaN in a point": a_job(meter=Meter((Point(float("nan"), 0),))),
    "infinity in the first point": a_job(meter=Meter(first=Point(float("inf"), 0))),
    "NaN of a disk": a_job(disks=(Disk(0, progress_percent=float("nan")),)),
    "NUL of a disk": a_job(disks=(Disk(0, error_message="\x00"),)),
    "bytes of a disk over int64": a_job(disks=(Disk(0, bytes_transferred=2**63),)),
    "a disk's index over int32": a_job(disks=(Disk(2**31),)),
    "a disk twice": a_job(disks=(Disk(0), Disk(0, 1))),
}
BAD_EVENTS = {
    "NUL in an event": an_event(detail="\x00"),
    "half a surrogate pair in an event": an_event(current_phase="\udc00"),
    "NaN in an event": an_event(progress_percent=float("nan")),
    "bytes over int64 in an event": an_event(bytes_transferred=2**63),
}


@pytest.mark.parametrize(
    "bad", [new(job) for job in BAD.values()] + [new(a_job(), event) for event in BAD_EVENTS.values()],
    ids=[*BAD, *BAD_EVENTS],
)  # fmt: skip
async def test_a_value_that_cannot_be_stored_refuses_the_whole_save_and_only_that(store, bad):
    good = new(a_job("good"), an_event("good"))
    with pytest.raises(RowRefused):
        await store.save([good, bad])
    assert await store.jobs(limit=10) == []
    with pytest.raises(RowRefused):
        await store.save([bad])
    assert await store.save([good]) == {"good"}


@pytest.mark.parametrize(
    "changes",
    [
        [new(a_job()), new(a_job(vm_name="again"))],
        [new(a_job(revision=1))],
        [Change(a_job(), a_job())],
        [Change(a_job(revision=2), a_job(revision=1))],
        [new(a_job(), an_event("another"))],
    ],
    ids=["a job twice", "new with a revision", "old without", "a gap", "another job's event"],
)
async def test_a_save_that_contradicts_itself_is_a_bug_and_stores_nothing(store, changes):
    with pytest.raises(ValueError, match="job"):
        await store.save(changes)
    assert await store.jobs(limit=10) == []


async def test_jobs_come_newest_first_and_ties_by_id(store):
    minutes = {"a": 0, "b": 2, "c": 1, "Z": 1, "ä": 1}
    for name, minute in minutes.items():
        await saved(store, a_job(name, created_at=EARLY + timedelta(minutes=minute)))
    assert [job.id for job in await store.jobs(limit=10)] == ["b", "ä", "c", "Z", "a"]
    assert [job.id for job in await store.jobs(limit=2)] == ["b", "ä"]


async def test_jobs_are_chosen_by_state_and_type(store):
    for state in ("running", "failed", "completed"):
        for kind in ("backup", "restore"):
            await saved(store, a_job(f"{kind}-{state}", job_type=kind, status=state, disks=(Disk(0),)))

    async def found(**chosen):
        return {job.id for job in await store.jobs(limit=10, **chosen)}

    assert await found(status=["failed"]) == {"backup-failed", "restore-failed"}
    assert await found(status={"failed", "running"}, job_type="backup") == {"backup-failed", "backup-running"}
    assert await found(job_type="restore") == {"restore-running", "restore-failed", "restore-completed"}
    assert await found(status=["pending"]) == set()
    assert await found(job_type="verify") == set()
    assert all(job.disks == (Disk(0),) for job in await store.jobs(limit=10))


async def test_silent_jobs_are_the_active_ones_not_heard_of_longest_first(store):
    def at(seconds):
        return EARLY + timedelta(seconds=seconds)

    for name, fields in {
        "never spoke": {"created_at": at(2)},
        "spoke": {"last_telemetry_at": at(1), "status": "running"},
        "stalled": {"last_telemetry_at": at(3), "status": "stalled"},
        "on the second": {"last_telemetry_at": at(10), "status": "running"},
        "spoke since": {"last_telemetry_at": at(11), "status": "running"},
        "done": {"last_telemetry_at": at(1), "status": "completed"},
        "failed": {"last_telemetry_at": at(1), "status": "failed"},
        "cancelled": {"last_telemetry_at": at(1), "status": "cancelled"},
    }.items():
        await saved(store, a_job(name, disks=(Disk(0),), **fields))
    found = await store.silent(at(10))
    assert [job.id for job in found] == ["spoke", "never spoke", "stalled"]
    assert found[0].disks == (Disk(0),)


async def test_a_job_counts_from_its_last_word_however_short_after_the_one_before(store):
    def at(seconds):
        return EARLY + timedelta(seconds=seconds)

    heard = [0, 5, 10, 20, 33, 34, 70, 100]
    job = await saved(store, a_job(status="running", created_at=at(0), last_telemetry_at=at(0)))
    for seconds in heard:
        after = replace(job, last_telemetry_at=at(seconds))
        await store.save([Change(after, job)])
        job = replace(after, revision=after.revision + 1)
        assert await store.silent(at(seconds)) == []
        assert await store.silent(at(seconds + 1)) == [job]


async def test_the_clock_goes_on_and_is_utc(store):
    first, second = await store.now(), await store.now()
    assert first <= second
    assert first.utcoffset() == timedelta(0)


async def test_jobs_that_ended_come_latest_end_first_however_old_they_are(store):
    ends = [("old-a", -900, 30), ("new-b", 0, 10), ("new-c", 5, 20), ("running", 9, None)]
    for job_id, made, ended in ends:
        await saved(
            store,
            a_job(
                job_id,
                created_at=EARLY + timedelta(seconds=made),
                completed_at=None if ended is None else EARLY + timedelta(seconds=ended),
                status="running" if ended is None else "completed",
            ),
        )
    assert [job.id for job in await store.ended(limit=10)] == ["old-a", "new-c", "new-b"]
    assert [job.id for job in await store.ended(limit=1)] == ["old-a"]


async def test_a_job_heard_in_the_future_counts_as_silent(store):
    now = await store.now()
    for job_id, seconds in (("ahead", 60), ("present", 0)):
        await saved(store, a_job(job_id, status="running", last_telemetry_at=now + timedelta(seconds=seconds)))
    assert [job.id for job in await store.silent(now - timedelta(seconds=60))] == ["ahead"]
