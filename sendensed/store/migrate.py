"""Migrate: brings a database's schema up to this hub's, by numbered SQL files.

`migrations/NNNN_name.sql` are applied in order, each in a transaction of its own together with its row in
`schema_migrations`. A file once released is never edited: its SHA-256 is kept and compared.
"""

import hashlib
import re
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from sendensed.store import bridge

PATIENCE = 600.0
"""Longest run of one migration, and longest wait for another hub's, seconds."""

_LOCK = 0x53454E44  # advisory lock, so that hubs starting together migrate one after another
_NAME = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""


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

    Raises SchemaRefused for a database that is newer than the hub, has a gap, or was migrated by another
    text of the same number; StoreUnavailable where it cannot be reached. Each migration is applied whole
    or not at all, whatever fails and wherever it is cancelled.
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
        rows = await connection.fetch("SELECT number, name, sha256 FROM schema_migrations ORDER BY number")
        _check([(row["number"], row["name"], row["sha256"]) for row in rows], migrations)
        missing = migrations[len(rows) :]
        if missing:
            await connection.execute(missing[0].sql, timeout=PATIENCE)
            await connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
                missing[0].number,
                missing[0].name,
                missing[0].sha256,
            )
        await connection.execute("COMMIT")
    return missing[0].name if missing else None


def _check(applied: list[tuple[int, str, str]], migrations: tuple[Migration, ...]) -> None:
    for place, (number, name, sha256) in enumerate(applied, start=1):
        if number != place:
            raise SchemaRefused(
                f"the database has migration {number:04} but not {place:04}: restore a backup of it"
            )
        if number > len(migrations):
            raise SchemaRefused(f"the database is newer than this hub (it has {name}): upgrade the hub")
        if sha256 != migrations[place - 1].sha256:
            raise SchemaRefused(f"the database was migrated by another text of {name}: this hub is not its kind")
