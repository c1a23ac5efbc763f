"""PostgresStore: the store in PostgreSQL, each call one statement (`statements.py`), rows as JSON both ways."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import msgspec

from sendensed.core.alarm import Alarm
from sendensed.core.health import Pulse
from sendensed.core.model import Event, Job
from sendensed.store import Change, Changes, RowRefused, bridge, rows
from sendensed.store import hub_statements as hub_sql
from sendensed.store import statements as sql

BY_KEY = {"plan_cache_mode": "force_generic_plan"} | dict.fromkeys(
    ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"), "off"
)
"""Settings for a store's connections: each of its statements finds its rows by an index. Left to itself,
PostgreSQL reads a small table whole for the sake of a few rows, and keeps that plan when the table has grown."""

_NUL = b"\\u0000"
_encode = msgspec.json.Encoder().encode
_decode_jobs = msgspec.json.Decoder(list[Job]).decode
_decode_changes = msgspec.json.Decoder(Changes).decode
_decode_pulse = msgspec.json.Decoder(Pulse).decode
_decode_alarm = msgspec.json.Decoder(Alarm).decode
_decode_found = msgspec.json.Decoder(tuple[Job, tuple[Event, ...]]).decode


class PostgresStore:
    """A Store on a pool of connections. Each call waits at most `timeout` seconds, and 2 to be let go."""

    def __init__(self, pool: bridge.Pool, *, timeout: float = bridge.CALL_TIMEOUT) -> None:
        self._pool = pool
        self._timeout = timeout

    async def now(self) -> datetime:
        """The database's clock, UTC."""
        moment: datetime = await self._pool.fetchval(sql.NOW, timeout=self._timeout)
        return moment

    async def load(self, ids: Collection[str]) -> dict[str, Job]:
        """The jobs of these ids that exist, with their disks."""
        found = await self._jobs(sql.LOAD, list(ids))
        return {job.id: job for job in found}

    async def save(self, changes: Sequence[Change]) -> set[str]:
        """Writes the changes in one statement, so in one transaction; returns, after COMMIT, the ids whose
        guard held.

        Rows go in the order of their ids, so that hubs which save the same jobs hardly ever deadlock (while
        a table is small PostgreSQL may take them in another order); a deadlock is StoreUnavailable.
        """
        rows.check_guards(changes)
        if not changes:
            return set()
        said = _documents(sorted(changes, key=_id_of))
        left_out = await self._pool.fetchval(sql.SAVE, *said, timeout=self._timeout)
        return {change.job.id for change in changes}.difference(left_out)

    async def job(self, job_id: str) -> tuple[Job, tuple[Event, ...]] | None:
        """One job with its disks and its newest events in the order they happened, or None."""
        text = await self._pool.fetchval(sql.JOB, job_id, rows.EVENTS_SHOWN, timeout=self._timeout)
        return None if text is None else _decode_found(text)

    async def jobs(self, *, limit: int, status: Collection[str] = (), job_type: str = "") -> list[Job]:
        """Jobs with their disks, newest created first, of these states and this type where given."""
        statement = sql.JOBS[bool(status), bool(job_type)]
        return await self._jobs(statement, limit, list(status), job_type)

    async def ended(self, *, limit: int) -> list[Job]:
        """Jobs that have ended, latest end first."""
        return await self._jobs(sql.ENDED, limit)

    async def silent(self, before: datetime) -> list[Job]:
        """Active jobs not heard of since `before`, longest silent first."""
        return await self._jobs(sql.SILENT, before)

    async def changes(self, position: int, most: int | None = None) -> Changes:
        """What was committed at or after a position, and the position to go on from."""
        said = (str(position), most)
        return _decode_changes(await self._pool.fetchval(hub_sql.CHANGES, *said, timeout=self._timeout))

    async def hint(self) -> None:
        """Tells the other hubs that something was committed."""
        await self._pool.execute(hub_sql.HINT, timeout=self._timeout)

    async def hints(self, heard: Callable[[], None]) -> None:
        """Calls `heard` at each hint, until cancelled."""
        await self._pool.listen("sendense_changes", heard)

    async def unmoved(self, before: datetime) -> list[Job]:
        """Running jobs that have not moved since `before` and are not marked so, longest first."""
        return await self._jobs(sql.UNMOVED, before)

    async def active(self) -> int:
        """How many jobs may still be heard of."""
        count: int = await self._pool.fetchval(hub_sql.COUNT_ACTIVE, timeout=self._timeout)
        return count

    async def beat(self, hub: str, gap: float, *, restart: bool) -> Pulse:
        """Writes the hub's row; returns what all hubs know."""
        return _decode_pulse(await self._pool.fetchval(hub_sql.BEAT, hub, gap, restart, timeout=self._timeout))

    async def raise_alarm(self, alarm: Alarm) -> Alarm:
        """Opens the alarm unless one of its kind is open; returns the open one."""
        said = (alarm.kind, alarm.since, alarm.raised_by, alarm.detail)
        return _decode_alarm(await self._pool.fetchval(hub_sql.RAISE_ALARM, *said, timeout=self._timeout))

    async def clear_alarm(self, alarm: Alarm, until: datetime) -> bool:
        """Closes the alarm; True where this call did it."""
        said = (alarm.kind, alarm.since, until)
        return bool(await self._pool.fetchval(hub_sql.CLEAR_ALARM, *said, timeout=self._timeout))

    async def _jobs(self, statement: str, *args: object) -> list[Job]:
        return _decode_jobs(await self._pool.fetchval(statement, *args, timeout=self._timeout))


def _documents(changes: Sequence[Change]) -> tuple[str, str, list[str]]:
    """The save as its statement takes it: jobs and events as JSON, and the ids of those with a sample.

    Raises RowRefused for what JSON cannot carry.
    """
    events: list[Event] = []
    for change in changes:
        if change.events:
            events.extend(change.events)
    try:
        jobs = _encode([rows.whole(change) for change in changes])
        if _NUL in jobs:
            for change in changes:
                rows.check_texts(change.job)
        sampled = [change.job.id for change in changes if change.sample]
        return jobs.decode(), _encode(events).decode(), sampled
    except (UnicodeEncodeError, OverflowError) as error:
        raise RowRefused(str(error)) from error


def _id_of(change: Change) -> str:
    return change.job.id
