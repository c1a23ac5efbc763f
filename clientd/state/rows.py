"""Rows: the spool's tables, and how lots stand in them.

Every row carries a seal over its values: one whose bits have changed on the disk is not told to the hub.
"""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from clientd.core.moment import Moment
from clientd.core.outbox import Update
from clientd.core.spool import Holding, Limits, Lot
from schemas import codec
from schemas.telemetry import TelemetryBody

VERSION = 1
SCHEMA = """
CREATE TABLE base (attempt INTEGER NOT NULL) STRICT;
CREATE TABLE attempts (
    job_id TEXT NOT NULL, attempt INTEGER NOT NULL, job_type TEXT NOT NULL, begun REAL NOT NULL,
    owner INTEGER NOT NULL, ended INTEGER NOT NULL, seal INTEGER NOT NULL, PRIMARY KEY (job_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    job_id TEXT NOT NULL, attempt INTEGER NOT NULL, sequence INTEGER NOT NULL, body BLOB NOT NULL,
    boot TEXT NOT NULL, uptime REAL NOT NULL, wall REAL NOT NULL, final INTEGER NOT NULL, seal INTEGER NOT NULL,
    refused TEXT, PRIMARY KEY (job_id, attempt, sequence)
) STRICT, WITHOUT ROWID
"""
NOBODY = 0
"""The owner of what anybody may have."""

_decode = msgspec.json.Decoder(TelemetryBody).decode


class Attempt(msgspec.Struct, frozen=True):
    """One row of `attempts`. `waits`: events of it do; `last`: the job has no later attempt."""

    job_id: str
    attempt: int
    job_type: str
    owner: int
    ended: bool
    waits: bool
    last: bool


def begin(db: sqlite3.Connection, lot: Lot, owner: int, begun: float) -> None:
    """The attempt's row, whatever stood there."""
    seal = _seal(lot.job_id, lot.attempt, lot.job_type)
    db.execute(
        "INSERT OR REPLACE INTO attempts (job_id, attempt, job_type, begun, owner, ended, seal)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (lot.job_id, lot.attempt, lot.job_type, begun, owner, lot.ended, seal),
    )


def attempts(db: sqlite3.Connection) -> list[Attempt]:
    """All of them, the oldest first. Rows that are not as they were written are thrown away."""
    found = []
    for *values, seal in db.execute(
        "SELECT job_id, attempt, job_type, owner, ended,"
        " EXISTS (SELECT 1 FROM events e WHERE e.job_id = a.job_id AND e.attempt = a.attempt"
        "         AND e.refused IS NULL),"
        " NOT EXISTS (SELECT 1 FROM attempts b WHERE b.job_id = a.job_id AND b.attempt > a.attempt), seal"
        " FROM attempts a ORDER BY begun, job_id, attempt"
    ).fetchall():
        if _seal(*values[:3]) == seal:
            found.append(Attempt(*values))
        else:
            forget(db, values[0], values[1])
            db.execute("DELETE FROM attempts WHERE job_id = ? AND attempt = ?", (values[0], values[1]))
    return found


def owner(db: sqlite3.Connection, job_id: str, attempt: int) -> int | None:
    """Who holds the attempt; None where nobody knows of it."""
    values = (job_id, attempt)
    row = db.execute("SELECT owner FROM attempts WHERE job_id = ? AND attempt = ?", values).fetchone()
    return None if row is None else int(row[0])


def base(db: sqlite3.Connection) -> int:
    """The attempt before the first of a job that is not known."""
    return int(db.execute("SELECT attempt FROM base").fetchone()[0])


def forget(db: sqlite3.Connection, job_id: str, attempt: int) -> None:
    """The attempt's events, all of them."""
    db.execute("DELETE FROM events WHERE job_id = ? AND attempt = ?", (job_id, attempt))


