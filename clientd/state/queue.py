"""Queue: the daemon's jobs in a SQLite file beside the spool, so that neither's damage is the other's."""

import sqlite3
from pathlib import Path

import msgspec
import structlog

from clientd.core.queue import Entry
from clientd.environment import Environment
from clientd.state.database import Database
from schemas import codec

log = structlog.get_logger()

_VERSION = 1
_SCHEMA = "CREATE TABLE jobs (number INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT"

_decode = msgspec.json.Decoder(Entry).decode


class SqliteQueue:
    """A core.queue.Store in `folder`."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self._database = Database(folder / "queue.db", _SCHEMA, _VERSION, environment)

    def load(self) -> list[Entry]:
        """One that cannot be read stays where it is, and its number is not given again."""
        found = []
        for number, content in self._database.run(_all):
            try:
                found.append(_decode(content))
            except msgspec.MsgspecError as error:
                log.error("a job in the queue cannot be read, it is left out", number=number, error=str(error))
        return found

    def save(self, entry: Entry) -> None:
        """In one transaction."""
        content = codec.encode(entry)
        self._database.run(
            lambda db: db.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?)", (entry.number, content)).rowcount
        )

    def forget(self, number: int) -> None:
        """In one transaction."""
        self._database.run(lambda db: db.execute("DELETE FROM jobs WHERE number = ?", (number,)).rowcount)

    def close(self) -> None:
        """Nothing is held back."""
        self._database.close()


def _all(db: sqlite3.Connection) -> list[tuple[int, bytes]]:
    return db.execute("SELECT number, entry FROM jobs ORDER BY number").fetchall()
