"""Plans: what PostgreSQL makes of a writer's statements, under the settings of its connections."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sendensed.core.model import Disk
from sendensed.store import Change, bridge, postgres
from sendensed.store import statements as sql
from sendensed.store.postgres import PostgresStore
from tests.fakes.jobs import EARLY, a_job, an_event


async def test_a_save_holds_no_row_of_its_batch_against_every_other(postgres_dsn):
    jobs = [a_job(f"job-{number}") for number in range(20)]
    changes = [Change(job, None, (an_event(job.id),), sample=True) for job in jobs]
    async with bridge.open_pool(postgres_dsn, settings=postgres.BY_KEY) as pool:
        plan = [row[0] for row in await pool.fetch("EXPLAIN " + sql.SAVE, *postgres._documents(changes))]
    loops = [line for line in plan if "Join Filter" in line]
    assert loops == []
    assert any("backup_jobs_pkey" in line for line in plan)


@pytest.mark.parametrize("statement", [sql.SILENT, sql.UNMOVED], ids=["silent", "unmoved"])
async def test_a_look_reads_no_row_of_a_job_that_is_well(postgres_dsn, statement: str):
    async with bridge.open_pool(postgres_dsn, max_size=1, settings=postgres.BY_KEY) as pool:
        store = PostgresStore(pool)
        now = await store.now()
        jobs = [
            a_job(f"job-{number}", status="running", last_telemetry_at=now, last_moved_at=now)
            for number in range(500)
        ]
        await store.save([Change(job, None) for job in jobs])
        await pool.execute("ANALYZE backup_jobs")
        before = now - timedelta(seconds=15)
        plan = [row[0] for row in await pool.fetch("EXPLAIN (ANALYZE, TIMING OFF) " + statement, before)]
    assert any("Index Scan" in line for line in plan)
    assert [line for line in plan if "Removed" in line] == []


async def test_marks_are_never_late_and_set_anew_once_in_thirty_seconds(postgres_dsn):
    async with bridge.open_pool(postgres_dsn, max_size=1) as pool:
        store = PostgresStore(pool)
        start = await store.now() - timedelta(minutes=5)
        job = a_job(status="running", created_at=start, last_telemetry_at=start, last_moved_at=start)
        await store.save([Change(job, None)])
        marks = []
        for seconds in (*range(0, 120, 5), 90):
            at = start + timedelta(seconds=seconds)
            job = replace(job, revision=job.revision + 1)
            after = replace(job, last_telemetry_at=at, last_moved_at=at - timedelta(seconds=2))
            await store.save([Change(after, job)])
            job = after
            marks.append(
                tuple(await pool.fetchrow("SELECT heard_mark - $1, $2 - moved_mark FROM backup_jobs", start, at))
            )
    heard = [0] * 7 + [35] * 7 + [70] * 7 + [105] * 3 + [90]
    assert [int(mark.total_seconds()) for mark, _ in marks] == heard
    assert all(2 <= behind.total_seconds() <= 32 for _, behind in marks)


async def test_a_sample_of_one_disk_is_as_small_as_one_of_none_and_of_several_24_bytes_a_disk_larger_at_most(
    postgres_dsn,
):
    sizes = []
    async with bridge.open_pool(postgres_dsn) as pool:
        for count in (0, 1, 4):
            disks = tuple(Disk(index, 2**40 + index, 2**41, 50.0, "running") for index in range(count))
            job = a_job(f"job-{count}", last_telemetry_at=EARLY, disks=disks)
            await PostgresStore(pool).save([Change(job, None, sample=True)])
            sizes.append(
                await pool.fetchval("SELECT pg_column_size(s.*) FROM job_samples AS s WHERE job_id = $1", job.id)
            )
    assert sizes[0] == sizes[1] < sizes[2] <= sizes[0] + 4 * 24
