"""History in PostgreSQL: events converted with their data, days made, thinned and dropped while others write."""

from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trio
from msgspec.structs import replace

from sendensed.core.model import Disk, Meter
from sendensed.core.retention import Limits, name
from sendensed.core.samples import Window
from sendensed.store import Change, bridge, migrate
from sendensed.store.archive import LOCK_WAIT
from sendensed.store.postgres import PostgresStore
from sendensed.store.postgres_archive import PostgresArchive
from tests.fakes.jobs import a_job, an_event
from tests.fakes.stores import saved
from tests.waits import PATIENCE

LIMITS = Limits(events=90, samples=90, whole=7)


@pytest.fixture
async def pool(postgres_dsn):
    async with bridge.open_pool(postgres_dsn) as opened:
        yield opened


async def days(pool, parent: str) -> dict[str, int]:
    """Each partition and how many rows it has."""
    found = await pool.fetch(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = $1::regclass",
        parent,
    )
    return {row["relname"]: await pool.fetchval(f"SELECT count(*) FROM {row['relname']}") for row in sorted(found)}


async def today(pool) -> datetime:
    now: datetime = await pool.fetchval("SELECT clock_timestamp()")
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


async def sampled(store, moments, job_id="backup-web-1"):
    """A job heard at these moments, a sample each."""
    before = None
    for number, moment in enumerate(moments):
        job = a_job(
            job_id,
            created_at=moments[0],
            revision=number,
            status="running",
            last_telemetry_at=moment,
            bytes_transferred=number * 10,
            disks=(Disk(0, number * 4), Disk(1, number * 6)),
            transfer_speed_bps=number,
            meter=Meter(verified=number, to_verify=99),
        )
        assert await store.save([Change(job, before, (an_event(job_id, at=moment),), sample=True)])
        before = replace(job, revision=number + 1)


async def test_the_events_that_there_are_are_kept_in_their_order_when_days_come(empty_dsn):
    history = next(one.number for one in migrate.shipped() if one.name.endswith("_history.sql"))
    async with bridge.open_pool(empty_dsn) as pool:
        await migrate.migrate(pool, migrate.shipped()[: history - 1])
        for number, moment in enumerate(
            ["clock_timestamp()", "clock_timestamp() - interval '3 days'", "'1999-01-01'"]
        ):
            await pool.execute(
                f"""
                INSERT INTO backup_jobs (id, job_type) VALUES ('j{number}', 'backup');
                INSERT INTO job_events (
                    job_id, at, kind, said_by, status, attempt, bytes_transferred, current_phase, detail
                ) SELECT 'j{number}', {moment}, 'state', 'sender', 'running', 1, 0, '', 'n' || n
                FROM generate_series(1, 3) AS n"""
            )
        await migrate.migrate(pool)
        store, now = PostgresStore(pool), await today(pool)
        for number in range(3):
            job, events = await store.job(f"j{number}")
            assert [event.detail for event in events] == ["n1", "n2", "n3"]
            assert await store.save([Change(job, job, (an_event(job.id, detail="n4", at=events[0].at),))])
            assert [event.detail for event in (await store.job(job.id))[1]] == ["n1", "n2", "n3", "n4"]
        found = await days(pool, "job_events")
        assert found.pop("job_events_default") == 4
        assert found.pop(name("job_events", now - timedelta(days=3))) == 4
        assert found.pop(name("job_events", now)) == 4
        assert set(found.values()) == {0}


async def test_days_are_made_ahead_and_take_what_came_for_them_before(pool):
    store, now = PostgresStore(pool), await today(pool)
    days_gone = [name(parent, now) for parent in ("job_events", "job_samples")]
    for table in days_gone:
        await pool.execute(f"DROP TABLE {table}")
    moments = [now, now + timedelta(seconds=5)]
    await sampled(store, moments)
    assert (await days(pool, "job_samples"))["job_samples_default"] == 2
    archive = PostgresArchive(pool)
    assert await archive.tend(LIMITS) == [f"made {table}" for table in days_gone] + ["swept"]
    for parent in ("job_events", "job_samples"):
        found = await days(pool, parent)
        assert (found[f"{parent}_default"], found[name(parent, now)]) == (0, 2)
    assert await archive.tend(LIMITS) == ["swept"]
    window = Window(now, now + timedelta(hours=1), 5, now - timedelta(days=7))
    assert [one.at for one in (await archive.samples("backup-web-1", window)).samples] == moments


