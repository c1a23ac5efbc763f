"""Migrations: applied once, in order, whole, by one hub at a time, and never against the wrong database."""

from functools import partial
from pathlib import Path

import pytest
import trio
from msgspec.structs import astuple
from structlog.testing import capture_logs

from sendensed.core.model import Disk, Job, Meter, Point
from sendensed.store import Change, bridge, embedded, migrate, programs
from sendensed.store.migrate import Migration, SchemaRefused
from sendensed.store.postgres import PostgresStore
from tests.fakes.jobs import a_job, an_event

ONE = Migration(1, "0001_one.sql", "CREATE TABLE one (n int)")
TWO = Migration(2, "0002_two.sql", "CREATE TABLE two (n int); INSERT INTO two VALUES (2)")
BROKEN = Migration(2, "0002_two.sql", "CREATE TABLE two (n int); CREATE TABLE one (n int)")

DEBIAN = Path("/usr/lib/postgresql")
KINDS = [programs.shipped(), *sorted(DEBIAN.glob("*/bin"))]
"""Ours, and whichever servers the distribution has installed."""


@pytest.fixture
async def pool(empty_dsn):
    async with bridge.open_pool(empty_dsn) as opened:
        yield opened


async def tables(pool):
    found = await pool.fetch("SELECT relname FROM pg_stat_user_tables ORDER BY relname")
    return [row["relname"] for row in found]


async def test_what_is_missing_is_applied_in_order_and_once(pool):
    assert await migrate.migrate(pool, (ONE,)) == ["0001_one.sql"]
    assert await migrate.migrate(pool, (ONE, TWO)) == ["0002_two.sql"]
    assert await migrate.migrate(pool, (ONE, TWO)) == []
    assert await tables(pool) == ["one", "schema_migrations", "two"]


async def test_hubs_that_start_together_apply_each_migration_once(pool, empty_dsn):
    applied = []

    async def start():
        async with bridge.open_pool(empty_dsn) as own:
            applied.extend(await migrate.migrate(own, (ONE, TWO)))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(start)
    assert sorted(applied) == ["0001_one.sql", "0002_two.sql"]


async def test_who_does_not_own_the_tables_may_use_them_but_is_told_who_has_to_change_them(pool, empty_dsn):
    await migrate.migrate(pool, (ONE,))
    await pool.execute("""
        DROP ROLE IF EXISTS guest;
        CREATE ROLE guest LOGIN;
        GRANT ALL ON SCHEMA public TO guest;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO guest""")
    async with bridge.open_pool(empty_dsn.replace("postgres@", "guest@")) as theirs:
        assert await migrate.migrate(theirs, (ONE,)) == []
        with pytest.raises(SchemaRefused, match=r"0002_two\.sql is for the owner .* 'postgres': start a hub"):
            await migrate.migrate(theirs, (ONE, TWO))
    assert await tables(pool) == ["one", "schema_migrations"]


async def test_a_database_from_before_migrations_said_whom_they_serve_is_read_and_gone_on_with(pool):
    await migrate.migrate(pool, (ONE,))
    await pool.execute("ALTER TABLE schema_migrations DROP COLUMN serves_from")
    assert await migrate.migrate(pool, (ONE,)) == []
    assert await migrate.migrate(pool, (ONE, TWO)) == ["0002_two.sql"]


async def test_a_migration_that_fails_leaves_nothing_of_itself(pool):
    with pytest.raises(Exception, match="already exists"):
        await migrate.migrate(pool, (ONE, BROKEN))
    assert await tables(pool) == ["one", "schema_migrations"]
    assert await migrate.migrate(pool, (ONE, TWO)) == ["0002_two.sql"]


async def test_a_database_newer_than_the_hub_is_refused(pool):
    await migrate.migrate(pool, (ONE, TWO))
    with pytest.raises(SchemaRefused, match=r"newer than this hub \(it has 0002_two.sql\): upgrade the hub"):
        await migrate.migrate(pool, (ONE,))


