-- Marks: a look for silent jobs reads the silent ones alone, however many others run.
--
-- heard_mark is never later than the moment a job was last heard of (its creation, where it never spoke), and 30 s
-- earlier at most: it is set anew only where it would fall behind by more, so that five of six ordinary updates
-- change no column that an index names, and stay heap-only. moved_mark is the same for when the job last moved, and
-- is set anew together with it. Whoever looks finds by the marks all jobs that may be meant, and then looks at the
-- times themselves; a row that somebody wrote without marks is always looked at.

ALTER TABLE backup_jobs
    ADD COLUMN heard_mark timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN moved_mark timestamptz NOT NULL DEFAULT '-infinity';

UPDATE backup_jobs
SET heard_mark = coalesce(last_telemetry_at, created_at), moved_mark = coalesce(last_moved_at, created_at)
WHERE status IN ('pending', 'running', 'stalled');

-- Also for what counts or lists the active jobs, as the index of their creation was.
CREATE INDEX backup_jobs_heard ON backup_jobs (heard_mark) WHERE status IN ('pending', 'running', 'stalled');

DROP INDEX backup_jobs_active;

CREATE INDEX backup_jobs_moved ON backup_jobs (moved_mark) WHERE status = 'running' AND NOT not_moving;