async def made(pool, parent: str, day: datetime) -> str:
    table = name(parent, day)
    end = day + timedelta(days=1)
    await pool.execute(f"CREATE TABLE {table} PARTITION OF {parent} FOR VALUES FROM ('{day}') TO ('{end}')")
    return table


async def test_old_days_are_thinned_to_a_point_a_minute_and_then_dropped(pool):
    store, now, archive = PostgresStore(pool), await today(pool), PostgresArchive(pool)
    old, gone = now - timedelta(days=8), now - timedelta(days=91)
    thinned, dropped = await made(pool, "job_samples", old), await made(pool, "job_samples", gone)
    events = await made(pool, "job_events", gone)
    await sampled(store, [old + timedelta(seconds=5 * n) for n in range(36)], "thinned")
    await sampled(store, [gone], "gone")
    await sampled(store, [gone - timedelta(days=9)], "late for a day that was dropped")
    done = await archive.tend(LIMITS)
    assert done == [f"thinned {thinned}", f"dropped {events}", f"dropped {dropped}", "swept"]
    found = await days(pool, "job_samples")
    assert (found[f"{thinned}_thin"], found["job_samples_default"]) == (3, 0)
    assert not {thinned, dropped} & set(found)
    window = Window(old, old + timedelta(hours=1), 5, now - timedelta(days=7), disks=True)
    kept = await archive.samples("thinned", window)
    assert [(one.at - old, one.bytes_transferred, one.transfer_speed_bps) for one in kept.samples] == [
        (timedelta(seconds=55), 110, 5),
        (timedelta(seconds=115), 230, 17),
        (timedelta(seconds=175), 350, 29),
    ]
    assert [[disk.bytes_transferred for disk in one.disks] for one in kept.samples] == [
        [44, 66],
        [92, 138],
        [140, 210],
    ]
    assert [one.bytes_verified for one in kept.samples] == [11, 23, 35]
    assert kept.holes == ()
    job, events_left = await store.job("gone")
    assert (job.id, events_left) == ("gone", ())
    assert await archive.tend(LIMITS) == ["swept"]


async def test_one_hub_at_a_time_tends(pool):
    async with pool.connection() as other:
        await other.execute("SELECT pg_advisory_lock($1)", 0x53454E45)
        assert await PostgresArchive(pool).tend(LIMITS) == []
        await other.execute("SELECT pg_advisory_unlock($1)", 0x53454E45)
    assert await PostgresArchive(pool).tend(LIMITS) == ["swept"]


async def test_a_day_in_use_is_dropped_later_and_nobody_waits_for_it(pool):
    """Somebody reads the day for long; the drop gives way after its short wait, and saves go on."""
    store, now, archive = PostgresStore(pool), await today(pool), PostgresArchive(pool)
    table = await made(pool, "job_events", now - timedelta(days=91))
    async with pool.connection() as reader:
        await reader.execute("BEGIN")
        await reader.execute(f"SELECT count(*) FROM {table}")
        assert await archive.tend(LIMITS) == ["swept"]
        await saved(store, a_job(), an_event(at=now))
        await reader.execute("COMMIT")
    assert f"dropped {table}" in await archive.tend(LIMITS)