async def test_a_newer_database_serves_the_hubs_that_its_new_migrations_name(pool):
    """Back to the one that they say, as far as each of them does."""
    wide = Migration(3, "0003_wide.sql", "-- Wide: adds.\n--\n-- Serves hubs from 0002.\nCREATE TABLE three ()")
    wider = Migration(4, "0004_wider.sql", "-- Serves hubs from 0001.\nCREATE TABLE four ()")
    await migrate.migrate(pool, (ONE, TWO, wide, wider))
    with capture_logs() as logs:
        assert await migrate.migrate(pool, (ONE, TWO)) == []
    assert [line["newest"] for line in logs] == ["0004_wider.sql"]
    assert await migrate.migrate(pool, (ONE, TWO, wide)) == []
    with pytest.raises(SchemaRefused, match=r"newer than this hub \(it has 0002_two.sql\): upgrade the hub"):
        await migrate.migrate(pool, (ONE,))
    with pytest.raises(SchemaRefused, match=r"another text of 0001_one.sql"):
        await migrate.migrate(pool, (Migration(1, "0001_one.sql", "CREATE TABLE other ()"), TWO))


async def test_what_a_hub_from_before_noted_of_its_migrations_serves_no_older_one(pool):
    await migrate.migrate(pool, (ONE, TWO))
    await pool.execute("ALTER TABLE schema_migrations DROP COLUMN serves_from")
    assert await migrate.migrate(pool, (ONE, TWO)) == []
    with pytest.raises(SchemaRefused, match=r"it has 0002_two.sql"):
        await migrate.migrate(pool, (ONE,))


async def test_an_edited_migration_is_refused(pool):
    await migrate.migrate(pool, (ONE,))
    with pytest.raises(SchemaRefused, match=r"another text of 0001_one.sql"):
        await migrate.migrate(pool, (Migration(1, "0001_one.sql", "CREATE TABLE other (n int)"), TWO))
    assert await tables(pool) == ["one", "schema_migrations"]


