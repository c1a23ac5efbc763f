-- Event count: how many rows a job's history was given, so that whoever sees the job sees that there are more.
--
-- What a job passes through between two looks leaves its rows, though it is running before and after. The rows from
-- before are not counted: what matters is that the number grows.

ALTER TABLE backup_jobs ADD COLUMN event_count bigint NOT NULL DEFAULT 0;
