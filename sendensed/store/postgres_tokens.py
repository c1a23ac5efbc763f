"""PostgresTokens: tokens in PostgreSQL. What must not race is one statement; a name's two places are an index."""
# ruff: noqa: S608 - put together from our own words; values are parameters

from collections.abc import Collection, Sequence
from datetime import datetime

from sendensed.core.auth import LIVE_PER_NAME, Token
from sendensed.store import bridge
from sendensed.store.tokens import issuer_gone, other_role, two_live

_COLUMNS = "id, digest, kind, role, name, created_at, expires_at, revoked_at, last_used_at, issuer"
_ISSUED = "id, digest, kind, role, name, created_at, expires_at, issuer"
_LIVE = "old.revoked_at IS NULL AND (old.expires_at IS NULL OR old.expires_at > clock_timestamp())"

# $1 ids, $2 ids that were used. The rows come as they were before the note of their use.
_FIND = f"""
WITH used AS (
    UPDATE tokens SET last_used_at = clock_timestamp()
    WHERE id = ANY($2::text[])
        AND (last_used_at IS NULL OR last_used_at <= clock_timestamp() - interval '1 minute')
)
SELECT {_COLUMNS} FROM tokens WHERE id = ANY($1::text[])"""

# The first free of a name's two places; none where both are taken, or the name is of another role.
_ADD = f"""
INSERT INTO tokens (id, digest, kind, role, name, created_at, place)
SELECT $1::text, $2::bytea, 'token', $3::text, $4::text, $5::timestamptz, free.place
FROM generate_series(1, {LIVE_PER_NAME}) AS free (place)
WHERE NOT EXISTS (
    SELECT FROM tokens AS old
    WHERE old.kind = 'token' AND old.revoked_at IS NULL AND old.name = $4::text
        AND (old.role <> $3::text OR old.place = free.place)
)
ORDER BY free.place LIMIT 1
ON CONFLICT DO NOTHING
RETURNING id"""

_NAMED = f"SELECT {_COLUMNS} FROM tokens WHERE kind = 'token' AND revoked_at IS NULL AND name = $1"

# Links and sessions that are long over go when another one is made.
_ADD_ISSUED = f"""
WITH swept AS (
    DELETE FROM tokens WHERE kind <> 'token' AND expires_at < clock_timestamp() - interval '1 day'
)
INSERT INTO tokens ({_ISSUED})
SELECT $1::text, $2::bytea, $3::text, $4::text, $5::text, $6::timestamptz, $7::timestamptz, old.id
FROM tokens AS old WHERE old.id = $8::text AND {_LIVE}
RETURNING id"""

_REDEEM = f"""
WITH ended AS (
    UPDATE tokens AS old SET revoked_at = clock_timestamp() WHERE id = $9::text AND kind = 'link' AND {_LIVE}
    RETURNING id
)
INSERT INTO tokens ({_ISSUED})
SELECT $1::text, $2::bytea, $3::text, $4::text, $5::text, $6::timestamptz, $7::timestamptz, $8::text FROM ended
RETURNING id"""

_REVOKE = f"""
WITH ended AS (
    UPDATE tokens SET revoked_at = clock_timestamp()
    WHERE revoked_at IS NULL AND $1 IN (id, name, issuer)
    RETURNING {_COLUMNS}
)
SELECT {_COLUMNS} FROM ended WHERE kind = 'token'"""

_LISTED = f"""
SELECT {_COLUMNS} FROM tokens WHERE kind = 'token'
ORDER BY name COLLATE "C", created_at DESC, id DESC"""

# Two hubs that start together on a fresh database meet at the first place of a name.
_BEGIN = """
INSERT INTO tokens (id, digest, kind, role, name, created_at, place)
SELECT new.id, new.digest, 'token', new.role, new.name, new.created_at, 1
FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[])
    AS new (id, digest, role, name, created_at)
WHERE NOT EXISTS (SELECT FROM tokens WHERE kind = 'token')
ON CONFLICT DO NOTHING
RETURNING id"""


class PostgresTokens:
    """Tokens on a pool of connections."""

    def __init__(self, pool: bridge.Pool) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        """The database's clock, UTC."""
        moment: datetime = await self._pool.fetchval("SELECT clock_timestamp()")
        return moment

    async def find(self, ids: Collection[str], used: Collection[str] = ()) -> dict[str, Token]:
        """The tokens of these ids that exist; notes which were used."""
        found = await self._tokens(_FIND, list(ids), list(used))
        return {token.id: token for token in found}

    async def add(self, token: Token) -> None:
        """Keeps a token, link or session; raises TokenRefused."""
        if token.kind != "token":
            if not await self._pool.fetch(_ADD_ISSUED, *_issued(token)):
                raise issuer_gone(token)
            return
        row = (token.id, token.digest, token.role, token.name, token.created_at)
        while not await self._pool.fetch(_ADD, *row):
            others = await self._tokens(_NAMED, token.name)
            if any(other.role != token.role for other in others):
                raise other_role(token, others[0].role)
            if len(others) >= LIVE_PER_NAME:
                raise two_live(token.name)

    async def redeem(self, link: str, session: Token) -> bool:
        """Ends a link and keeps its session, both or neither."""
        return bool(await self._pool.fetch(_REDEEM, *_issued(session), link))

    async def revoke(self, key: str) -> list[Token]:
        """Revokes by id or name, with what was issued."""
        return await self._tokens(_REVOKE, key)

    async def listed(self) -> list[Token]:
        """All tokens, by name, newest first."""
        return await self._tokens(_LISTED)

    async def begin(self, tokens: Sequence[Token]) -> bool:
        """Keeps these if there has never been a token."""
        rows = [(token.id, token.digest, token.role, token.name, token.created_at) for token in tokens]
        return bool(await self._pool.fetch(_BEGIN, *(list(column) for column in zip(*rows, strict=True))))

    async def _tokens(self, statement: str, *args: object) -> list[Token]:
        return [Token(**row) for row in await self._pool.fetch(statement, *args)]


def _issued(token: Token) -> tuple[object, ...]:
    return (
        token.id,
        token.digest,
        token.kind,
        token.role,
        token.name,
        token.created_at,
        token.expires_at,
        token.issuer,
    )
