"""Database: one SQLite file that may be damaged, full, shared or gone, and is never anybody's death.

        open ── damaged ──▶ renamed aside, a fresh one begun
          │  ── locked, full, read-only, away ──▶ SpoolUnavailable: the same call may be made again later
          ▼
        transaction, on stable storage when it returns

A file that somebody else has renamed meanwhile is noticed by its inode, and opened anew.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import structlog

from clientd.environment import Environment
from clientd.errors import SpoolUnavailable, reason
from clientd.state import directory

log = structlog.get_logger()

T = TypeVar("T")
Fresh = Callable[[sqlite3.Connection, bool], None]
"""Fills a new file's tables; told whether an earlier one was lost."""

_APPLICATION = 0x53444C43
"""Tells our files from others."""
_BUSY = 1.0
"""Seconds that SQLite waits for another process's transaction, at each of our tries."""
_TRIES = 4
_ASIDE = 3
"""Damaged files that are kept, the newest, for whoever wants to look at them."""
_LASTING = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
        *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM),
        *(sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOLFS),
    }
)
"""What is wrong with the disk or the moment, not with the file: a new file would not help."""
_DAMAGE = frozenset({sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_READONLY})
"""But for these: the file ends too early; it calls itself read-only, though we have opened it for writing."""
_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


class _Damaged(Exception):
    """The file is not what we wrote."""


class Database:
    """`path` with the tables of `schema`. Blocking; for one thread at a time."""

    def __init__(
        self, path: Path, schema: str, version: int, environment: Environment, fresh: Fresh | None = None
    ) -> None:
        self._path = path
        self._tables = sorted(statement.strip() for statement in schema.split(";"))
        self._version = version
        self._environment = environment
        self._fresh = fresh
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, its changes committed. It may be called again after a try that failed.

        Raises SpoolUnavailable: then nothing is known to be kept.
        """
        why = ""
        for _ in range(_TRIES):
            try:
                try:
                    return self._transact(work)
                except (sqlite3.Error, UnicodeDecodeError, _Damaged) as error:
                    self.close()
                    why = str(error)
                    if _is_damage(error):
                        self._set_aside(why)
                    elif _code(error) not in _PASSING:
                        break
            except OSError as error:
                why = reason(error)
                break
        raise SpoolUnavailable(f"{self._path}: {why}")

    def remove(self) -> None:
        """Takes the file away with all that is in it, where it can no longer be written. Raises OSError.

        Others who have it open notice, and begin a new one.
        """
        self.close()
        with _alone(self._path.parent):
            for companion in ("-wal", "-shm", ""):
                Path(f"{self._path}{companion}").unlink(missing_ok=True)
            _sync(self._path.parent)

    def close(self) -> None:
        """Raises nothing; the next call opens it again."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._opened()
        with _transaction(connection):
            return work(connection)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and _inode(self._path) != self._inode:
            self.close()
        if self._connection is None:
            directory.make(self._path.parent)
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._inode = _inode(self._path)
        connection = sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA trusted_schema = OFF")
            with _transaction(connection):
                self._check(connection)
            if _inode(self._path) != self._inode:
                raise sqlite3.OperationalError("renamed while it was opened")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        found = _pragma(connection, "application_id"), _pragma(connection, "user_version")
        if found == (0, 0) and not _one(connection, "SELECT count(*) FROM sqlite_master"):
            self._begin(connection)
            return
        if found != (_APPLICATION, self._version):
            raise _Damaged(f"it is of version {found[1]}, this clientd's is {self._version}")
        if (said := _pragma(connection, "integrity_check")) != "ok":
            raise _Damaged(str(said))
        tables = [str(sql) for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        if sorted(tables) != self._tables:
            raise _Damaged("its tables are not those of this version")

    def _begin(self, connection: sqlite3.Connection) -> None:
        for table in self._tables:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {self._version}")
        if self._fresh is not None:
            self._fresh(connection, bool(self._set_aside_before()))
        _sync(self._path.parent)

    def _set_aside(self, why: str) -> None:
        """Renames the damaged file and its companions, unless somebody else has done so."""
        with _alone(self._path.parent):
            if _inode(self._path) != self._inode:
                return
            kept = self._name_aside()
            for companion in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    os.replace(f"{self._path}{companion}", f"{kept}{companion}")
            for old in self._set_aside_before()[:-_ASIDE]:
                for companion in ("-wal", "-shm", ""):
                    Path(f"{old}{companion}").unlink(missing_ok=True)
            _sync(self._path.parent)
        log.error("a damaged file is set aside, a fresh one begun", file=str(kept), error=why)

    def _name_aside(self) -> Path:
        """Names in the order of their making: by the time, then by number."""
        stamp = self._environment.wall().strftime("%Y%m%dT%H%M%SZ")
        number = sum(f"-{stamp}-" in path.name for path in self._set_aside_before())
        return self._path.with_name(f"{self._path.stem}-damaged-{stamp}-{number:03}{self._path.suffix}")

    def _set_aside_before(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.stem}-damaged-*{self._path.suffix}"))


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Renaming is for one process at a time."""
    file = os.open(folder / "renaming", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _is_damage(error: Exception) -> bool:
    code = _code(error)
    return code is None or code in _DAMAGE or code & 0xFF not in _LASTING


def _code(error: Exception) -> int | None:
    """SQLite's own; None where Python could not read what is there."""
    return getattr(error, "sqlite_errorcode", None)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _pragma(connection: sqlite3.Connection, name: str) -> object:
    return _one(connection, f"PRAGMA {name}")


def _one(connection: sqlite3.Connection, statement: str) -> object:
    return connection.execute(statement).fetchone()[0]


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
