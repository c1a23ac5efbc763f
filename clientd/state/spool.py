"""Spool: lots in one SQLite file, shared by all processes of the state directory."""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

import structlog
from msgspec.structs import replace

from clientd.core import spool
from clientd.core.spool import Begun, Holding, Limits, Lot
from clientd.environment import Environment
from clientd.errors import SpoolUnavailable, reason
from clientd.state import rows
from clientd.state.database import Database
from clientd.state.directory import Owner
from schemas import codec

log = structlog.get_logger()

_MINUTE = 60


class SqliteSpool:
    """A core.spool.Spool in `folder`. Nothing is opened before the first call.

    Where an earlier file was lost, attempts of jobs it cannot know begin at the minutes since 1970: more than
    anybody has counted, so that the hub takes none for an old one.
    """

    def __init__(self, folder: Path, environment: Environment, *, limits: Limits, sender: str) -> None:
        self._folder = folder
        self._environment = environment
        self._limits = limits
        self._sender = sender
        self._owner: Owner | None = None
        self._database = Database(folder / "spool.db", rows.SCHEMA, rows.VERSION, environment, self._fresh)

    def begin(self, job_id: str, job_type: str, attempt: int | None) -> Begun:
        """What waits of the same attempt, where it is given again, gives way to the new one."""
        owner = self._own()

        def work(db: sqlite3.Connection) -> Begun:
            known = [row for row in rows.attempts(db) if row.job_id == job_id]
            chosen = attempt or max((row.attempt for row in known), default=rows.base(db)) + 1
            rows.forget(db, job_id, chosen)
            rows.begin(db, Lot(job_id, job_type, chosen), owner.number, self._environment.moment().wall)
            left = [
                self._take(db, replace(row, last=False), owner.number, ended=True)
                for row in known
                if row.attempt < chosen and owner.is_gone(row.owner)
            ]
            rows.tidy(db, self._limits.jobs)
            left.sort(key=lambda lot: lot.attempt)
            return Begun(chosen, tuple(lot for lot in left if lot.waiting))

        return self._database.run(work)

    def save(self, lots: Sequence[Lot]) -> int:
        """In one transaction. A lot that is another's by now is left alone."""
        owner = self._own()

        def work(db: sqlite3.Connection) -> int:
            for lot in lots:
                holder = rows.owner(db, lot.job_id, lot.attempt)
                if holder is None:
                    rows.begin(db, lot, owner.number, self._environment.moment().wall)
                if holder in (None, owner.number):
                    rows.write(db, lot, owner.number if lot.held else rows.NOBODY)
            rows.tidy(db, self._limits.jobs)
            return rows.make_room(db, self._limits)

        return self._database.run(work)

    def claim(self, most: int, resuming: Collection[str] = ()) -> list[Lot]:
        """The oldest first."""
        owner = self._own()

        def work(db: sqlite3.Connection) -> list[Lot]:
            known = rows.attempts(db)
            gone = {number for number in {row.owner for row in known} if owner.is_gone(number)}
            found: list[Lot] = []
            for row in known:
                awaited = row.last and row.job_id not in resuming
                if row.owner in gone and (row.waits or (awaited and not row.ended)) and len(found) < most:
                    lot = self._take(db, row, owner.number, ended=row.ended or not row.last)
                    if awaited and not lot.ended:
                        lot = self._end(lot)
                        rows.write(db, lot, owner.number)
                    found.append(lot)
            return found

        return self._database.run(work)

    def holding(self) -> Holding:
        """Counted now."""
        return self._database.run(rows.count)

    def close(self) -> None:
        """The file is closed too."""
        self._database.close()
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def _own(self) -> Owner:
        if self._owner is None:
            try:
                self._owner = Owner(self._folder, self._environment)
            except OSError as error:
                raise SpoolUnavailable(f"{self._folder}: {reason(error)}") from None
        return self._owner

    def _fresh(self, db: sqlite3.Connection, lost: bool) -> None:
        minutes = int(self._environment.moment().wall) // _MINUTE
        db.execute("INSERT INTO base VALUES (?)", (minutes if lost else 0,))

    def _take(self, db: sqlite3.Connection, row: rows.Attempt, owner: int, *, ended: bool) -> Lot:
        """The lot, ours now. One whose end was damaged has not ended after all."""
        waiting = []
        for sequence, update in rows.waiting(db, row.job_id, row.attempt):
            if update is not None:
                waiting.append(update)
                continue
            log.error(
                "an event in the spool cannot be read, it is set aside", job_id=row.job_id, sequence=sequence
            )
            rows.refuse(db, row.job_id, row.attempt, sequence, "cannot be read")
            ended = ended and not row.last
        ended = ended or any(update.final for update in waiting)
        lot = Lot(row.job_id, row.job_type, row.attempt, tuple(waiting), ended=ended)
        rows.write(db, lot, owner)
        return lot

    def _end(self, lot: Lot) -> Lot:
        timestamp = codec.rfc3339(self._environment.wall())
        return spool.interrupted(lot, self._environment.moment(), timestamp, self._sender)