async def test_a_database_with_a_gap_is_refused(pool):
    await migrate.migrate(pool, (ONE, TWO))
    await pool.execute("DELETE FROM schema_migrations WHERE number = 1")
    with pytest.raises(SchemaRefused, match="0002 but not 0001"):
        await migrate.migrate(pool, (ONE, TWO))


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "readme.md"]])
def test_a_folder_with_a_gap_or_a_stranger_is_refused(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(SchemaRefused, match="is expected"):
        migrate.shipped(tmp_path)


def test_the_shipped_migrations_are_in_order():
    numbers = [migration.number for migration in migrate.shipped()]
    assert numbers
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("binaries", KINDS, ids=lambda path: path.parent.name)
async def test_the_schema_serves_the_store_on_each_postgresql_that_is_here(open_directory, binaries):
    async with (
        embedded.open_embedded(open_directory, binaries) as server,
        bridge.open_pool(server.dsn) as pool,
    ):
        await migrate.migrate(pool)
        store = PostgresStore(pool)
        job = a_job(status="running")
        assert await store.save([Change(job, None, (an_event(),))]) == {job.id}
        assert await store.save([Change(a_job(revision=1), a_job(revision=1))]) == {job.id}
        found = await store.job(job.id)
        assert found is not None
        assert found == (a_job(revision=2), (an_event(),))
        assert await store.jobs(limit=1) == [found[0]]


CONTRACT = {
    "backup_jobs": "id vm_name job_type backup_type status current_phase bytes_transferred total_bytes"
    " transfer_speed_bps eta_seconds progress_percent error_message created_at started_at completed_at"
    " last_telemetry_at",
    "backup_disks": "backup_job_id disk_index bytes_transferred total_bytes progress_percent status error_message",
}


@pytest.mark.parametrize("table", CONTRACT)
async def test_the_tables_have_every_column_that_operators_know(postgres_dsn, table):
    async with bridge.open_pool(postgres_dsn) as pool:
        await pool.fetch(f"SELECT {', '.join(CONTRACT[table].split())} FROM {table}")


async def test_each_field_of_a_job_has_its_column(postgres_dsn):
    async with bridge.open_pool(postgres_dsn) as pool:
        found = await pool.fetch(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = 'backup_jobs' AND is_generated = 'NEVER'"
        )
        of_the_database = {"changed", "ended_in", "heard_mark", "moved_mark"}
        assert {row["column_name"] for row in found} - of_the_database == set(Job.__struct_fields__)


async def test_the_disks_of_jobs_from_before_move_into_the_jobs_rows(pool):
    shipped = migrate.shipped()
    await migrate.migrate(pool, shipped[:6])
    await pool.execute(
        "INSERT INTO backup_jobs (id, job_type, meter) VALUES ('without', 'backup', '[]'),"
        " ('with', 'backup', '[[[1.5, 7]], [1.5, 0], 2.5, 3]');"
        "INSERT INTO backup_disks VALUES ('with', 1, 5, 10, NULL, 'running', 'it said \"no\"', 'read'),"
        " ('with', 0, 7, 7, 99.5, 'completed', NULL, '')"
    )
    await migrate.migrate(pool, shipped)
    jobs = await PostgresStore(pool).load(["with", "without"])
    assert jobs["without"].disks == ()
    assert jobs["with"].meter == Meter((Point(1.5, 7),), Point(1.5, 0), 2.5, 3)
    assert jobs["with"].disks == (
        Disk(0, 7, 7, 99.5, "completed"),
        Disk(1, 5, 10, None, "running", 'it said "no"', "read"),
    )


async def test_jobs_from_before_get_the_marks_of_their_times(pool):
    shipped = migrate.shipped()
    await migrate.migrate(pool, shipped[:7])
    await pool.execute(
        "INSERT INTO backup_jobs (id, job_type, status, created_at, last_telemetry_at, last_moved_at) VALUES"
        " ('spoke', 'backup', 'running', '2026-11-01Z', '2026-11-03Z', '2026-11-02Z'),"
        " ('silent', 'backup', 'pending', '2026-11-01Z', NULL, NULL),"
        " ('done', 'backup', 'completed', '2026-11-01Z', '2026-11-03Z', '2026-11-02Z')"
    )
    await migrate.migrate(pool, shipped)
    found = await pool.fetch(
        "SELECT id, to_char(heard_mark, 'DD'), to_char(moved_mark, 'DD') FROM backup_jobs"
        " WHERE isfinite(heard_mark)"
    )
    assert {tuple(row) for row in found} == {("spoke", "03", "02"), ("silent", "01", "01")}


async def test_a_look_with_psql_shows_each_disk_of_a_job_in_a_row_of_its_own(postgres_dsn):
    disks = (Disk(0, 7, 7, 99.5, "completed"), Disk(2, 5, 10, None, "failed", "gone", "read"))
    async with bridge.open_pool(postgres_dsn) as pool:
        await PostgresStore(pool).save([Change(a_job("a", disks=disks), None), Change(a_job("b"), None)])
        found = await pool.fetch("SELECT * FROM backup_disks ORDER BY backup_job_id, disk_index")
    assert [tuple(row) for row in found] == [("a", *astuple(disk)) for disk in disks]


async def test_an_ordinary_update_is_heap_only(postgres_dsn):
    async with bridge.open_pool(postgres_dsn, max_size=1) as pool:
        store = PostgresStore(pool)
        job = partial(a_job, status="running")
        await store.save([Change(job(), None)])
        for revision in range(1, 201):
            now = await store.now()
            after = job(revision=revision, bytes_transferred=revision, last_telemetry_at=now, last_moved_at=now)
            assert await store.save([Change(after, job(revision=revision))])
        await pool.execute("SELECT pg_stat_force_next_flush()")
        counted = await pool.fetchrow(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'backup_jobs'"
        )
        assert counted is not None
        assert counted["n_tup_upd"] == 200
        assert counted["n_tup_hot_upd"] >= 190
