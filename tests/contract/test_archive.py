"""What every Archive promises: the same suite for the one in memory and the one in PostgreSQL."""

from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.reading import DiskBytes
from sendensed.core import listing
from sendensed.core.appliance import Appliance
from sendensed.core.calendar import Tally
from sendensed.core.listing import Mark, Query
from sendensed.core.model import Disk, Meter, Prediction
from sendensed.core.samples import Window
from sendensed.core.summary import Standing
from sendensed.store import Change
from sendensed.store.archive import Successes
from tests.contract.conftest import postgres_both
from tests.fakes.jobs import EARLY, a_job
from tests.fakes.stores import new, saved

_numbers = count(1)
examples = partial(settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def at(seconds: float):
    return EARLY + timedelta(seconds=seconds)


async def walked(archive, query: Query, between=None) -> list[str]:
    """The ids of every page to the end; `between` is awaited after each page."""
    found: list[str] = []
    for _ in range(200):
        page = await archive.page(query)
        found.extend(job.id for job in page.jobs)
        assert len(page.jobs) == query.limit or page.next is None
        if page.next is None:
            return found
        if between:
            await between()
        query = replace(query, after=page.next)
    raise AssertionError("the pages never end")


moments = st.none() | st.integers(0, 3).map(at)
some_jobs = st.lists(
    st.fixed_dictionaries(
        {
            "created_at": st.integers(0, 3).map(at),
            "started_at": moments,
            "completed_at": moments,
            "last_telemetry_at": moments,
            "bytes_transferred": st.integers(0, 3),
            "status": st.sampled_from(["running", "completed", "failed"]),
            "vm_name": st.sampled_from(["", "web/01", "Größe"]),
            "job_type": st.sampled_from(["backup", "restore"]),
        }
    ),
    max_size=12,
)
queries = st.builds(
    Query,
    limit=st.integers(1, 4),
    sort=st.sampled_from(listing.SORTS),
    descending=st.booleans(),
    statuses=st.sampled_from([frozenset(), frozenset({"running"}), frozenset({"failed", "completed"})]),
    job_type=st.sampled_from(["", "backup"]),
    machine=st.sampled_from([None, "", "web/01"]),
    text=st.sampled_from(["", "WEB/", "größe"]),
    created_from=st.sampled_from([None, at(1)]),
    created_to=st.sampled_from([None, at(3)]),
)


@examples(max_examples=100)
@given(jobs=some_jobs, late=some_jobs, query=queries)
async def test_a_walk_over_the_pages_meets_every_job_once_in_order_while_others_come(open_both, jobs, late, query):
    async with open_both() as (store, archive):
        mark = f"{next(_numbers)}-"
        mine = replace(query, text=query.text or mark)  # the database is shared by the examples
        early = [a_job(f"{mark}{n}", **fields) for n, fields in enumerate(jobs)]
        await store.save([new(job) for job in early])
        coming = [a_job(f"{mark}late-{n}", **fields) for n, fields in enumerate(late)]

        async def more():
            if coming:
                await store.save([new(coming.pop())])

        found = await walked(archive, mine, more)
        assert len(found) == len(set(found))
        expected = [job.id for job in listing.ordered(early, replace(mine, after=None))]
        assert [job_id for job_id in found if job_id in set(expected)] == expected


@examples(max_examples=100)
@given(jobs=some_jobs, query=queries, key=st.none() | st.integers(0, 10**15), name=st.text(max_size=3))
async def test_a_page_after_any_mark_is_what_the_order_says(open_both, jobs, query, key, name):
    async with open_both() as (store, archive):
        mark = f"mark-{next(_numbers)}-"
        name = "".join(one for one in name if one.isprintable())
        asked = replace(query, text=mark, after=Mark(key, mark + name))
        kept = [a_job(f"{mark}{n}", **fields) for n, fields in enumerate(jobs)]
        await store.save([new(job) for job in kept])
        expected = listing.page(listing.ordered(kept, asked), asked)
        page = await archive.page(asked)
        assert ([job.id for job in page.jobs], page.next) == ([job.id for job in expected.jobs], expected.next)


@examples(max_examples=150)
@given(jobs=some_jobs, query=queries, window=st.integers(1, 9))
async def test_a_text_looked_for_in_few_jobs_at_a_time_is_found_in_all_of_them_in_order(
    postgres_dsn, jobs, query, window
):
    async with postgres_both(postgres_dsn, window=window) as (store, archive):
        mine = f"{next(_numbers)}-"
        kept = [a_job(f"{mine if n % 3 else 'other-'}{next(_numbers)}-{n}", **job) for n, job in enumerate(jobs)]
        await store.save([new(job) for job in kept])
        asked, found = replace(query, text=mine), []
        for _ in range(1_000):
            page = await archive.page(asked)
            found += [job.id for job in page.jobs]
            assert len(page.jobs) <= query.limit
            if page.next is None:
                break
            asked = replace(asked, after=page.next)
        assert found == [job.id for job in listing.ordered(kept, replace(asked, after=None))]


async def test_each_sort_has_jobs_without_a_key_last_in_both_directions(both):
    store, archive = both
    for name, fields in {
        "a": {"started_at": at(1), "completed_at": at(9), "last_telemetry_at": at(9), "status": "completed"},
        "b": {"started_at": at(2), "completed_at": at(5), "last_telemetry_at": at(5), "status": "completed"},
        "c": {"started_at": at(3), "last_telemetry_at": at(7), "status": "running"},
        "d": {},
        "e": {"completed_at": at(8), "status": "failed"},
    }.items():
        await saved(store, a_job(name, **fields))

    async def order(sort, descending):
        return "".join(await walked(archive, Query(limit=2, sort=sort, descending=descending)))

    assert (await order("started", True), await order("started", False)) == ("cbaed", "abcde")
    assert (await order("completed", True), await order("completed", False)) == ("aebdc", "beacd")
    assert (await order("heard", True), await order("heard", False)) == ("acbed", "bcade")
    assert (await order("duration", True), await order("duration", False)) == ("abedc", "bacde")


async def test_jobs_of_a_page_come_with_their_disks_and_as_they_were_saved(both):
    from sendensed.core.model import Disk

    store, archive = both
    job = await saved(store, a_job(disks=(Disk(0, 5), Disk(1, 6))))
    assert (await archive.page(Query())).jobs == [job]


async def test_jobs_are_found_by_appliance(both):
    store, archive = both
    await saved(store, a_job("a", appliance="site-1"))
    await saved(store, a_job("b"))
    assert await walked(archive, Query(appliance="site-1")) == ["a"]
    assert await walked(archive, Query(appliance="")) == ["b"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "50%_\\x", "ü", "A%"])
