-- Positions: which transaction changed a job last, so that every hub can read what the others committed.
--
-- Transactions do not commit in the order of their numbers. But all below pg_snapshot_xmin() have ended, and what
-- they did is seen by the snapshot that says so: that is the position which hubs and viewers go on from.
--
-- No index names `changed`, which every update changes. `ended_in` changes only when a job ends or is revived.

ALTER TABLE backup_jobs
    ADD COLUMN changed  xid8 NOT NULL DEFAULT '0',
    ADD COLUMN ended_in xid8;

CREATE INDEX backup_jobs_ended_in ON backup_jobs (ended_in) WHERE ended_in IS NOT NULL;
