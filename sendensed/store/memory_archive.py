"""MemoryArchive: the reading side of the store in memory."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import trio

from schemas.job import ACTIVE, State
from sendensed.core import appliance, calendar, listing, samples
from sendensed.core.appliance import Appliance
from sendensed.core.calendar import Tally
from sendensed.core.listing import Page, Query
from sendensed.core.machine import RUNS
from sendensed.core.model import Job
from sendensed.core.prediction import Run
from sendensed.core.retention import Limits
from sendensed.core.samples import Found, Outage, Window
from sendensed.core.summary import DAY, Counts, Standing
from sendensed.store.archive import COUNTED, PAUSE, Successes
from sendensed.store.memory import MemoryStore


class MemoryArchive:
    """An Archive over a MemoryStore; `now` is that store's clock."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._appliances: dict[str, Appliance] = {}
        self._outages: list[Outage] = []
        self._noted_at: datetime | None = None

    async def page(self, query: Query) -> Page:
        """The jobs asked for, in order."""
        await trio.lowlevel.checkpoint()
        return listing.page(listing.ordered(self._store.kept(), query), query)

    async def samples(self, job_id: str, window: Window) -> Found:
        """A job's samples, one a step, and the holes between them."""
        await trio.lowlevel.checkpoint()
        return samples.chosen(self._store.sampled(job_id), window)

    async def outages(self, start: datetime, end: datetime) -> list[Outage]:
        """When no hub was there to hear."""
        await trio.lowlevel.checkpoint()
        return [one for one in self._outages if one.start < end and one.end > start]

    async def machines(
        self, *, limit: int, after: str = "", text: str = "", names: Collection[str] = ()
    ) -> list[tuple[str, list[Run]]]:
        """Machines with their newest runs."""
        await trio.lowlevel.checkpoint()
        if names:
            found = sorted({job.vm_name for job in self._store.kept()}.intersection(names), key=str.encode)
        else:
            found = self._names(limit, after, text)
        return [(name, self._runs(name)) for name in found]

    async def calendar(
        self, bounds: Sequence[datetime], *, limit: int, after: str = "", text: str = ""
    ) -> list[tuple[str, list[Tally]]]:
        """Machines with their days."""
        await trio.lowlevel.checkpoint()
        return [(name, self._days(name, bounds)) for name in self._names(limit, after, text)]

    async def recent(self, *, limit: int) -> list[Run]:
        """The runs that ended last."""
        await trio.lowlevel.checkpoint()
        query = Query(sort="completed")
        ended = [job for job in listing.ordered(self._store.kept(), query) if job.completed_at]
        return [_run(job) for job in ended[:limit]]

    async def successes(self, *, limit: int) -> Successes:
        """The end of each machine's newest completed run."""
        await trio.lowlevel.checkpoint()
        names = sorted({job.vm_name for job in self._store.kept()} - {""}, key=str.encode)
        found = []
        for name in names[:limit]:
            ends = [one.completed_at for one in self._runs(name, most=None) if one.status == "completed"]
            known = [end for end in ends if end is not None]
            if known:
                found.append((name, known[0]))
        return Successes(found, len(names[limit:COUNTED]))

    async def appliances(self) -> list[tuple[Appliance, int]]:
        """All appliances and their active jobs."""
        await trio.lowlevel.checkpoint()
        active = Counter(
            job.appliance or appliance.split(job.sender)[0] for job in self._store.kept() if job.status in ACTIVE
        )
        return [(self._appliances[name], active[name]) for name in sorted(self._appliances, key=str.encode)]

    async def summary(self) -> Counts:
        """How things stand."""
        now, jobs = await self._store.now(), self._store.kept()
        ended: Counter[State] = Counter(
            job.status for job in jobs if job.completed_at and job.completed_at > now - DAY
        )
        heard = [job.last_telemetry_at for job in jobs if job.completed_at and job.last_telemetry_at]
        active = tuple(
            Standing(job.status, job.last_telemetry_at, job.eta_low_seconds, job.eta_high_seconds)
            for job in jobs
            if job.status in ACTIVE
        )
        return Counts(active, ended, max(heard, default=None))

    async def note(self, appliances: Sequence[Appliance]) -> None:
        """Keeps the appliances, and that a hub was there."""
        now = await self._store.now()
        for one in appliances:
            known = self._appliances.get(one.name)
            if known is None or known.last_heard_at <= one.last_heard_at:
                self._appliances[one.name] = one
        if self._noted_at is not None and (now - self._noted_at).total_seconds() > PAUSE:
            self._outages.append(Outage(self._noted_at, now))
        self._noted_at = now

    async def tend(self, limits: Limits) -> list[str]:
        """Forgets what is older than it is kept."""
        now = await self._store.now()
        self._store.prune(now - timedelta(days=limits.samples), now - timedelta(days=limits.events))
        return []

    def _names(self, limit: int, after: str, text: str) -> list[str]:
        part = listing.lowered(text)
        names = {job.vm_name for job in self._store.kept()}
        found = [name for name in names if name.encode() > after.encode() and part in listing.lowered(name)]
        return sorted(found, key=str.encode)[:limit]

    def _days(self, name: str, bounds: Sequence[datetime]) -> list[Tally]:
        query = Query(machine=name, created_from=bounds[0], created_to=bounds[-1])
        runs: defaultdict[int, list[tuple[str, State]]] = defaultdict(list)
        for job in listing.ordered(self._store.kept(), query):
            runs[bisect_right(bounds, job.created_at) - 1].append((job.id, job.status))
        return [calendar.tally(day, runs[day]) for day in sorted(runs)]

    def _runs(self, name: str, most: int | None = RUNS) -> list[Run]:
        query = Query(machine=name)
        return [_run(job) for job in listing.ordered(self._store.kept(), query)[:most]]


def _run(job: Job) -> Run:
    return Run(
        status=job.status,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        bytes_transferred=job.bytes_transferred,
        predictions=job.predictions,
    )