def write(db: sqlite3.Connection, lot: Lot, owner: int) -> None:
    """The rows as the lot says. An event that was set aside stays so."""
    key = lot.job_id, lot.attempt
    kept = {update.sequence for update in lot.waiting}
    for (sequence,) in db.execute(
        "SELECT sequence FROM events WHERE job_id = ? AND attempt = ? AND refused IS NULL", key
    ).fetchall():
        if sequence not in kept:
            db.execute("DELETE FROM events WHERE job_id = ? AND attempt = ? AND sequence = ?", (*key, sequence))
    for update in lot.waiting:
        _put(db, lot, update, None)
    for refused in lot.aside:
        _put(db, lot, refused.update, refused.reason)
    values = (owner, lot.ended, *key)
    db.execute("UPDATE attempts SET owner = ?, ended = ? WHERE job_id = ? AND attempt = ?", values)


def waiting(db: sqlite3.Connection, job_id: str, attempt: int) -> Iterator[tuple[int, Update | None]]:
    """The sequence and the event of each that waits; None for one that is not as it was written, or not by us."""
    for sequence, body, boot, uptime, wall, seal in db.execute(
        "SELECT sequence, body, boot, uptime, wall, seal FROM events"
        " WHERE job_id = ? AND attempt = ? AND refused IS NULL ORDER BY sequence",
        (job_id, attempt),
    ).fetchall():
        update = None
        if _seal(job_id, attempt, sequence, body, boot, uptime, wall) == seal:
            with suppress(msgspec.MsgspecError):  # a newer clientd may tell what this one cannot
                update = Update(_decode(body), Moment(boot, uptime, wall))
        yield sequence, update


def refuse(db: sqlite3.Connection, job_id: str, attempt: int, sequence: int, reason: str) -> None:
    """Sets the event aside."""
    values = (reason, job_id, attempt, sequence)
    db.execute("UPDATE events SET refused = ? WHERE job_id = ? AND attempt = ? AND sequence = ?", values)


def count(db: sqlite3.Connection) -> Holding:
    """Of all lots."""
    row = db.execute(
        "SELECT coalesce(sum(refused IS NULL), 0), count(DISTINCT CASE WHEN refused IS NULL THEN job_id END),"
        " coalesce(sum(refused IS NOT NULL), 0), coalesce(sum(length(body)), 0) FROM events"
    ).fetchone()
    return Holding(*row)


def tidy(db: sqlite3.Connection, jobs: int) -> None:
    """Forgets attempts that are through, but for each job's last; and of too many jobs the oldest."""
    db.execute(
        "DELETE FROM attempts AS a WHERE ended AND NOT EXISTS"
        " (SELECT 1 FROM events e WHERE e.job_id = a.job_id AND e.attempt = a.attempt) AND"
        " (EXISTS (SELECT 1 FROM attempts b WHERE b.job_id = a.job_id AND b.attempt > a.attempt)"
        "  OR begun <= (SELECT begun FROM attempts ORDER BY begun DESC LIMIT 1 OFFSET ?))",
        (jobs,),
    )


def make_room(db: sqlite3.Connection, limits: Limits) -> int:
    """Drops what is too much: what was set aside, then starts and phases, then ends, the oldest first."""
    held = count(db)
    events, size, dropped = held.waiting + held.aside, held.bytes, 0
    while events > limits.events or size > limits.bytes:
        *key, length = db.execute(
            "SELECT job_id, attempt, sequence, length(body) FROM events"
            " ORDER BY refused IS NULL, final, wall LIMIT 1"
        ).fetchone()
        db.execute("DELETE FROM events WHERE job_id = ? AND attempt = ? AND sequence = ?", key)
        events, size, dropped = events - 1, size - length, dropped + 1
    return dropped


def _put(db: sqlite3.Connection, lot: Lot, update: Update, refused: str | None) -> None:
    body, made = codec.encode(update.body), update.made
    values = (lot.job_id, lot.attempt, update.sequence, body, made.boot, made.uptime, made.wall)
    db.execute(
        "INSERT INTO events (job_id, attempt, sequence, body, boot, uptime, wall, final, seal, refused)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET refused = coalesce(refused, excluded.refused)",
        (*values, update.final, _seal(*values), refused),
    )


def _seal(*values: object) -> int:
    return zlib.crc32(msgspec.msgpack.encode(values))