async def test_signs_that_mean_something_to_the_database_are_looked_for_as_they_are(both, text):
    store, archive = both
    for number, name in enumerate(["50%_\\x", "plain", "GRÜN", "grün", "a%b"]):
        await saved(store, a_job(f"{number}", vm_name=name))
    expected = [job.id for job in listing.ordered(await store.jobs(limit=9), Query(text=text))]
    assert expected
    assert await walked(archive, Query(text=text)) == expected


async def run_of(store, job, moments):
    """Saves the job heard at each of these seconds, a sample each; the bytes are ten a second."""
    before = None
    for moment, attempt in moments:
        job = replace(
            job,
            revision=before.revision if before else 0,
            attempt=attempt,
            last_telemetry_at=at(moment),
            bytes_transferred=int(moment * 10),
            transfer_speed_bps=int(moment),
            current_phase="transferring" if moment < 50 else "finalizing",
        )
        assert await store.save([Change(job, before, sample=True)]) == {job.id}
        before = replace(job, revision=job.revision + 1)


async def test_samples_come_back_one_a_step_and_holes_stay_open(both):
    store, archive = both
    moments = [(seconds, 1) for seconds in [0, 5, 10, 15, 20, 60, 65]] + [(70, 2), (75, 2)]
    await run_of(store, a_job(status="running"), moments)
    fine = await archive.samples("backup-web-1", Window(at(0), at(80), 5, at(-100)))
    assert [(one.at, one.attempt, one.bytes_transferred) for one in fine.samples] == [
        (at(seconds), attempt, seconds * 10) for seconds, attempt in moments
    ]
    assert [(hole.start, hole.end, hole.attempts) for hole in fine.holes] == [
        (at(20), at(60), False),
        (at(65), at(70), True),
    ]
    coarse = await archive.samples("backup-web-1", Window(at(0), at(80), 40, at(-100)))
    assert [(one.at, one.bytes_transferred, one.transfer_speed_bps) for one in coarse.samples] == [
        (at(20), 200, 10),
        (at(65), 650, 62),
        (at(75), 750, 72),
    ]
    assert coarse.holes == fine.holes
    assert coarse.samples[1].current_phase == "finalizing"
    part = await archive.samples("backup-web-1", Window(at(5), at(15), 5, at(-100)))
    assert [one.at for one in part.samples] == [at(5), at(10)]


