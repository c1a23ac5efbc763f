"""Scale: whether what a hub does all day stays flat when a million finished jobs lie in its database.

Three databases on one PostgreSQL: an empty one (but for what fills a page and a batch), one with 10,000 running
jobs, and one with a million finished jobs besides. In each, by turns: the reaper's look for silent and for unmoved
jobs, the first page of the job list, of the failed ones, of the latest ends and of a name that nothing has, a
batch of 1,000 updates, and one of 1,000 new jobs. Medians in milliseconds, and the ratios.

Between two batches 5 s pass for the jobs in them, so that these set their marks anew as often as in real life.

    python -m tests.benchmarks.scale --finished 1000000 --running 10000 --rounds 15
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

import trio
from msgspec.structs import replace

from sendensed.core.listing import Query
from sendensed.core.model import Disk, Event, Job
from sendensed.store import Change, bridge, embedded, migrate
from sendensed.store.postgres import BY_KEY, PostgresStore
from sendensed.store.postgres_archive import PostgresArchive
from tests.fakes.jobs import an_event

BATCH, PAGE = 1_000, 100
PASSING = timedelta(minutes=10)
"""So long ago is the present of the running jobs: time enough to pass for them, and never the future."""

_FILL = """
INSERT INTO backup_jobs (id, vm_name, job_type, status, current_phase, bytes_transferred, total_bytes,
    progress_percent, sequence, created_at, started_at, completed_at, last_telemetry_at, last_moved_at, closed_by,
    disks, heard_mark, moved_mark)
SELECT prefix || n, 'vm-' || n % 5000, 'backup', state, 'transferring', 1000000, 1000000, 100, 60, at, at,
    CASE WHEN state <> 'running' THEN at + interval '1 hour' END, heard, heard,
    CASE WHEN state <> 'running' THEN 'sender' END,
    json_build_array(json_build_array(0, 1000000, 1000000, 100, state)), mark, mark
FROM (SELECT n, $1::text AS prefix, CASE WHEN $2::boolean THEN 'running' WHEN n % 20 = 0 THEN 'failed'
        ELSE 'completed' END AS state, $5::timestamptz - n * $3::interval AS at,
        CASE WHEN $2 THEN $5 - n % 5 * interval '1 s' ELSE $5 - n * $3 + interval '1 hour' END AS heard,
        CASE WHEN $2 THEN $5 - n % 35 * interval '1 s' ELSE '-infinity' END AS mark
    FROM generate_series(1, $4::integer) AS n) AS made
"""
_FILL_EVENTS = """
INSERT INTO job_events (job_id, at, kind, said_by, status, attempt, sequence, bytes_transferred, current_phase,
    detail)
