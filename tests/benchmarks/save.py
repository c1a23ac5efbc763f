"""Save: updates/s and the hub's CPU for each, of the one JSON statement beside a naive executemany.

    python -m tests.benchmarks.save [SECONDS]

Both run here on one machine and one PostgreSQL, so read the ratios. An update changes a job and its 4 disks;
the table holds 20,000 jobs.
"""

import gc
import sys
import tempfile
import time
from pathlib import Path

import trio
from msgspec.structs import astuple, replace

from sendensed.core.model import Disk, Job, Meter, Point
from sendensed.store import Change, bridge, driver, embedded, migrate, postgres, statements
from tests.fakes.jobs import EARLY

JOBS, DISKS, BATCHES = 20_000, 4, (1, 100, 500, 1000)


def a_job(number: int) -> Job:
    return Job(
        id=f"backup-machine-{number:06}-20261123-020000",
        job_type="backup",
        created_at=EARLY,
        vm_name=f"machine-{number:06}",
        status="running",
        current_phase="transferring",
        total_bytes=4 << 40,
        attempt=1,
        sequence=0,
        sender="clientd 0.1.0",
        last_telemetry_at=EARLY,
        meter=Meter(tuple(Point(1.7e9 + n, n << 30) for n in range(4)), Point(1.7e9, 0), 1.5e8, 17),
        disks=tuple(Disk(index, 0, 1 << 40, 0.0, "running") for index in range(DISKS)),
    )


def moved(job: Job, step: int) -> Job:
    """The job one update later: every disk has moved."""
    disks = tuple(replace(disk, bytes_transferred=step << 20, progress_percent=step / 1024) for disk in job.disks)
    return replace(job, bytes_transferred=step << 22, progress_percent=step / 1024, sequence=step, disks=disks)


_JOB_FIELDS = [f for f in Job.__struct_fields__ if f not in ("id", "disks", "revision", "meter", "predictions")]
NAIVE_DISKS = """
CREATE TABLE naive_disks (
    job_id text REFERENCES backup_jobs, disk_index integer, bytes_transferred bigint, total_bytes bigint,
    progress_percent double precision, status text, error_message text, bottleneck text,
    PRIMARY KEY (job_id, disk_index)
) WITH (fillfactor = 70)"""
NAIVE_JOB = f"""
UPDATE backup_jobs SET {", ".join(f"{field} = ${place}" for place, field in enumerate(_JOB_FIELDS, 3))},
    revision = revision + 1
WHERE id = $1 AND revision = $2"""
NAIVE_DISK = """
INSERT INTO naive_disks VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (job_id, disk_index)
DO UPDATE SET bytes_transferred = $3, total_bytes = $4, progress_percent = $5, status = $6, error_message = $7,
    bottleneck = $8"""


async def naive(pool: bridge.Pool, changes: list[Change]) -> None:
    """A transaction of one executemany for the jobs and one for the disks."""
    jobs = [(c.job.id, c.job.revision, *(getattr(c.job, field) for field in _JOB_FIELDS)) for c in changes]
    disks = [(change.job.id, *astuple(disk)) for change in changes for disk in change.job.disks]
    async with pool.connection() as connection:
        many = connection._connection.executemany
        await connection.execute("BEGIN")
        await driver.bounded(60, driver.drive(many(NAIVE_JOB, jobs)))
        await driver.bounded(60, driver.drive(many(NAIVE_DISK, disks)))
        await connection.execute("COMMIT")


async def measure(save, jobs: list[Job], batch: int, seconds: float) -> tuple[float, float]:
    """Updates a second, and microseconds of this process's CPU for each, making the jobs not counted."""
    updates, wall, processor, place, step = 0, 0.0, 0.0, 0, 0
    while wall < seconds:
        chosen = range(place, place + batch)
        place = (place + batch) % (len(jobs) - batch)
        step += 1
        changes = [Change(moved(jobs[n], step), jobs[n]) for n in chosen]
        began, busy = time.perf_counter(), time.process_time()
        await save(changes)
        wall += time.perf_counter() - began
        processor += time.process_time() - busy
        updates += batch
        for n, change in zip(chosen, changes, strict=True):
            jobs[n] = replace(change.job, revision=change.job.revision + 1)
    return updates / wall, processor / updates * 1e6


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="sendense-bench-") as directory:
        Path(directory).chmod(0o755)
        async with (
            embedded.open_embedded(Path(directory)) as server,
            bridge.open_pool(server.dsn, settings=postgres.BY_KEY) as pool,
        ):
            await migrate.migrate(pool)
            store = postgres.PostgresStore(pool, timeout=60)
            jobs = [a_job(number) for number in range(JOBS)]
            for start in range(0, JOBS, 1000):
                await store.save([Change(job, None) for job in jobs[start : start + 1000]])
            jobs = [replace(job, revision=1) for job in jobs]
            await pool.execute(NAIVE_DISKS)
            await pool.execute("VACUUM ANALYZE", timeout=60)
            gc.freeze()

            async def checked(changes: list[Change]) -> None:
                assert len(await store.save(changes)) == len(changes)

            async def executemany(changes: list[Change]) -> None:
                await naive(pool, changes)

            print(f"{'batch':>6} {'one statement':>22} {'executemany':>22} {'ratio':>16}")
            for batch in BATCHES:
                one = await measure(checked, jobs, batch, seconds)
                many = await measure(executemany, jobs, batch, seconds)
                print(
                    f"{batch:6} {one[0]:9,.0f}/s {one[1]:6.1f} us {many[0]:11,.0f}/s {many[1]:6.1f} us"
                    f" {one[0] / many[0]:8.2f}x {one[1] / many[1]:5.2f}x"
                )
            print(f"encoding alone: {encoding(jobs[:500]):.1f} us an update; {len(statements.SAVE)} bytes of SQL")


def encoding(jobs: list[Job]) -> float:
    """Microseconds for each update of a batch to become the statement's document."""
    changes = [Change(moved(job, 1), job) for job in jobs]
    began = time.process_time()
    for _ in range(20):
        postgres._documents(changes)
    return (time.process_time() - began) / 20 / len(jobs) * 1e6


if __name__ == "__main__":
    trio.run(main, float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
