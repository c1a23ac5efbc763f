-- Disks: a job's disks stand in its row, so that an update writes one row, however many disks it tells of.
--
-- `disks` holds an array for each disk, in the order of `backup_disks`' columns below and of the disks' index. It and
-- the two other columns that only the hub reads are json, not jsonb: kept as they came, and read back as they are.
-- `backup_disks` goes on as a view, for whoever watches with psql.

ALTER TABLE backup_jobs
    ADD COLUMN disks json NOT NULL DEFAULT '[]',
    ALTER COLUMN meter DROP DEFAULT,
    ALTER COLUMN meter TYPE json,
    ALTER COLUMN meter SET DEFAULT '[]',
    ALTER COLUMN predictions DROP DEFAULT,
    ALTER COLUMN predictions TYPE json,
    ALTER COLUMN predictions SET DEFAULT '[]';

UPDATE backup_jobs AS j SET disks = d.disks
FROM (
    SELECT backup_job_id, json_agg(
        json_build_array(
            disk_index, bytes_transferred, total_bytes, progress_percent, status, error_message, bottleneck
        ) ORDER BY disk_index
    ) AS disks
    FROM backup_disks GROUP BY backup_job_id
) AS d
WHERE j.id = d.backup_job_id;

DROP TABLE backup_disks;

CREATE VIEW backup_disks AS
SELECT
    j.id AS backup_job_id,
    (d ->> 0)::integer AS disk_index,
    (d ->> 1)::bigint AS bytes_transferred,
    (d ->> 2)::bigint AS total_bytes,
    (d ->> 3)::double precision AS progress_percent,
    d ->> 4 AS status,
    d ->> 5 AS error_message,
    d ->> 6 AS bottleneck
FROM backup_jobs AS j CROSS JOIN LATERAL json_array_elements(j.disks) AS d;