SELECT id, created_at, 'state', 'sender', status, 1, 60, 0, 'transferring', status
FROM backup_jobs WHERE id LIKE $1 || '%'
"""


async def fill(pool: bridge.Pool, prefix: str, running: bool, apart: timedelta, count: int, now: datetime) -> None:
    """So many jobs with a disk and an event each, begun so far apart; the running ones are heard now."""
    await pool.execute("SET session_replication_role = replica")  # rows that are made to fit need no check
    await pool.execute(_FILL, prefix, running, apart, count, now, timeout=600)
    await pool.execute(_FILL_EVENTS, prefix, timeout=600)
    await pool.execute("SET session_replication_role = DEFAULT")


class Place:
    """One of the databases, and what is done there."""

    def __init__(self, pool: bridge.Pool, store: PostgresStore, archive: PostgresArchive, now: datetime) -> None:
        self.times: dict[str, list[float]] = {}
        self._pool = pool
        self._store = store
        self._archive = archive
        self._now = self._heard = now
        self._jobs: list[Job] = []
        self._made = 0

    async def start(self) -> None:
        """Reads the jobs that batches will update."""
        self._jobs = await self._store.jobs(limit=BATCH, status=["running"])
        assert len(self._jobs) == BATCH

    @property
    def work(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "reaper's look": self._look,
            "first page": self._page,
            "first page of failed": self._page_of_failed,
            "latest ends": self._ended,
            "a name nothing has": self._search,
            "batch of updates": self._update,
            "batch of new jobs": self._new_jobs,
        }

    async def end_round(self) -> None:
        await self._pool.execute("DELETE FROM backup_jobs WHERE id >= 'new-' AND id < 'new.'", timeout=60)

    async def _look(self) -> None:
        """As the reaper looks every 15 s at the latest: all have been heard, and all have moved."""
        assert await self._store.silent(self._now - timedelta(seconds=45)) == []
        assert await self._store.unmoved(self._now - timedelta(seconds=585)) == []

    async def _page(self) -> None:
        assert len((await self._archive.page(Query(limit=PAGE))).jobs) == PAGE

    async def _page_of_failed(self) -> None:
        failed = frozenset({"failed"})
        assert len((await self._archive.page(Query(limit=PAGE, statuses=failed))).jobs) == PAGE

    async def _ended(self) -> None:
        await self._store.ended(limit=PAGE)

    async def _search(self) -> None:
        """The first page of it, with what an operator has found by typing: nothing."""
        assert (await self._archive.page(Query(limit=PAGE, text="no such"))).jobs == []

    async def _update(self) -> None:
        self._heard += timedelta(seconds=5)
        after = [moved(job, self._heard) for job in self._jobs]
        changes = [Change(job, before) for job, before in zip(after, self._jobs, strict=True)]
        assert len(await self._store.save(changes)) == BATCH
        self._jobs = [replace(job, revision=job.revision + 1) for job in after]

    async def _new_jobs(self) -> None:
        first, self._made = self._made, self._made + BATCH
        jobs = [
            Job(
                f"new-{n:09}",
                "backup",
                self._now,
                status="running",
                last_telemetry_at=self._now,
                disks=(Disk(0, 1, 2),),
            )
            for n in range(first, self._made)
        ]
        events: list[Event] = [an_event(job.id) for job in jobs]
        changes = [Change(job, None, (event,)) for job, event in zip(jobs, events, strict=True)]
        assert len(await self._store.save(changes)) == BATCH


def moved(job: Job, heard: datetime) -> Job:
    """The job after an update, a byte further on each disk."""
    disks = tuple(replace(disk, bytes_transferred=disk.bytes_transferred + 1) for disk in job.disks)
    done = job.bytes_transferred + len(disks)
    return replace(job, bytes_transferred=done, disks=disks, last_telemetry_at=heard, last_moved_at=heard)


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - began)


async def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="sendense-bench-") as folder:
        Path(folder).chmod(0o755)
        async with AsyncExitStack() as opened:
            server = await opened.enter_async_context(embedded.open_embedded(Path(folder)))
            admin = await opened.enter_async_context(bridge.open_pool(server.dsn, max_size=1))
            places = []
            for name in ("empty", "running", "full"):
                await admin.execute(f"CREATE DATABASE {name}_jobs")
                dsn = server.dsn.replace("/postgres?", f"/{name}_jobs?")
                pool = await opened.enter_async_context(bridge.open_pool(dsn, max_size=1))
                await migrate.migrate(pool)
                began = time.perf_counter()
                full, running = name == "full", name != "empty"
                keyed = await opened.enter_async_context(bridge.open_pool(dsn, max_size=1, settings=BY_KEY))
                store = PostgresStore(keyed, timeout=60)
                now = await store.now() - PASSING
                finished, active = options.finished if full else 20 * PAGE, options.running if running else BATCH
                await fill(pool, "old-", False, timedelta(minutes=1), finished, now)
                await fill(pool, "run-", True, timedelta(milliseconds=1), active, now)
                await pool.execute("VACUUM ANALYZE", timeout=600)
                print(f"{name}: made in {time.perf_counter() - began:.0f} s", flush=True)
                places.append(Place(pool, store, PostgresArchive(pool, timeout=60), now))
            for place in places:
                await place.start()
            for turn in range(options.rounds):
                for name in places[0].work:
                    for place in places if turn % 2 else reversed(places):
                        place.times.setdefault(name, []).append(await timed(place.work[name]))
                for place in places:
                    await place.end_round()
    report(*places)


def report(empty: Place, running: Place, full: Place) -> None:
    print(f"{'median, ms':22} {'empty':>8} {'running':>8} {'full':>8} {'full/empty':>11} {'full/running':>13}")
    for name in full.times:
        a, b, c = (statistics.median(place.times[name]) for place in (empty, running, full))
        print(f"{name:22} {a:8.1f} {b:8.1f} {c:8.1f} {c / a:10.2f}x {c / b:12.2f}x")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--running", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    trio.run(main, parser.parse_args())