async def test_samples_tell_how_far_each_of_several_disks_was_where_that_is_asked_for(both):
    store, archive = both
    before = None
    for moment, disks in ((0, (4,)), (5, (8, 1)), (10, (9, 3)), (15, (9, 6)), (20, (9, 9))):
        job = a_job(
            status="running",
            revision=before.revision if before else 0,
            last_telemetry_at=at(moment),
            disks=tuple(Disk(2 * place, done, 9, None, "running") for place, done in enumerate(disks)),
        )
        assert await store.save([Change(job, before, sample=True)]) == {job.id}
        before = replace(job, revision=job.revision + 1)
    fine = await archive.samples("backup-web-1", Window(at(0), at(25), 5, at(-100), disks=True))
    told = [
        one.disks and [(disk.disk_index, disk.bytes_transferred) for disk in one.disks] for one in fine.samples
    ]
    assert told == [None, [(0, 8), (2, 1)], [(0, 9), (2, 3)], [(0, 9), (2, 6)], [(0, 9), (2, 9)]]
    coarse = await archive.samples("backup-web-1", Window(at(0), at(25), 15, at(-100), disks=True))
    assert [one.disks for one in coarse.samples] == [
        (DiskBytes(0, 9), DiskBytes(2, 3)),
        (DiskBytes(0, 9), DiskBytes(2, 9)),
    ]
    plain = await archive.samples("backup-web-1", Window(at(0), at(25), 5, at(-100)))
    assert [(one.at, one.disks) for one in plain.samples] == [(one.at, None) for one in fine.samples]


async def test_samples_tell_how_far_the_verification_was_of_a_job_that_is_verified(both):
    store, archive = both
    before = None
    known = (Meter(), *(Meter(verified=done, to_verify=9) for done in (0, 4, 9)))
    for place, meter in enumerate(known):
        job = a_job(
            status="running",
            revision=before.revision if before else 0,
            last_telemetry_at=at(5 * place),
            meter=meter,
        )
        assert await store.save([Change(job, before, sample=True)]) == {job.id}
        before = replace(job, revision=job.revision + 1)
    fine = await archive.samples("backup-web-1", Window(at(0), at(20), 5, at(-100)))
    assert [one.bytes_verified for one in fine.samples] == [None, 0, 4, 9]
    coarse = await archive.samples("backup-web-1", Window(at(0), at(20), 10, at(-100)))
    assert [one.bytes_verified for one in coarse.samples] == [0, 9]


async def test_what_was_thinned_has_holes_only_where_minutes_are_missing(both):
    store, archive = both
    await run_of(store, a_job(status="running"), [(0, 1), (60, 1), (120, 1), (400, 1)])
    found = await archive.samples("backup-web-1", Window(at(0), at(500), 5, at(1000)))
    assert [(hole.start, hole.end) for hole in found.holes] == [(at(120), at(400))]


async def test_a_job_without_samples_has_an_empty_chart(both):
    _, archive = both
    found = await archive.samples("unheard-of", Window(at(0), at(80), 5, at(0)))
    assert (found.samples, found.holes) == ((), ())


async def test_a_sample_of_a_change_whose_guard_does_not_hold_is_not_kept(both):
    store, archive = both
    job = a_job(status="running", last_telemetry_at=at(1))
    await saved(store, job)
    assert await store.save([Change(job, None, sample=True)]) == set()
    assert (await archive.samples(job.id, Window(at(0), at(9), 5, at(0)))).samples == ()


async def test_a_sample_of_a_job_that_was_never_heard_of_is_a_bug(both):
    with pytest.raises(ValueError, match="never heard"):
        await both[0].save([Change(a_job(), None, sample=True)])


async def test_machines_come_by_name_page_by_page_with_their_newest_runs(both):
    store, archive = both
    for number, name in enumerate(["web/01", "Größe", "", "a b", "web/01"]):
        predicted = (Prediction(25, at(1), 10, 8, 12),)
        await saved(store, a_job(f"job-{number}", vm_name=name, created_at=at(number), predictions=predicted))
    first = await archive.machines(limit=2)
    assert [name for name, _ in first] == ["Größe", "a b"]
    [(name, runs)] = await archive.machines(limit=2, after="a b")
    assert (name, [run.created_at for run in runs]) == ("web/01", [at(4), at(0)])
    assert runs[0].predictions == (Prediction(25, at(1), 10, 8, 12),)
    assert await archive.machines(limit=2, after="web/01") == []
    assert [name for name, _ in await archive.machines(limit=5, text="EB/")] == ["web/01"]
    assert [name for name, _ in await archive.machines(limit=1, text="")] == ["Größe"]
    assert await archive.machines(limit=5, text="grÖße") == []  # what is not A to Z is as it is
    assert await archive.machines(limit=5, text="%") == []
    assert [name for name, _ in await archive.machines(limit=1, names=["web/01", "none"])] == ["web/01"]