class Traffic:
    """One job that is heard without end, and readers of all that there is, while days come and go under them."""

    def __init__(self, pool, now: datetime) -> None:
        self.store, self.archive = PostgresStore(pool), PostgresArchive(pool)
        self.now = now
        self.ends = False
        self.writes = 0
        self.reads: Counter[str] = Counter()
        self.dropping = False

    @asynccontextmanager
    async def running(self):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            for look in (self._detail, self._of_today, self._of_old_days, self._machine):
                nursery.start_soon(self._read, look)
            yield
            self.ends = True

    async def _write(self) -> None:
        before = None
        while not self.ends:
            moment = self.now + timedelta(seconds=self.writes)
            revision = before.revision if before else 0
            job = a_job("busy", status="running", revision=revision, last_telemetry_at=moment, vm_name="web-1")
            with trio.fail_after(20 * LOCK_WAIT):
                held = await self.store.save([Change(job, before, (an_event("busy", at=moment),), sample=True)])
            assert held == {"busy"}
            before = replace(job, revision=job.revision + 1)
            self.writes += 1

    async def _read(self, look) -> None:
        while not self.ends:
            with trio.fail_after(20 * LOCK_WAIT):
                await look()
            self.reads[look.__name__] += 1
            await trio.lowlevel.checkpoint()

    async def _detail(self) -> None:
        """A job and its events are of one moment: each of its saves brought one."""
        found = await self.store.job("busy")
        if found is not None:
            job, events = found
            assert len(events) == min(job.revision, 500)

    async def _of_today(self) -> None:
        """Each committed sample is there, whichever table it is in."""
        before = self.writes
        window = Window(self.now, self.now + timedelta(days=1), 1, self.now - timedelta(days=7))
        assert len((await self.archive.samples("busy", window)).samples) in range(before, self.writes + 2)

    async def _of_old_days(self) -> None:
        """A day is whole or thinned, or gone with all of its points once days are dropped."""
        window = Window(self.now - timedelta(days=40), self.now, 5, self.now - timedelta(days=7))
        found = Counter(point.at.date() for point in (await self.archive.samples("kept", window)).samples)
        assert set(found.values()) <= {WHOLE, THINNED}
        assert len(found) == OLD_DAYS or self.dropping

    async def _machine(self) -> None:
        [(name, [run])] = await self.archive.machines(limit=5, names=["kept-1"])
        assert (name, run.status) == ("kept-1", "running")


OLD_DAYS, WHOLE, THINNED = 20, 24, 2
_UNMADE = """
ALTER TABLE {parent} DETACH PARTITION {table};
INSERT INTO {parent} SELECT * FROM {table};
DROP TABLE {table}"""


async def test_saves_and_readers_go_on_while_days_come_and_go(pool):
    """None fails or sees half, nor waits for more than some locks' waits, while tables change under it."""
    now = await today(pool)
    traffic, archive = Traffic(pool, now), PostgresArchive(pool)
    old = [now - timedelta(days=ago) for ago in range(8, 8 + OLD_DAYS)]
    for day in old:
        await made(pool, "job_samples", day)
    moments = [day + timedelta(seconds=5 * number) for day in reversed(old) for number in range(WHOLE)]
    await sampled(traffic.store, moments, "kept")
    await pool.execute("UPDATE backup_jobs SET vm_name = 'kept-1'")
    async with traffic.running():
        done: list[str] = []
        with trio.fail_after(PATIENCE):
            while sum(one.startswith("thinned") for one in done) < OLD_DAYS:
                done += await archive.tend(LIMITS)
            for parent in ("job_events", "job_samples") * 10:
                table = name(parent, now)
                await pool.execute(_UNMADE.format(parent=parent, table=table))
                while f"made {table}" not in (tended := await archive.tend(LIMITS)):
                    done += tended
            traffic.dropping = True
            while sum(one.startswith("dropped") for one in done) < OLD_DAYS:
                done += await archive.tend(Limits(events=90, samples=7, whole=7))
    _, events = await traffic.store.job("busy")
    assert len(events) == min(traffic.writes, 500)
    count = await pool.fetchval("SELECT count(*) FROM job_samples WHERE job_id = 'busy'")
    assert count == traffic.writes
    assert min(traffic.reads.values()) > OLD_DAYS
    assert len(traffic.reads) == 4


async def test_an_outage_is_noted_once_a_hub_is_back(pool):
    archive = PostgresArchive(pool)
    await pool.execute("UPDATE hub_notes SET noted_at = clock_timestamp()")  # the template may be minutes old
    await archive.note([])
    await pool.execute("UPDATE hub_notes SET noted_at = clock_timestamp() - interval '2 minutes'")
    await archive.note([])
    await archive.note([])
    now = await pool.fetchval("SELECT clock_timestamp()")
    [outage] = await archive.outages(now - timedelta(hours=1), now)
    assert timedelta(seconds=115) < outage.end - outage.start < timedelta(seconds=150)
    assert await archive.outages(now - timedelta(hours=2), now - timedelta(hours=1)) == []
