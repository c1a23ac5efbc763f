-- Jobs, their disks and their history.
--
-- Whoever has psql watches a backup with one SELECT:
--
--   SELECT id, status, current_phase, progress_percent, bytes_transferred, total_bytes,
--          transfer_speed_bps, eta_seconds, last_telemetry_at
--   FROM backup_jobs ORDER BY created_at DESC LIMIT 20;
--
-- Sizes are bytes, speeds bytes per second. NULL in progress_percent, eta_seconds or sequence is "unknown",
-- 0 in total_bytes is "unknown".
--
-- A job's row is written anew with every update, so updates have to be heap-only (HOT): room is left in each
-- page, and no index names a column that an ordinary update changes.

CREATE TABLE backup_jobs (
    id                 text COLLATE "C" PRIMARY KEY,
    vm_name            text NOT NULL DEFAULT '',
    job_type           text NOT NULL,
    backup_type        text NOT NULL DEFAULT '',
    status             text NOT NULL DEFAULT 'pending'
        CONSTRAINT backup_jobs_status
        CHECK (status IN ('pending', 'running', 'stalled', 'completed', 'failed', 'cancelled')),
    current_phase      text NOT NULL DEFAULT 'pending',
    bytes_transferred  bigint NOT NULL DEFAULT 0,
    total_bytes        bigint NOT NULL DEFAULT 0,
    total_kind         text NOT NULL DEFAULT '',
    transfer_speed_bps bigint NOT NULL DEFAULT 0,
    eta_seconds        bigint,
    eta_reason         text,
    progress_percent   double precision,
    error_message      text,
    attempt            integer NOT NULL DEFAULT 1,
    sequence           bigint,
    sender             text NOT NULL DEFAULT '',
    closed_by          text,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at         timestamptz,
    completed_at       timestamptz,
    last_telemetry_at  timestamptz,
    last_moved_at      timestamptz,
    sent_at            timestamptz,
    meter              jsonb NOT NULL DEFAULT '[]',
    serial_disks       boolean NOT NULL DEFAULT false,
    disk_ended_at      timestamptz,
    sender_error       text,
    revision           bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 70);

CREATE INDEX backup_jobs_newest ON backup_jobs (created_at DESC, id DESC);

CREATE INDEX backup_jobs_by_status ON backup_jobs (status, created_at DESC, id DESC);

-- For stale detection: the jobs that may still be heard of. They are few (some thousands at the most) beside
-- the finished ones, so silence itself, coalesce(last_telemetry_at, created_at), is computed from their rows.
-- An index on it would change with every update, and no update would be heap-only any more.
CREATE INDEX backup_jobs_active ON backup_jobs (created_at)
    WHERE status IN ('pending', 'running', 'stalled');

-- For the board of a starting hub: what ended last. A running job's end is NULL, so it is not in here.
CREATE INDEX backup_jobs_ended ON backup_jobs (completed_at DESC, id DESC) WHERE completed_at IS NOT NULL;

CREATE TABLE backup_disks (
    backup_job_id     text COLLATE "C" NOT NULL REFERENCES backup_jobs ON DELETE CASCADE,
    disk_index        integer NOT NULL,
    bytes_transferred bigint NOT NULL DEFAULT 0,
    total_bytes       bigint NOT NULL DEFAULT 0,
    progress_percent  double precision,
    status            text NOT NULL DEFAULT '',
    error_message     text,
    PRIMARY KEY (backup_job_id, disk_index)
) WITH (fillfactor = 70);

CREATE TABLE job_events (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id            text COLLATE "C" NOT NULL REFERENCES backup_jobs ON DELETE CASCADE,
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
);

CREATE INDEX job_events_of_job ON job_events (job_id, id DESC);
