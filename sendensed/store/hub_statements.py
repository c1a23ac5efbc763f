"""Hub-statements: the SQL by which hubs on one database know of each other. Rows come back as one JSON value."""
# ruff: noqa: S608 - put together from the statements of this package; values are parameters

from schemas.job import ACTIVE

_ACTIVE = ", ".join(f"'{state}'" for state in sorted(ACTIVE))

# $1 hub, $2 gap in seconds, $3 restart. The hub's row after `core.health.beat`, the others' as they stand, the
# open alarms, and the time. Rows of hubs that have been gone for a day are dropped on the way.
BEAT = """
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), mine AS (
    INSERT INTO hubs AS known (id, healthy_since, beat_at)
    SELECT $1::text, now, now FROM clock
    ON CONFLICT (id) DO UPDATE SET
        beat_at = excluded.beat_at,
        healthy_since = CASE
            WHEN $3::boolean
                OR excluded.beat_at < known.beat_at
                OR excluded.beat_at > known.beat_at + make_interval(secs => $2::double precision)
            THEN excluded.beat_at
            ELSE known.healthy_since
        END
    RETURNING id, healthy_since, beat_at
), gone AS (
    DELETE FROM hubs USING clock WHERE beat_at < now - interval '1 day' AND id <> $1::text
), rows AS (
    SELECT * FROM mine UNION ALL SELECT id, healthy_since, beat_at FROM hubs WHERE id <> $1::text
)
SELECT json_build_object(
    'now', (SELECT now FROM clock),
    'hubs', (
        SELECT json_object_agg(id, json_build_object(
            'hub', id, 'healthy_since', healthy_since, 'beat_at', beat_at
        )) FROM rows
    ),
    'alarms', (
        SELECT coalesce(json_agg(json_build_object(
            'kind', kind, 'since', since, 'raised_by', raised_by, 'detail', detail
        ) ORDER BY since), '[]') FROM alarms WHERE until IS NULL
    )
)"""

# $1 kind, $2 since, $3 hub, $4 detail: the open alarm of this kind, be it this one or another hub's.
RAISE_ALARM = """
INSERT INTO alarms (kind, since, raised_by, detail) VALUES ($1, $2, $3, $4)
ON CONFLICT (kind) WHERE until IS NULL DO UPDATE SET kind = excluded.kind
RETURNING json_build_object('kind', kind, 'since', since, 'raised_by', raised_by, 'detail', detail)"""

# $1 kind, $2 since, $3 until: a row where this call cleared it.
CLEAR_ALARM = "UPDATE alarms SET until = $3 WHERE kind = $1 AND since = $2 AND until IS NULL RETURNING true"

# $1 position, $2 how many ended jobs at the most (NULL: all): what was changed at or after it, and the position of
# this very snapshot. A number that no transaction here can have comes from the dump of another server.
CHANGES = f"""
SELECT json_build_object(
    'position', pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    'rows', (
        SELECT coalesce(json_agg(json_build_array(id, revision, changed::text::bigint)), '[]') FROM (
            SELECT id, revision, changed FROM backup_jobs
            WHERE status IN ({_ACTIVE}) AND changed >= $1::text::xid8
                AND changed < pg_snapshot_xmax(pg_current_snapshot())
            UNION ALL (
                SELECT id, revision, ended_in FROM backup_jobs
                WHERE ended_in >= $1::text::xid8 AND ended_in < pg_snapshot_xmax(pg_current_snapshot())
                ORDER BY ended_in LIMIT $2::bigint
            )
        ) AS seen
    )
)"""

HINT = "SELECT pg_notify('sendense_changes', '')"

COUNT_ACTIVE = f"SELECT count(*) FROM backup_jobs WHERE status IN ({_ACTIVE})"
