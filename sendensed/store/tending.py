"""Tending: the tables of the days made, thinned and dropped, while the hubs serve.

Each step is one transaction that takes its locks last and waits for none longer than `LOCK_WAIT`; one that
cannot have them is undone and left for the next time. An advisory lock lets one hub at a time do this.
"""
# ruff: noqa: S608 - table names are our own, made of dates

from datetime import UTC, date, datetime, time, timedelta

import structlog

from sendensed.core import retention
from sendensed.core.retention import Limits
from sendensed.core.samples import THINNED_EVERY
from sendensed.store import StoreUnavailable, bridge
from sendensed.store.archive import LOCK_WAIT

log = structlog.get_logger()

PATIENCE = 600.0
"""Longest run of one step, seconds: a day of samples of ten thousand jobs is thinned in it."""
_LOCK = 0x53454E45  # advisory lock, next to that of the migrations

_BEGIN = "SELECT pg_try_advisory_lock($1) AS mine, (clock_timestamp() AT TIME ZONE 'UTC')::date AS today"
_TABLES = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent IN ('job_events'::regclass, 'job_samples'::regclass)"""


async def tend(pool: bridge.Pool, limits: Limits) -> list[str]:
    """Brings the tables to what today asks for; returns what was done, as sentences. Raises StoreUnavailable."""
    async with pool.connection() as connection:
        [row] = await connection.fetch(_BEGIN, _LOCK)
        if not row["mine"]:
            return []
        tables = [found["relname"] for found in await connection.fetch(_TABLES)]
        done = []
        for word, statements in _steps(tables, row["today"], limits):
            try:
                await connection.execute(
                    f"SET LOCAL lock_timeout = {LOCK_WAIT * 1000:.0f};\n{statements}", timeout=PATIENCE
                )
                done.append(word)
            except StoreUnavailable as error:
                log.info("history is tended later", step=word, reason=str(error))
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return done


def _steps(tables: list[str], today: date, limits: Limits) -> list[tuple[str, str]]:
    """Words and statements; several statements sent as one text are one transaction."""
    steps = retention.steps(tables, today, limits)
    return [
        *((f"made {retention.name(parent, day)}", _make(parent, day)) for parent, day in steps.make),
        *((f"thinned {table}", _thin(table)) for table in steps.thin),
        *((f"dropped {table}", f"DROP TABLE {table}") for table in steps.drop),
        ("swept", _sweep(today, limits)),
    ]


def _make(parent: str, day: date) -> str:
    """The day's table, with what the default one holds of that day.

    The parent is locked before: who had found its way to the default table by then, and waited only there, would
    be refused its row by that table's new bounds, or read it without what has just left it.
    """
    table = retention.name(parent, day)
    return f"""
CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS);
LOCK TABLE ONLY {parent} IN ACCESS EXCLUSIVE MODE;
LOCK TABLE {parent}_default IN ACCESS EXCLUSIVE MODE;
WITH moved AS (DELETE FROM {parent}_default WHERE {_within(day)} RETURNING *)
INSERT INTO {table} SELECT * FROM moved;
{_attach(parent, table, day)}"""


def _thin(table: str) -> str:
    """One sample a minute in the place of all, each where its minute ended, disks too, at its mean speed."""
    found = retention.day_of(table)
    assert found is not None, "only tables of days are thinned"  # noqa: S101
    parent, day, _ = found
    thin = retention.name(parent, day, thin=True)
    return f"""
CREATE TABLE {thin} (LIKE {parent} INCLUDING DEFAULTS, CHECK ({_within(day)}));
INSERT INTO {thin}
    (job_id, at, attempt, bytes_transferred, transfer_speed_bps, current_phase, disks, bytes_verified)
SELECT
    job_id, max(at), attempt, max(bytes_transferred), floor(avg(transfer_speed_bps)),
    (array_agg(current_phase ORDER BY at DESC))[1], (array_agg(disks ORDER BY at DESC))[1], max(bytes_verified)
FROM {table} GROUP BY job_id, attempt, date_bin('{THINNED_EVERY:g} s', at, '2026-01-01 00:00:00+00');
CREATE INDEX ON {thin} (job_id, at);
ALTER TABLE {parent} DETACH PARTITION {table};
{_attach(parent, thin, day)};
DROP TABLE {table}"""


def _sweep(today: date, limits: Limits) -> str:
    """What came too late for its day, and outages that no chart shows any more."""
    events, samples = (retention.oldest(today, days) for days in (limits.events, limits.samples))
    return f"""
DELETE FROM job_events_default WHERE at < '{_midnight(events)}';
DELETE FROM job_samples_default WHERE at < '{_midnight(samples)}';
DELETE FROM hub_outages WHERE until < '{_midnight(samples)}'"""


def _attach(parent: str, table: str, day: date) -> str:
    bounds = f"FROM ('{_midnight(day)}') TO ('{_midnight(day + timedelta(days=1))}')"
    return f"ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES {bounds}"


def _within(day: date) -> str:
    return f"at >= '{_midnight(day)}' AND at < '{_midnight(day + timedelta(days=1))}'"


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()
