"""MemoryStore: the store's promises kept in a dict, for demonstrations, simulations and tests."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

import msgspec
import trio

from schemas.job import ACTIVE, State
from schemas.reading import Sample
from sendensed.core import health, samples
from sendensed.core.alarm import Alarm
from sendensed.core.model import Event, Job
from sendensed.store import Change, Changes, Row, RowRefused, rows

_INT32 = 2**31
_INT64 = 2**63
_SAMPLES = 20_000
"""Samples kept of a job: a day of them."""
_SMALL_FIELDS = frozenset({"attempt", "index"})
_STATES = frozenset(get_args(State))


class MemoryStore:
    """A Store that lives as long as the process. It refuses what PostgreSQL refuses.

    `now` is the store's clock. A save happens at one instant: cancelled, it has not begun.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._jobs: dict[str, Job] = {}
        self._events: dict[str, deque[Event]] = {}
        self._samples: dict[str, deque[Sample]] = {}
        self._position = 0
        self._changed: dict[str, int] = {}
        self._listeners: set[Callable[[], None]] = set()
        self._hubs: dict[str, health.HubBeat] = {}
        self._alarms: dict[str, Alarm] = {}

    async def now(self) -> datetime:
        """The clock it was given."""
        await trio.lowlevel.checkpoint()
        return self._now()

    async def load(self, ids: Collection[str]) -> dict[str, Job]:
        """The jobs of these ids that exist."""
        await trio.lowlevel.checkpoint()
        return {job_id: self._jobs[job_id] for job_id in ids if job_id in self._jobs}

    async def save(self, changes: Sequence[Change]) -> set[str]:
        """Writes the changes whose guard holds, and returns their ids."""
        rows.check_guards(changes)
        await trio.lowlevel.checkpoint()
        kept = {change.job.id: _kept(change) for change in changes}
        self._position += 1
        held = [change for change in changes if self._revision(change.job.id) == change.job.revision]
        for change in held:
            job = kept[change.job.id]
            self._changed[job.id] = self._position
            self._jobs[job.id] = msgspec.structs.replace(job, revision=job.revision + 1)
            self._events.setdefault(job.id, deque(maxlen=rows.EVENTS_SHOWN)).extend(change.events)
            if change.sample and (sample := samples.of(job)):
                self._samples.setdefault(job.id, deque(maxlen=_SAMPLES)).append(sample)
        return {change.job.id for change in held}

    async def job(self, job_id: str) -> tuple[Job, tuple[Event, ...]] | None:
        """One job with its newest events in the order they happened, or None."""
        await trio.lowlevel.checkpoint()
        job = self._jobs.get(job_id)
        return None if job is None else (job, tuple(self._events[job_id]))

    async def jobs(self, *, limit: int, status: Collection[str] = (), job_type: str = "") -> list[Job]:
        """Jobs, newest created first, of these states and this type where given."""
        await trio.lowlevel.checkpoint()
        found = [
            job
            for job in self._jobs.values()
            if (not status or job.status in status) and (not job_type or job.job_type == job_type)
        ]
        found.sort(key=lambda job: (job.created_at, job.id.encode()), reverse=True)
        return found[:limit]

    async def silent(self, before: datetime) -> list[Job]:
        """Active jobs not heard of since `before`, longest silent first."""
        await trio.lowlevel.checkpoint()
        ahead = self._now() + timedelta(seconds=rows.STEP)
        active = [job for job in self._jobs.values() if job.status in ACTIVE]
        found = [job for job in active if _heard(job) < before or _heard(job) > ahead]
        found.sort(key=lambda job: (_heard(job), job.id.encode()))
        return found

    async def ended(self, *, limit: int) -> list[Job]:
        """Jobs that have ended, latest end first."""
        await trio.lowlevel.checkpoint()
        found = [(job.completed_at, job.id.encode(), job) for job in self._jobs.values() if job.completed_at]
        found.sort(reverse=True)
        return [job for _, _, job in found[:limit]]

    def kept(self) -> list[Job]:
        """All jobs."""
        return list(self._jobs.values())

    def sampled(self, job_id: str) -> Sequence[Sample]:
        """A job's samples in the order they came."""
        return tuple(self._samples.get(job_id, ()))

    def prune(self, samples_from: datetime, events_from: datetime) -> None:
        """Forgets what is older."""
        for job_id, points in self._samples.items():
            self._samples[job_id] = deque((one for one in points if one.at >= samples_from), maxlen=_SAMPLES)
        for job_id, events in self._events.items():
            found = (one for one in events if one.at >= events_from)
            self._events[job_id] = deque(found, maxlen=rows.EVENTS_SHOWN)

    async def changes(self, position: int, most: int | None = None) -> Changes:
        """What was committed at or after a position, and the position to go on from."""
        await trio.lowlevel.checkpoint()
        found = [
            (changed, Row(job_id, self._jobs[job_id].revision, changed))
            for job_id, changed in self._changed.items()
            if changed >= position
        ]
        active = [row for _, row in found if self._jobs[row.id].status in ACTIVE]
        ended = sorted((changed, row.id) for changed, row in found if self._jobs[row.id].status not in ACTIVE)
        rows = {row.id: row for _, row in found}
        return Changes(self._position + 1, (*active, *(rows[job_id] for _, job_id in ended[:most])))

    async def hint(self) -> None:
        """Tells who listens that something was committed."""
        await trio.lowlevel.checkpoint()
        for heard in self._listeners:
            heard()

    async def hints(self, heard: Callable[[], None]) -> None:
        """Calls `heard` at each hint, until cancelled."""
        self._listeners.add(heard)
        try:
            await trio.sleep_forever()
        finally:
            self._listeners.discard(heard)

    async def unmoved(self, before: datetime) -> list[Job]:
        """Running jobs that have not moved since `before` and are not marked so, longest first."""
        await trio.lowlevel.checkpoint()
        running = [job for job in self._jobs.values() if job.status == "running" and not job.not_moving]
        found = [job for job in running if _moved(job) < before]
        found.sort(key=lambda job: (_moved(job), job.id.encode()))
        return found

    async def active(self) -> int:
        """How many jobs may still be heard of."""
        await trio.lowlevel.checkpoint()
        return sum(job.status in ACTIVE for job in self._jobs.values())

    async def beat(self, hub: str, gap: float, *, restart: bool) -> health.Pulse:
        """Keeps the hub's row; returns what all hubs know."""
        await trio.lowlevel.checkpoint()
        now = self._now()
        oldest = now - timedelta(days=1)
        self._hubs = {name: row for name, row in self._hubs.items() if name == hub or row.beat_at >= oldest}
        self._hubs[hub] = health.beat(self._hubs.get(hub), hub, now, gap, restart=restart)
        return health.Pulse(now, dict(self._hubs), tuple(self._alarms.values()))

    async def raise_alarm(self, alarm: Alarm) -> Alarm:
        """Opens the alarm unless one of its kind is open; returns the open one."""
        await trio.lowlevel.checkpoint()
        return self._alarms.setdefault(alarm.kind, alarm)

    async def clear_alarm(self, alarm: Alarm, until: datetime) -> bool:
        """Closes the alarm; True where this call did it."""
        await trio.lowlevel.checkpoint()
        found = self._alarms.get(alarm.kind)
        if found is None or found.since != alarm.since:
            return False
        del self._alarms[alarm.kind]
        return True

    def _revision(self, job_id: str) -> int:
        job = self._jobs.get(job_id)
        return job.revision if job else 0


def _heard(job: Job) -> datetime:
    return job.last_telemetry_at or job.created_at


def _moved(job: Job) -> datetime:
    return job.last_moved_at or job.created_at


def _kept(change: Change) -> Job:
    """The job as it is stored. Raises RowRefused for what PostgreSQL's types, keys and checks do not take."""
    job = rows.whole(change)
    if change.job.status not in _STATES:
        raise RowRefused(f"the job {change.job.id!r} has no known status: {change.job.status!r}")
    for row in (change.job, *change.job.disks, *change.events):
        for field, value in _values(row):
            if problem := _problem(field, value):
                raise RowRefused(f"{type(row).__name__.lower()} {change.job.id!r}: {field} {problem}")
    return job


def _values(row: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    return ((field, getattr(row, field)) for field in row.__struct_fields__)


def _problem(field: str, value: Any) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            return "holds NUL"
        if not _encodes(value):
            return "holds half a surrogate pair"
    bound = _INT32 if field in _SMALL_FIELDS else _INT64
    if isinstance(value, int) and not -bound <= value < bound:
        return "is out of range"
    return ""


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
