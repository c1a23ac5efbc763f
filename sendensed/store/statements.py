"""Statements: the SQL of PostgresStore.

A row travels as JSON both ways: PostgreSQL takes and makes it in C, as msgspec does at this end, and the hub
spends nothing per column. The columns are named as the fields of `core/model.py`; a job's disks are one of
them, so that a save writes one row a job (with a row for each of 4 disks besides, PostgreSQL took twice as long).
"""
# ruff: noqa: S608 - put together from the models' own field names; values are parameters

import msgspec

from schemas.job import ACTIVE
from sendensed.core.model import Event, Job, Meter
from sendensed.store.rows import MARK, STEP

_TYPES = {
    "attempt": "integer",
    "sequence": "bigint",
    "bytes_transferred": "bigint",
    "total_bytes": "bigint",
    "transfer_speed_bps": "bigint",
    "eta_seconds": "bigint",
    "eta_low_seconds": "bigint",
    "eta_high_seconds": "bigint",
    "predictions": "json",
    "revision": "bigint",
    "progress_percent": "double precision",
    "at": "timestamptz",
    "created_at": "timestamptz",
    "started_at": "timestamptz",
    "completed_at": "timestamptz",
    "last_telemetry_at": "timestamptz",
    "last_moved_at": "timestamptz",
    "sent_at": "timestamptz",
    "disk_ended_at": "timestamptz",
    "cancel_requested_at": "timestamptz",
    "meter": "json",
    "disks": "json",
    "serial_disks": "boolean",
    "not_moving": "boolean",
    "event_count": "bigint",
}
"""The columns' types; all others are text."""


def _fields(model: type[msgspec.Struct], *, without: tuple[str, ...] = ()) -> list[str]:
    return [field for field in model.__struct_fields__ if field not in without]


def _typed(fields: list[str]) -> str:
    return ", ".join(f'"{field}" {_TYPES.get(field, "text")}' for field in fields)


