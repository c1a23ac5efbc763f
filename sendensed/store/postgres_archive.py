"""PostgresArchive: the reading side in PostgreSQL, each call one statement and one JSON document."""
# ruff: noqa: S608 - put together from the models' own field names; values are parameters

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from schemas.job import ACTIVE
from sendensed.core import listing, retention
from sendensed.core.appliance import Appliance
from sendensed.core.calendar import Tally
from sendensed.core.listing import Page, Query
from sendensed.core.machine import RUNS
from sendensed.core.model import Job
from sendensed.core.prediction import Run
from sendensed.core.samples import BROKEN, THINNED_BROKEN, Found, Outage, Window
from sendensed.core.summary import Counts, Standing
from sendensed.store import bridge, pages, tending
from sendensed.store.archive import COUNTED, PAUSE, Successes

_decode_jobs = msgspec.json.Decoder(list[Job]).decode
_decode_found = msgspec.json.Decoder(Found).decode
_decode_outages = msgspec.json.Decoder(list[Outage]).decode
_decode_machines = msgspec.json.Decoder(list[tuple[str, list[Run]]]).decode
_decode_calendar = msgspec.json.Decoder(list[tuple[str, list[Tally]]]).decode
_decode_runs = msgspec.json.Decoder(list[Run]).decode
_decode_successes = msgspec.json.Decoder(Successes).decode
_decode_appliances = msgspec.json.Decoder(list[tuple[Appliance, int]]).decode
_decode_counts = msgspec.json.Decoder(Counts).decode

_RUN = ", ".join(Run.__struct_fields__)
_STANDING = ", ".join(Standing.__struct_fields__)
_APPLIANCE = ", ".join(Appliance.__struct_fields__)
_EXCLUDED = ", ".join(f"EXCLUDED.{field}" for field in Appliance.__struct_fields__)
_ACTIVE = ", ".join(f"'{state}'" for state in sorted(ACTIVE))

# $1 id, $2 and $3 from and before, $4 seconds a step, $5 what is older may be thinned, $6 with the disks or not.
# A new stretch begins after each hole, so that no step reaches over one.
_SAMPLES = f"""
WITH raw AS (
    SELECT *, lag(at) OVER earlier AS at_before, lag(attempt) OVER earlier AS attempt_before
    FROM job_samples WHERE job_id = $1 AND at >= $2::timestamptz AND at < $3::timestamptz
    WINDOW earlier AS (ORDER BY at)
), marked AS (
    SELECT *, coalesce(
        attempt <> attempt_before OR at - at_before > make_interval(
            secs => CASE WHEN at < $5::timestamptz THEN {THINNED_BROKEN} ELSE {BROKEN} END
        ), false) AS broken
    FROM raw
), stretches AS (
    SELECT *, count(*) FILTER (WHERE broken) OVER (ORDER BY at) AS stretch FROM marked
), points AS (
    SELECT
        max(at) AS at,
        (array_agg(attempt ORDER BY at DESC))[1] AS attempt,
        max(bytes_transferred) AS bytes_transferred,
        floor(avg(transfer_speed_bps))::bigint AS transfer_speed_bps,
        (array_agg(current_phase ORDER BY at DESC))[1] AS current_phase,
        (array_agg(CASE WHEN $6::boolean THEN disks END ORDER BY at DESC))[1] AS disks,
        max(bytes_verified) AS bytes_verified
    FROM stretches
    GROUP BY stretch, date_bin(make_interval(secs => $4::double precision), at, $2::timestamptz)
)
SELECT json_build_object(
    'samples', (SELECT coalesce(json_agg(row_to_json(points) ORDER BY at), '[]') FROM points),
    'holes', (
        SELECT coalesce(json_agg(json_build_object(
            'start', at_before, 'end', at, 'attempts', attempt <> attempt_before
        ) ORDER BY at), '[]')
        FROM marked WHERE broken
    )
)"""

_OUTAGES = """
SELECT coalesce(json_agg(json_build_object('start', since, 'end', until) ORDER BY since), '[]')
FROM hub_outages WHERE since < $2 AND until > $1"""

_NEWEST = f"""
SELECT coalesce(json_agg(row_to_json(run)), '[]') FROM (
    SELECT {_RUN} FROM backup_jobs WHERE vm_name = machine.name ORDER BY created_at DESC, id DESC LIMIT {RUNS}
) AS run"""

