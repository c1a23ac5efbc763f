"""Checkpoints: those of one job, in a SQLite file beside the spool, so that neither's damage is the other's."""

import sqlite3
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec
import structlog

from clientd.core.checkpoint import Checkpoint
from clientd.environment import Environment
from clientd.errors import SpoolUnavailable
from clientd.state.database import Database
from schemas import codec

log = structlog.get_logger()

T = TypeVar("T")

_VERSION = 1
_SCHEMA = """
CREATE TABLE checkpoints (
    job_id TEXT NOT NULL, disk INTEGER NOT NULL, body BLOB NOT NULL, saved REAL NOT NULL, seal INTEGER NOT NULL,
    PRIMARY KEY (job_id, disk)
) STRICT, WITHOUT ROWID
"""
_ROWS = 4096
"""Disks whose checkpoints are kept, those saved last: of a job that never comes again somebody must let go."""
_BYTES = 256 * 1024
"""Largest checkpoint; one has a mark and a few witnesses."""

_decode = msgspec.json.Decoder(Checkpoint).decode


class SqliteCheckpoints:
    """core.checkpoint.Checkpoints of the job, in `folder`. Any thread may call; one call waits for another."""

    def __init__(self, folder: Path, job_id: str, environment: Environment) -> None:
        self._job_id = job_id
        self._environment = environment
        self._database = Database(folder / "checkpoints.db", _SCHEMA, _VERSION, environment)
        self._alone = threading.Lock()
        self._trouble = False

    def load(self, index: int) -> Checkpoint | None:
        """One that is damaged counts as none, and the log says so."""

        def work(db: sqlite3.Connection) -> tuple[bytes, int] | None:
            found: tuple[bytes, int] | None = db.execute(
                "SELECT body, seal FROM checkpoints WHERE job_id = ? AND disk = ?", (self._job_id, index)
            ).fetchone()
            return found

        row = self._run(work, None)
        if row is None:
            return None
        try:
            if row[1] == _seal(self._job_id, index, row[0]):
                return _decode(row[0])
        except msgspec.MsgspecError:  # of another version of ours
            pass
        log.warning("a checkpoint cannot be used, the disk begins at the start", job_id=self._job_id, disk=index)
        return None

    def save(self, index: int, checkpoint: Checkpoint) -> None:
        """One that is too large is not kept: the one before still holds."""
        body = codec.encode(checkpoint)
        if len(body) > _BYTES:
            log.warning("a checkpoint is too large to be kept", job_id=self._job_id, disk=index, bytes=len(body))
            return
        self._run(self._saving(index, body), None)

    def revoke(self, index: int, instead: Checkpoint | None = None) -> None:
        """Where the file cannot be written it is removed, and every job's checkpoints with it."""
        if instead is not None:
            self._surely(self._saving(index, codec.encode(instead)))
        else:
            self._surely(
                lambda db: (
                    db.execute(
                        "DELETE FROM checkpoints WHERE job_id = ? AND disk = ?", (self._job_id, index)
                    ).rowcount
                )
            )

    def clear(self) -> None:
        """Of this job only, where the file can be written; else as `revoke`."""
        try:
            self._surely(
                lambda db: db.execute("DELETE FROM checkpoints WHERE job_id = ?", (self._job_id,)).rowcount
            )
        except SpoolUnavailable as error:
            if not self._trouble:
                log.warning("the checkpoints of a job that is complete stay", error=str(error))

    def __enter__(self) -> "SqliteCheckpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the file to a thread that hangs in it."""
        if self._alone.acquire(blocking=False):
            self._database.close()
            self._alone.release()

    def _saving(self, index: int, body: bytes) -> Callable[[sqlite3.Connection], None]:
        saved = self._environment.moment().wall

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO checkpoints (job_id, disk, body, saved, seal) VALUES (?, ?, ?, ?, ?)",
                (self._job_id, index, body, saved, _seal(self._job_id, index, body)),
            )
            db.execute(
                "DELETE FROM checkpoints WHERE saved <"
                " (SELECT saved FROM checkpoints ORDER BY saved DESC LIMIT 1 OFFSET ?)",
                (_ROWS - 1,),
            )

        return work

    def _surely(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Raises SpoolUnavailable where neither the work can be done nor the file be removed."""
        with self._alone:
            try:
                self._database.run(work)
                return
            except SpoolUnavailable as error:
                trouble = error
            try:
                self._database.remove()
            except OSError:
                raise trouble from None
            log.warning("checkpoints cannot be written, those of all jobs are removed", error=str(trouble))

    def _run(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        with self._alone:
            try:
                found = self._database.run(work)
            except SpoolUnavailable as error:
                if not self._trouble:
                    log.warning(
                        "checkpoints cannot be kept: an interrupted disk begins at the start", error=str(error)
                    )
                self._trouble = True
                return otherwise
            self._trouble = False
            return found


def _seal(job_id: str, index: int, body: bytes) -> int:
    return zlib.crc32(msgspec.msgpack.encode((job_id, index, body)))
