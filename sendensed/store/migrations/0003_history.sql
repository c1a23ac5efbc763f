-- History by day: events and samples are partitioned, so that old days are dropped, not deleted row by row.
--
-- The tables of the days are made and dropped by the hub while it serves (`core/retention.py`). A row whose day
-- has no table goes to the default one. No foreign key: it would have every dropped day lock the jobs.
--
--   SELECT at, bytes_transferred, transfer_speed_bps FROM job_samples WHERE job_id = '...' ORDER BY at;

ALTER TABLE job_events RENAME TO job_events_before;
ALTER INDEX job_events_of_job RENAME TO job_events_before_of_job;

CREATE SEQUENCE job_events_id;

CREATE TABLE job_events (
    id                bigint NOT NULL DEFAULT nextval('job_events_id'),
    job_id            text COLLATE "C" NOT NULL,
    at                timestamptz NOT NULL,
    kind              text NOT NULL,
    said_by           text NOT NULL,
    status            text NOT NULL,
    attempt           integer NOT NULL,
    sequence          bigint,
    bytes_transferred bigint NOT NULL,
    progress_percent  double precision,
    current_phase     text NOT NULL,
    detail            text NOT NULL
) PARTITION BY RANGE (at);

ALTER SEQUENCE job_events_id OWNED BY job_events.id;

CREATE INDEX job_events_of_job ON job_events (job_id, id DESC);

CREATE TABLE job_events_default PARTITION OF job_events DEFAULT;

CREATE TABLE job_samples (
    job_id             text COLLATE "C" NOT NULL,
    at                 timestamptz NOT NULL,
    attempt            integer NOT NULL,
    bytes_transferred  bigint NOT NULL,
    transfer_speed_bps bigint NOT NULL,
    current_phase      text NOT NULL
) PARTITION BY RANGE (at);

CREATE INDEX job_samples_of_job ON job_samples (job_id, at);

CREATE TABLE job_samples_default PARTITION OF job_samples DEFAULT;

-- Days are UTC days. What there is of old events gets its days, and so do today and tomorrow.
DO $$
DECLARE
    parent text;
    day date;
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
    FOR parent, day IN
        SELECT 'job_events', d FROM (SELECT DISTINCT (at AT TIME ZONE 'UTC')::date AS d FROM job_events_before) AS e
        WHERE d BETWEEN today - 366 AND today + 3
        UNION SELECT p, today + n FROM unnest(ARRAY['job_events', 'job_samples']) AS p, generate_series(-1, 3) AS n
    LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || '_' || to_char(day, 'YYYYMMDD'), parent,
            day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
        );
    END LOOP;
END $$;

INSERT INTO job_events (
    id, job_id, at, kind, said_by, status, attempt, sequence, bytes_transferred, progress_percent, current_phase, detail
)
SELECT id, job_id, at, kind, said_by, status, attempt, sequence, bytes_transferred, progress_percent, current_phase, detail
FROM job_events_before ORDER BY id;

SELECT setval('job_events_id', coalesce((SELECT max(id) FROM job_events), 0) + 1, false);

DROP TABLE job_events_before;

-- One pass over the jobs. Estimates: the range of the time left, and what was predicted at 25, 50 and 75 %. And
-- what jobs that have ended are ordered by: NULL while a job runs, so that its updates stay heap-only. Names are
-- in the order of their bytes, whatever the database's language.
ALTER TABLE backup_jobs
    ADD COLUMN eta_low_seconds  bigint,
    ADD COLUMN eta_high_seconds bigint,
    ADD COLUMN predictions      jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN ended_heard_at   timestamptz
        GENERATED ALWAYS AS (CASE WHEN completed_at IS NOT NULL THEN last_telemetry_at END) STORED,
    ADD COLUMN ended_bytes      bigint
        GENERATED ALWAYS AS (CASE WHEN completed_at IS NOT NULL THEN bytes_transferred END) STORED,
    ALTER COLUMN vm_name   TYPE text COLLATE "C",
    ALTER COLUMN job_type  TYPE text COLLATE "C",
    ALTER COLUMN appliance TYPE text COLLATE "C";

CREATE INDEX backup_jobs_of_machine ON backup_jobs (vm_name, created_at DESC, id DESC);
CREATE INDEX backup_jobs_of_type ON backup_jobs (job_type, created_at DESC, id DESC);
CREATE INDEX backup_jobs_of_appliance ON backup_jobs (appliance, created_at DESC, id DESC);
CREATE INDEX backup_jobs_started ON backup_jobs (started_at, id);
CREATE INDEX backup_jobs_duration ON backup_jobs ((completed_at - started_at), id);
CREATE INDEX backup_jobs_open ON backup_jobs (created_at) WHERE completed_at IS NULL;
CREATE INDEX backup_jobs_ended_heard ON backup_jobs (ended_heard_at, id) WHERE completed_at IS NOT NULL;
CREATE INDEX backup_jobs_ended_bytes ON backup_jobs (ended_bytes, id) WHERE completed_at IS NOT NULL;

-- Appliances: what each was last heard with, written by the hubs every few seconds.
CREATE TABLE appliances (
    name               text COLLATE "C" PRIMARY KEY,
    version            text NOT NULL,
    last_heard_at      timestamptz NOT NULL,
    clock_skew_seconds double precision,
    spool_depth        integer NOT NULL,
    spool_age_seconds  double precision NOT NULL
) WITH (fillfactor = 50);

-- When a hub was there last, and when none was: why a chart has a hole.
CREATE TABLE hub_notes (
    noted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    before_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO hub_notes DEFAULT VALUES;

CREATE TABLE hub_outages (
    since timestamptz NOT NULL,
    until timestamptz NOT NULL
);