# Names by jumping from one to the next on the index of machines, however many jobs each has.
_NAMES = """
WITH RECURSIVE machine AS (
    (SELECT vm_name AS name FROM backup_jobs WHERE vm_name > $1 ORDER BY vm_name LIMIT 1)
    UNION ALL
    SELECT (SELECT vm_name FROM backup_jobs WHERE vm_name > machine.name ORDER BY vm_name LIMIT 1)
    FROM machine WHERE machine.name IS NOT NULL
)"""

_MACHINES = f"""{_NAMES}
SELECT coalesce(json_agg(json_build_array(machine.name, ({_NEWEST})) ORDER BY machine.name), '[]')
FROM (SELECT name FROM machine WHERE name ILIKE $3 LIMIT $2) AS machine"""

_NAMED = f"""
SELECT coalesce(json_agg(json_build_array(machine.name, ({_NEWEST})) ORDER BY machine.name), '[]')
FROM (SELECT name COLLATE "C" AS name FROM unnest($1::text[]) AS asked (name)) AS machine
WHERE EXISTS (SELECT FROM backup_jobs WHERE vm_name = machine.name)"""

# $4 are the bounds of the days. A machine costs what its runs of these days cost, by the index of machines.
_CALENDAR = f"""{_NAMES}
SELECT coalesce(json_agg(json_build_array(machine.name, (
    SELECT coalesce(json_agg(row_to_json(tally) ORDER BY day), '[]') FROM (
        SELECT
            width_bucket(created_at, $4::timestamptz[]) - 1 AS day,
            count(*) FILTER (WHERE status = 'completed') AS completed,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
            count(*) FILTER (WHERE status IN ({_ACTIVE})) AS active,
            (array_agg(id ORDER BY created_at DESC, id DESC))[1] AS last_id,
            (array_agg(status ORDER BY created_at DESC, id DESC))[1] AS last_status
        FROM backup_jobs
        WHERE vm_name = machine.name
            AND created_at >= ($4::timestamptz[])[1]
            AND created_at < ($4::timestamptz[])[array_length($4::timestamptz[], 1)]
        GROUP BY 1
    ) AS tally
)) ORDER BY machine.name), '[]')
FROM (SELECT name FROM machine WHERE name ILIKE $3 LIMIT $2) AS machine"""

_RECENT = f"""
SELECT coalesce(json_agg(row_to_json(run)), '[]') FROM (
    SELECT {_RUN} FROM backup_jobs WHERE completed_at IS NOT NULL ORDER BY completed_at DESC, id DESC LIMIT $1
) AS run"""

_SUCCESSES = f"""{_NAMES}
SELECT json_build_object(
    'ends', coalesce(json_agg(json_build_array(machine.name, newest.completed_at) ORDER BY machine.name), '[]'),
    'beyond', (SELECT count(*) FROM (SELECT FROM machine WHERE name IS NOT NULL OFFSET $2 LIMIT $3 - $2) AS other)
)
FROM (SELECT name FROM machine WHERE name IS NOT NULL LIMIT $2) AS machine
    CROSS JOIN LATERAL (
        SELECT completed_at FROM backup_jobs
        WHERE vm_name = machine.name AND status = 'completed' AND completed_at IS NOT NULL
        ORDER BY created_at DESC, id DESC LIMIT 1
    ) AS newest"""

_APPLIANCES = f"""
WITH active AS (
    SELECT
        coalesce(nullif(appliance, ''), split_part(translate(ltrim(sender), '/', ' '), ' ', 1)) AS name,
        count(*) AS count
    FROM backup_jobs WHERE status IN ({_ACTIVE}) GROUP BY 1
)
SELECT coalesce(json_agg(json_build_array(
    (SELECT row_to_json(a) FROM (SELECT {_APPLIANCE}) AS a), coalesce(active.count, 0)
) ORDER BY name), '[]')
FROM appliances LEFT JOIN active USING (name)"""

_SUMMARY = f"""
SELECT json_build_object(
    'active', (
        SELECT coalesce(json_agg(row_to_json(a)), '[]')
        FROM (SELECT {_STANDING} FROM backup_jobs WHERE status IN ({_ACTIVE})) AS a
    ),
    'ended', (
        SELECT coalesce(json_object_agg(status, count), '{{}}') FROM (
            SELECT status, count(*) FROM backup_jobs
            WHERE completed_at > now() - interval '24 hours' GROUP BY status
        ) AS e
    ),
    'heard_at', (SELECT max(ended_heard_at) FROM backup_jobs WHERE completed_at IS NOT NULL)
)"""