def _listed(fields: list[str], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{field}"' for field in fields)


_JOB = _fields(Job, without=("id", "revision"))
_EVENT = _fields(Event)
_METER = {field: place for place, field in enumerate(Meter.__struct_fields__)}
_ACTIVE = ", ".join(f"'{state}'" for state in sorted(ACTIVE))

_HEARD = "coalesce({}last_telemetry_at, {}created_at)"
_MOVED = "coalesce({}last_moved_at, {}created_at)"


def _of(moment: str, row: str = "") -> str:
    return moment.format(row, row)


# A mark stays while it is near enough: an update that sets none changes no column of an index, so it is heap-only.
_MARKED = f"{_of(_HEARD, 'new.')} BETWEEN old.heard_mark AND old.heard_mark + interval '{MARK:g} seconds'"
_MARKS = f"""
            CASE WHEN {_MARKED} THEN old.heard_mark ELSE {_of(_HEARD, "new.")} END,
            CASE WHEN {_MARKED} AND {_of(_MOVED, "new.")} >= old.moved_mark
                THEN old.moved_mark ELSE {_of(_MOVED, "new.")} END"""

_ENDED_IN = f"CASE WHEN {{}}status NOT IN ({_ACTIVE}) THEN pg_current_xact_id() END"

NOW = "SELECT clock_timestamp()"

# $1 is [Job], $2 is [Event], $3 the ids of the jobs with a sample. A job at revision 0 is new, any other replaces
# the row of just that revision; whichever does not is left out with all that belongs to it, and its id is
# returned. `saved` names the jobs written by this statement; IS TRUE has it looked up by hash: a join, which may
# not hash here (`postgres.BY_KEY`), would hold each row against every other. json, not jsonb: PostgreSQL then
# reads each value once, as the column's type, and sorts no keys.
SAVE = f"""
WITH incoming AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::json) AS j ({_typed(_fields(Job))})
), updated AS (
    UPDATE backup_jobs AS old
    SET ({_listed(_JOB)}, revision, changed, ended_in, heard_mark, moved_mark) =
        ROW ({_listed(_JOB, "new.")}, new.revision + 1, pg_current_xact_id(), {_ENDED_IN.format("new.")}, {_MARKS})
    FROM incoming AS new
    WHERE old.id = new.id AND old.revision = new.revision
    RETURNING old.id
), inserted AS (
    INSERT INTO backup_jobs (id, {_listed(_JOB)}, revision, changed, ended_in, heard_mark, moved_mark)
    SELECT id, {_listed(_JOB)}, 1, pg_current_xact_id(), {_ENDED_IN.format("")}, {_of(_HEARD)}, {_of(_MOVED)}
    FROM incoming WHERE revision = 0
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), saved AS MATERIALIZED (
    SELECT id FROM updated UNION ALL SELECT id FROM inserted
), events AS (
    INSERT INTO job_events ({_listed(_EVENT)})
    SELECT {_listed(_EVENT, "e.")}
    FROM ROWS FROM (json_to_recordset($2::json) AS ({_typed(_EVENT)}))
        WITH ORDINALITY AS e ({_listed(_EVENT)}, place)
    WHERE (e.job_id IN (SELECT id FROM saved)) IS TRUE
    ORDER BY e.place
), samples AS (
    INSERT INTO job_samples
        (job_id, at, attempt, bytes_transferred, transfer_speed_bps, current_phase, disks, bytes_verified)
    SELECT id, last_telemetry_at, attempt, bytes_transferred, transfer_speed_bps, current_phase,
        CASE WHEN json_array_length(disks) > 1 THEN
            (SELECT json_agg(json_build_array(disk -> 0, disk -> 1)) FROM json_array_elements(disks) AS disk)
        END,
        CASE WHEN (meter ->> {_METER["to_verify"]})::bigint > 0 THEN (meter ->> {_METER["verified"]})::bigint END
    FROM incoming
    WHERE (id IN (SELECT unnest($3::text[]))) IS TRUE AND (id IN (SELECT id FROM saved)) IS TRUE
)
SELECT array(SELECT id FROM incoming WHERE id NOT IN (SELECT id FROM saved))
"""


def as_json(chosen: str, order: str) -> str:
    """One JSON array of the jobs that `chosen` gives, in the order of columns of `j`."""
    return f"SELECT coalesce(json_agg(row_to_json(j) ORDER BY {order}), '[]') FROM ({chosen}) AS j"


LOAD = as_json("SELECT * FROM backup_jobs WHERE id = ANY($1::text[])", "j.id")

# By the marks, which are the earlier ones, from the index; then by the times themselves. Two ranges of the index:
# for one condition with OR PostgreSQL would read all of it.
SILENT = as_json(
    f"""
        SELECT * FROM backup_jobs
        WHERE status IN ({_ACTIVE}) AND heard_mark < $1
            AND ({_of(_HEARD)} < $1 OR {_of(_HEARD)} > statement_timestamp() + interval '{STEP:g} seconds')
        UNION ALL
        SELECT * FROM backup_jobs
        WHERE status IN ({_ACTIVE}) AND heard_mark >= $1 AND heard_mark > statement_timestamp()
            AND {_of(_HEARD)} > statement_timestamp() + interval '{STEP:g} seconds'""",
    f"{_of(_HEARD, 'j.')}, j.id",
)

UNMOVED = as_json(
    f"""
        SELECT * FROM backup_jobs
        WHERE status = 'running' AND NOT not_moving AND moved_mark < $1 AND {_of(_MOVED)} < $1""",
    f"{_of(_MOVED, 'j.')}, j.id",
)

ENDED = as_json(
    "SELECT * FROM backup_jobs WHERE completed_at IS NOT NULL ORDER BY completed_at DESC, id DESC LIMIT $1",
    "j.completed_at DESC, j.id DESC",
)

# $1 limit, $2 states, $3 type. Four statements rather than "$2 is empty or ...", which no index could serve.
JOBS = {
    (by_status, by_type): as_json(
        f"""
        SELECT * FROM backup_jobs
        WHERE {"status = ANY($2::text[])" if by_status else "$2::text[] IS NOT NULL"}
            AND {"job_type = $3::text" if by_type else "$3::text IS NOT NULL"}
        ORDER BY created_at DESC, id DESC LIMIT $1""",
        "j.created_at DESC, j.id DESC",
    )
    for by_status in (False, True)
    for by_type in (False, True)
}

# $1 id, $2 how many events: [job, [event]], or no row.
JOB = """
SELECT json_build_array(
    row_to_json(j),
    (
        SELECT coalesce(json_agg(row_to_json(newest) ORDER BY newest.id), '[]') FROM (
            SELECT * FROM job_events WHERE job_id = j.id ORDER BY id DESC LIMIT $2
        ) AS newest
    )
)
FROM backup_jobs AS j WHERE j.id = $1"""
