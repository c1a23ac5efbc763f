"""Migrate: brings a database's schema up to this hub's, by numbered SQL files.

`migrations/NNNN_name.sql` are applied in order, each in a transaction of its own together with its row in
`schema_migrations`. A file once released is never edited: its SHA-256 is kept and compared.

A migration that only adds, so that hubs from before it go on, says back to which one in a line of its own:

    -- Serves hubs from 0011.

The database keeps that, so a hub that starts on a newer schema knows without the files whether it may. A file
without the line serves hubs that have it, and no others.
"""

import hashlib
import re
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec
import structlog

from sendensed.store import bridge

log = structlog.get_logger()

PATIENCE = 600.0
"""Longest run of one migration, and longest wait for another hub's, seconds."""

_LOCK = 0x53454E44  # advisory lock, so that hubs starting together migrate one after another
_NAME = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")
_SERVES = re.compile(r"^-- Serves hubs from (\d{4})\.$", re.MULTILINE)
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""
_APPLIED = """
SELECT number, name, sha256, coalesce((to_jsonb(one) ->> 'serves_from')::integer, number)
FROM schema_migrations AS one ORDER BY number"""
_SERVES_FROM = "ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS serves_from integer"
"""A column that databases from before it lack until a migration comes: altering is for a table's owner alone, and
shuts out every reader meanwhile."""
_FOREIGN = """
SELECT pg_get_userbyid(relowner) FROM pg_class
WHERE oid = 'schema_migrations'::regclass AND NOT pg_has_role(relowner, 'USAGE')"""
_NOTE = "INSERT INTO schema_migrations (number, name, sha256, serves_from) VALUES ($1, $2, $3, $4)"


class SchemaRefused(Exception):
    """The database's schema is not one that this hub may touch: a sentence says why. Retrying is useless."""


class Migration(msgspec.Struct, frozen=True):
    """One file."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The checksum by which an edit is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def serves_from(self) -> int:
        """The last migration that a hub must have to go on with this one."""
        said = _SERVES.search(self.sql)
        return int(said[1]) if said else self.number


def shipped(folder: Traversable | None = None) -> tuple[Migration, ...]:
    """The migrations of this hub, or of a folder, in order. Raises SchemaRefused for a gap or odd name."""
    folder = folder or resources.files("sendensed.store").joinpath("migrations")
    found = []
    for number, file in enumerate(sorted(folder.iterdir(), key=lambda file: file.name), start=1):
        match = _NAME.fullmatch(file.name)
        if match is None or int(match["number"]) != number:
            raise SchemaRefused(f"{file.name} stands where migration {number:04}_*.sql is expected")
        found.append(Migration(number, file.name, file.read_text("utf-8")))
    return tuple(found)


async def migrate(pool: bridge.Pool, migrations: tuple[Migration, ...] | None = None) -> list[str]:
    """Applies what is missing; returns the names applied.

    Raises SchemaRefused for a database that is newer than the hub and does not serve it, has a gap, was migrated
    by another text of the same number, or whose tables are another user's to change; StoreUnavailable where it
    cannot be reached. Each migration is applied whole or not at all, whatever fails and wherever it is cancelled.
    """
    migrations = shipped() if migrations is None else migrations
    applied: list[str] = []
    while name := await _step(pool, migrations):
        applied.append(name)
    return applied


async def _step(pool: bridge.Pool, migrations: tuple[Migration, ...]) -> str | None:
    """Applies the next migration; its name, or None where none is missing."""
    async with pool.connection() as connection:
        await connection.execute("BEGIN")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=PATIENCE)
        await connection.execute(_TABLE)
        rows = [tuple(row) for row in await connection.fetch(_APPLIED)]
        _check(rows, migrations)
        missing = migrations[len(rows) :]
        if missing:
            one = missing[0]
            if foreign := await connection.fetch(_FOREIGN):
                raise SchemaRefused(
                    f"{one.name} is for the owner of the database's tables to apply, '{foreign[0][0]}':"
                    " start a hub of this version as that user once"
                )
            await connection.execute(one.sql, timeout=PATIENCE)
            await connection.execute(_SERVES_FROM)
            await connection.execute(_NOTE, one.number, one.name, one.sha256, one.serves_from)
        await connection.execute("COMMIT")
    if len(rows) > len(migrations):
        log.warning("the database is newer than this hub and serves it", newest=rows[-1][1])
    return missing[0].name if missing else None


def _check(applied: list[tuple[int, str, str, int]], migrations: tuple[Migration, ...]) -> None:
    for place, (number, name, sha256, serves_from) in enumerate(applied, start=1):
        if number != place:
            raise SchemaRefused(
                f"the database has migration {number:04} but not {place:04}: restore a backup of it"
            )
        if number > len(migrations):
            if serves_from > len(migrations):
                raise SchemaRefused(f"the database is newer than this hub (it has {name}): upgrade the hub")
        elif sha256 != migrations[place - 1].sha256:
            raise SchemaRefused(f"the database was migrated by another text of {name}: this hub is not its kind")
