"""Statements: the SQL of PostgresStore.

A row travels as JSON both ways: PostgreSQL takes and makes it in C, as msgspec does at this end, and the hub
spends nothing per column. The columns are named as the fields of `core/model.py` (a disk's `index` is
`disk_index`).
"""
# ruff: noqa: S608 - put together from the models' own field names; values are parameters

import msgspec

from schemas.job import ACTIVE
from sendensed.core.model import Disk, Event, Job
from sendensed.store.rows import STEP

_TYPES = {
    "attempt": "integer",
    "index": "integer",
    "sequence": "bigint",
    "bytes_transferred": "bigint",
    "total_bytes": "bigint",
    "transfer_speed_bps": "bigint",
    "eta_seconds": "bigint",
    "eta_low_seconds": "bigint",
    "eta_high_seconds": "bigint",
    "predictions": "jsonb",
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
    "meter": "jsonb",
    "disks": "jsonb",
    "serial_disks": "boolean",
    "not_moving": "boolean",
}
"""The columns' types; all others are text."""


def _fields(model: type[msgspec.Struct], *, without: tuple[str, ...] = ()) -> list[str]:
    return [field for field in model.__struct_fields__ if field not in without]


def _typed(fields: list[str]) -> str:
    return ", ".join(f'"{field}" {_TYPES.get(field, "text")}' for field in fields)


def _listed(fields: list[str], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{field}"' for field in fields)


_JOB = _fields(Job, without=("id", "disks", "revision"))
_DISK = _fields(Disk, without=("index",))
_EVENT = _fields(Event)
_ACTIVE = ", ".join(f"'{state}'" for state in sorted(ACTIVE))

_ENDED_IN = f"CASE WHEN {{}}status NOT IN ({_ACTIVE}) THEN pg_current_xact_id() END"

NOW = "SELECT clock_timestamp()"

# $1 is {"jobs": [Job], "added": [{id, index}], "dropped": [{id, index}], "events": [Event],
# "samples": [id]}. A job at revision
# 0 is new, any other replaces the row of just that revision; whichever does not is left out with all that
# belongs to it, and its id is returned. A job's disks are those that changed; those `added` have no row yet
# (an upsert of all would lock each row before it writes it, at twice the log and time). `saved` names the
# jobs written by this statement, so foreign keys hold when they are checked, at its end.
SAVE = f"""
WITH incoming AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'jobs')
        AS j ({_typed(_fields(Job))})
), updated AS (
    UPDATE backup_jobs AS old
    SET ({_listed(_JOB)}, revision, changed, ended_in) =
        ROW ({_listed(_JOB, "new.")}, new.revision + 1, pg_current_xact_id(), {_ENDED_IN.format("new.")})
    FROM incoming AS new
    WHERE old.id = new.id AND old.revision = new.revision
    RETURNING old.id
), inserted AS (
    INSERT INTO backup_jobs (id, {_listed(_JOB)}, revision, changed, ended_in)
    SELECT id, {_listed(_JOB)}, 1, pg_current_xact_id(), {_ENDED_IN.format("")}
    FROM incoming WHERE revision = 0
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), saved AS MATERIALIZED (
    SELECT id FROM updated UNION ALL SELECT id FROM inserted
), disks AS MATERIALIZED (
    SELECT incoming.id, d.*
    FROM incoming
        JOIN saved USING (id)
        CROSS JOIN LATERAL jsonb_to_recordset(incoming.disks) AS d ({_typed(_fields(Disk))})
), changed AS (
    UPDATE backup_disks
    SET ({_listed(_DISK)}) = ROW ({_listed(_DISK, "disks.")})
    FROM disks
    WHERE backup_job_id = disks.id AND disk_index = disks.index
), added AS (
    INSERT INTO backup_disks (backup_job_id, disk_index, {_listed(_DISK)})
    SELECT id, index, {_listed(_DISK, "disks.")}
    FROM disks JOIN jsonb_to_recordset($1::jsonb -> 'added') AS d (id text, index integer) USING (id, index)
), dropped AS (
    DELETE FROM backup_disks
    USING jsonb_to_recordset($1::jsonb -> 'dropped') AS d (id text, index integer) JOIN saved USING (id)
    WHERE backup_job_id = d.id AND disk_index = d.index
), events AS (
    INSERT INTO job_events ({_listed(_EVENT)})
    SELECT {_listed(_EVENT, "e.")}
    FROM ROWS FROM (jsonb_to_recordset($1::jsonb -> 'events') AS ({_typed(_EVENT)}))
        WITH ORDINALITY AS e ({_listed(_EVENT)}, place)
    WHERE e.job_id IN (SELECT id FROM saved)
    ORDER BY e.place
), samples AS (
    INSERT INTO job_samples (job_id, at, attempt, bytes_transferred, transfer_speed_bps, current_phase)
    SELECT id, last_telemetry_at, attempt, bytes_transferred, transfer_speed_bps, current_phase
    FROM incoming JOIN saved USING (id)
    WHERE id IN (SELECT jsonb_array_elements_text($1::jsonb -> 'samples'))
)
SELECT array(SELECT id FROM incoming WHERE id NOT IN (SELECT id FROM saved))
"""

_DISKS = f"""coalesce((
    SELECT json_agg(json_build_object(
        'index', d.disk_index, {", ".join(f"'{field}', d.{field}" for field in _DISK)}
    ) ORDER BY d.disk_index)
    FROM backup_disks AS d WHERE d.backup_job_id = j.id
), '[]') AS disks"""


def as_json(chosen: str, order: str) -> str:
    """One JSON array of the jobs that `chosen` gives as `j`, with their disks."""
    return f"""
SELECT coalesce(json_agg(row_to_json(whole)), '[]') FROM (
    SELECT j.*, {_DISKS} FROM ({chosen}) AS j ORDER BY {order}
) AS whole"""


LOAD = as_json("SELECT * FROM backup_jobs WHERE id = ANY($1::text[])", "j.id")

SILENT = as_json(
    f"""
        SELECT * FROM backup_jobs
        WHERE status IN ({_ACTIVE}) AND (
            coalesce(last_telemetry_at, created_at) < $1
            OR coalesce(last_telemetry_at, created_at) > clock_timestamp() + interval '{STEP:g} seconds'
        )""",
    "coalesce(j.last_telemetry_at, j.created_at), j.id",
)

UNMOVED = as_json(
    """
        SELECT * FROM backup_jobs
        WHERE status = 'running' AND NOT not_moving AND coalesce(last_moved_at, created_at) < $1""",
    "coalesce(j.last_moved_at, j.created_at), j.id",
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
JOB = f"""
SELECT json_build_array(
    (SELECT row_to_json(whole) FROM (SELECT j.*, {_DISKS}) AS whole),
    (
        SELECT coalesce(json_agg(row_to_json(newest) ORDER BY newest.id), '[]') FROM (
            SELECT * FROM job_events WHERE job_id = j.id ORDER BY id DESC LIMIT $2
        ) AS newest
    )
)
FROM backup_jobs AS j WHERE j.id = $1"""