# $1 is [Appliance]. One hub's word never replaces a newer one of another's.
_NOTE = f"""
WITH noted AS (
    INSERT INTO appliances ({_APPLIANCE})
    SELECT {_APPLIANCE} FROM jsonb_to_recordset($1::jsonb) AS a (
        name text, version text, last_heard_at timestamptz, clock_skew_seconds double precision,
        spool_depth integer, spool_age_seconds double precision
    )
    ORDER BY name
    ON CONFLICT (name) DO UPDATE
    SET ({_APPLIANCE}) = ROW ({_EXCLUDED})
    WHERE appliances.last_heard_at <= EXCLUDED.last_heard_at
), here AS (
    UPDATE hub_notes SET before_at = noted_at, noted_at = greatest(noted_at, clock_timestamp())
    RETURNING before_at, noted_at
)
INSERT INTO hub_outages (since, until)
SELECT before_at, noted_at FROM here WHERE noted_at - before_at > make_interval(secs => {PAUSE})"""


class PostgresArchive:
    """An Archive on a pool of connections. Each call waits at most `timeout` seconds."""

    def __init__(
        self, pool: bridge.Pool, *, timeout: float = bridge.CALL_TIMEOUT, window: int = pages.WINDOW
    ) -> None:
        self._pool = pool
        self._timeout = timeout
        self._window = window

    async def page(self, query: Query) -> Page:
        """The jobs asked for, in order. A text is looked for in `window` jobs; the page may then be short."""
        found = await self._jobs(*pages.statement(query, self._window))
        asked = pages.edge(query, self._window) if pages.has_window(query) else None
        seen = [] if asked is None else await self._jobs(*asked)
        return listing.page(found, query, seen[0] if seen else None)

    async def _jobs(self, statement: str, values: list[object]) -> list[Job]:
        return _decode_jobs(await self._pool.fetchval(statement, *values, timeout=self._timeout))

    async def samples(self, job_id: str, window: Window) -> Found:
        """A job's samples, one a step, and the holes between them."""
        said = (window.start, window.end, window.step, window.thinned, window.disks)
        return _decode_found(await self._pool.fetchval(_SAMPLES, job_id, *said, timeout=self._timeout))

    async def outages(self, start: datetime, end: datetime) -> list[Outage]:
        """When no hub was there to hear."""
        return _decode_outages(await self._pool.fetchval(_OUTAGES, start, end, timeout=self._timeout))

    async def machines(
        self, *, limit: int, after: str = "", text: str = "", names: Collection[str] = ()
    ) -> list[tuple[str, list[Run]]]:
        """Machines with their newest runs."""
        statement, values = (_NAMED, [list(names)]) if names else (_MACHINES, [after, limit, pages.part(text)])
        return _decode_machines(await self._pool.fetchval(statement, *values, timeout=self._timeout))

    async def calendar(
        self, bounds: Sequence[datetime], *, limit: int, after: str = "", text: str = ""
    ) -> list[tuple[str, list[Tally]]]:
        """Machines with their days."""
        values = (after, limit, pages.part(text), list(bounds))
        return _decode_calendar(await self._pool.fetchval(_CALENDAR, *values, timeout=self._timeout))

    async def recent(self, *, limit: int) -> list[Run]:
        """The runs that ended last."""
        return _decode_runs(await self._pool.fetchval(_RECENT, limit, timeout=self._timeout))

    async def successes(self, *, limit: int) -> Successes:
        """The end of each machine's newest completed run."""
        found = await self._pool.fetchval(_SUCCESSES, "", limit, COUNTED, timeout=self._timeout)
        return _decode_successes(found)

    async def appliances(self) -> list[tuple[Appliance, int]]:
        """All appliances and their active jobs."""
        return _decode_appliances(await self._pool.fetchval(_APPLIANCES, timeout=self._timeout))

    async def summary(self) -> Counts:
        """How things stand."""
        return _decode_counts(await self._pool.fetchval(_SUMMARY, timeout=self._timeout))

    async def note(self, appliances: Sequence[Appliance]) -> None:
        """Keeps the appliances, and that a hub was there."""
        document = msgspec.json.encode(list(appliances)).decode()
        await self._pool.execute(_NOTE, document, timeout=self._timeout)

    async def tend(self, limits: retention.Limits) -> list[str]:
        """Makes, thins and drops days of history."""
        return await tending.tend(self._pool, limits)
