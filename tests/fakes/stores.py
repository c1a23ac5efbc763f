"""Stores: one that fails on purpose, on top of one that does not, and saves in few words."""

from collections import deque

from msgspec.structs import replace

from sendensed.core.model import Event, Job
from sendensed.store import Change, Store


def new(job: Job, *events: Event) -> Change:
    """The first save of a job."""
    return Change(job, None, events)


async def saved(store: Store, job: Job, *events: Event) -> Job:
    """The job as it stands after its first save."""
    assert await store.save([new(job, *events)]) == {job.id}
    return replace(job, revision=1)


class FaultyStore:
    """A Store whose next calls fail as told, before or after the real work.

        with FaultyStore(MemoryStore(clock)).fail("save", StoreUnavailable("gone"), times=2) as store:
            ...

    Faults of a method happen in the order they were given. One that was not used fails the test.
    """

    def __init__(self, base: Store) -> None:
        self.base = base
        self._faults: dict[str, deque[tuple[BaseException, bool]]] = {}

    def fail(self, method: str, error: BaseException, times: int = 1) -> "FaultyStore":
        """The next `times` calls raise `error` and do nothing."""
        return self._add(method, error, False, times)

    def fail_after(self, method: str, error: BaseException, times: int = 1) -> "FaultyStore":
        """The next `times` calls do their work and raise `error` all the same: an unknown commit."""
        return self._add(method, error, True, times)

    def mend(self) -> None:
        """No further fault happens, whatever was told before."""
        self._faults.clear()

    def done(self) -> None:
        """Fails where a fault was not used."""
        unused = {method: len(faults) for method, faults in self._faults.items() if faults}
        assert not unused, f"faults never met: {unused}"

    async def now(self):
        return await self._call("now")

    async def load(self, ids):
        return await self._call("load", ids)

    async def save(self, changes):
        return await self._call("save", changes)

    async def job(self, job_id):
        return await self._call("job", job_id)

    async def jobs(self, *, limit, status=(), job_type=""):
        return await self._call("jobs", limit=limit, status=status, job_type=job_type)

    async def silent(self, before):
        return await self._call("silent", before)

    async def changes(self, position, most=None):
        return await self._call("changes", position, most)

    async def hint(self):
        return await self._call("hint")

    async def hints(self, heard):
        return await self._call("hints", heard)

    async def unmoved(self, before):
        return await self._call("unmoved", before)

    async def active(self):
        return await self._call("active")

    async def beat(self, hub, gap, *, restart):
        return await self._call("beat", hub, gap, restart=restart)

    async def raise_alarm(self, alarm):
        return await self._call("raise_alarm", alarm)

    async def clear_alarm(self, alarm, until):
        return await self._call("clear_alarm", alarm, until)

    async def ended(self, *, limit):
        return await self._call("ended", limit=limit)

    def __enter__(self) -> "FaultyStore":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self.done()

    def _add(self, method, error, after, times):
        assert hasattr(self.base, method), f"a store has no {method}"
        self._faults.setdefault(method, deque()).extend([(error, after)] * times)
        return self

    async def _call(self, method, *args, **words):
        faults = self._faults.get(method)
        error, after = faults.popleft() if faults else (None, False)
        if error is not None and not after:
            raise error
        result = await getattr(self.base, method)(*args, **words)
        if error is not None:
            raise error
        return result
