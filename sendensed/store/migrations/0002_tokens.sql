-- Who may come in: tokens, and the links and sessions that they issued. Of a token only the SHA-256 is here.
--
--   SELECT name, role, id, created_at, last_used_at, revoked_at FROM tokens WHERE kind = 'token' ORDER BY name;
--
-- Whoever can write here can let himself in: `sendensed token` does just that.

CREATE TABLE tokens (
    id           text COLLATE "C" PRIMARY KEY,
    digest       bytea NOT NULL CONSTRAINT tokens_digest CHECK (octet_length(digest) = 32),
    kind         text NOT NULL CONSTRAINT tokens_kind CHECK (kind IN ('token', 'link', 'session')),
    role         text NOT NULL CONSTRAINT tokens_role CHECK (role IN ('push', 'read', 'operate', 'admin')),
    name         text NOT NULL,
    -- A name has two places for live tokens, so that one can be changed for another without a gap.
    place        smallint CONSTRAINT tokens_place CHECK (place IN (1, 2)),
    issuer       text COLLATE "C" REFERENCES tokens,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CONSTRAINT tokens_issued CHECK ((kind = 'token') = (issuer IS NULL) AND (kind = 'token') = (place IS NOT NULL))
);

CREATE UNIQUE INDEX tokens_places ON tokens (name, place) WHERE kind = 'token' AND revoked_at IS NULL;

CREATE INDEX tokens_of_issuer ON tokens (issuer) WHERE issuer IS NOT NULL;

-- Whose a job is: the appliance that created it, '' where the hub was open; and when an operator asked it to stop.
ALTER TABLE backup_jobs
    ADD COLUMN appliance text NOT NULL DEFAULT '',
    ADD COLUMN cancel_requested_at timestamptz;