async def test_the_calendar_has_each_run_on_the_day_it_was_created(both):
    store, archive = both
    runs = [
        ("web/01", "a", 9, "completed"),
        ("web/01", "b", 10, "failed"),
        ("web/01", "c", 19, "completed"),
        ("web/01", "d", 19, "cancelled"),
        ("web/01", "e", 20, "stalled"),
        ("web/01", "f", 30, "completed"),
        ("Größe", "g", 30, "completed"),
        ("a b", "h", 25, "running"),
        ("", "i", 25, "running"),
    ]
    for machine, name, second, status in runs:
        await saved(store, a_job(name, vm_name=machine, created_at=at(second), status=status))
    bounds = [at(10), at(20), at(30)]
    whole = [
        ("Größe", []),
        ("a b", [Tally(1, 0, 0, 0, 1, "h", "running")]),
        ("web/01", [Tally(0, 1, 1, 1, 0, "d", "cancelled"), Tally(1, 0, 0, 0, 1, "e", "stalled")]),
    ]
    assert await archive.calendar(bounds, limit=5) == whole
    assert await archive.calendar(bounds, limit=2) == whole[:2]
    assert await archive.calendar(bounds, limit=2, after="a b") == whole[2:]
    assert await archive.calendar(bounds, limit=0) == []
    assert await archive.calendar(bounds, limit=1, text="A B") == whole[1:2]


async def test_the_runs_that_ended_last_come_first(both):
    store, archive = both
    for name, end in (("a", 5), ("b", None), ("c", 9)):
        await saved(store, a_job(name, bytes_transferred=end or 0, completed_at=None if end is None else at(end)))
    assert [run.bytes_transferred for run in await archive.recent(limit=5)] == [9, 5]
    assert len(await archive.recent(limit=1)) == 1


async def test_the_last_success_of_each_machine_is_that_of_its_newest_completed_run(both):
    store, archive = both
    for number, (name, status, end) in enumerate(
        [
            ("a", "completed", 5),
            ("a", "completed", 4),
            ("a", "failed", 9),
            ("b", "failed", 9),
            ("", "completed", 1),
        ]
    ):
        await saved(
            store, a_job(f"j{number}", vm_name=name, created_at=at(number), status=status, completed_at=at(end))
        )
    assert await archive.successes(limit=5) == Successes([("a", at(4))], 0)
    assert await archive.successes(limit=1) == Successes([("a", at(4))], 1)
    assert await archive.successes(limit=0) == Successes([], 2)


def an_appliance(name: str, second: float, **fields) -> Appliance:
    return Appliance(
        **{
            "version": "1",
            "clock_skew_seconds": 0.5,
            "spool_depth": 0,
            "spool_age_seconds": 0.0,
            **fields,
            "name": name,
            "last_heard_at": at(second),
        }
    )


async def test_appliances_are_kept_as_last_heard_whichever_hub_heard_them(both):
    store, archive = both
    await archive.note([an_appliance("b", 5), an_appliance("a", 5, clock_skew_seconds=None)])
    await archive.note([an_appliance("b", 4, version="old"), an_appliance("a", 6, spool_depth=3)])
    await archive.note([])
    await saved(store, a_job("1", appliance="a", status="running"))
    await saved(store, a_job("2", sender="b/2.0", status="stalled"))
    await saved(store, a_job("3", sender="b 2.0", status="pending"))
    await saved(store, a_job("4", appliance="a", status="completed"))
    assert await archive.appliances() == [(an_appliance("a", 6, spool_depth=3), 1), (an_appliance("b", 5), 2)]


async def test_the_summary_counts_the_active_jobs_and_a_days_ends(both):
    store, archive = both
    empty = await archive.summary()
    assert (empty.active, dict(empty.ended), empty.heard_at) == ((), {}, None)
    now = await store.now()
    hour = timedelta(hours=1)
    await saved(store, a_job("r", status="running", last_telemetry_at=now, eta_low_seconds=5, eta_high_seconds=9))
    await saved(store, a_job("p"))
    ends = [("failed", 1), ("failed", 23), ("failed", 25), ("completed", 2)]
    for number, (status, ago) in enumerate(ends):
        end = now - ago * hour
        await saved(store, a_job(f"e{number}", status=status, completed_at=end, last_telemetry_at=end))
    counts = await archive.summary()
    assert sorted(counts.active, key=lambda one: one.status) == [
        Standing("pending", None, None, None),
        Standing("running", now, 5, 9),
    ]
    assert dict(counts.ended) == {"failed": 2, "completed": 1}
    assert counts.heard_at == now - hour
