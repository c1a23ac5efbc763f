-- Several hubs on one database: who beats, who heard a job last, and what is alarmed.
--
-- Who watches with psql:
--
--   SELECT id, clock_timestamp() - beat_at AS silent, healthy_since FROM hubs ORDER BY id;
--   SELECT * FROM alarms WHERE until IS NULL;
--
-- heard_by and not_moving change with ordinary updates, so no index names them.

ALTER TABLE backup_jobs
    ADD COLUMN heard_by   text NOT NULL DEFAULT '',
    ADD COLUMN not_moving boolean NOT NULL DEFAULT false;

CREATE TABLE hubs (
    id            text COLLATE "C" PRIMARY KEY,
    healthy_since timestamptz NOT NULL,
    beat_at       timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE alarms (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz,
    raised_by text NOT NULL,
    detail    text NOT NULL
);

-- One open alarm of a kind, whichever hub raises it first.
CREATE UNIQUE INDEX alarms_open ON alarms (kind) WHERE until IS NULL;
