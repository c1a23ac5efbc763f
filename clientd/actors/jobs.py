"""Jobs: the daemon's queue at work. It takes jobs, begins them when their turn comes, and ends with none running.

It owns the queue, in memory and in the store. What it has promised (a job taken, a cancel) is in the store before
it answers; what merely happened is saved as soon as that can be done.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog
import trio

from clientd.actors.attempt import Attempt, Begin, Check
from clientd.config import ServeSettings
from clientd.core import control, queue
from clientd.core.control import JobView
from clientd.core.order import Order
from clientd.core.outbox import FINAL
from clientd.core.queue import Ending, Entry, Queue, Refused, Store
from clientd.environment import Environment
from clientd.errors import SpoolUnavailable, UsageError, bounded
from schemas import codec
from schemas.telemetry import TelemetryBody

log = structlog.get_logger()

T = TypeVar("T")

_CANCELLED = "cancelled by an operator"


class _Running:
    """A job that runs: what is known of it, and the ways to end it."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.attempt: Attempt | None = None
        self.body: TelemetryBody | None = None
        self.over = False
        self.finished = False

    def show(self, body: TelemetryBody) -> None:
        """The newest."""
        self.body = body


class Jobs:
    """`alive` is called after every look at the queue, at least every `beat` seconds, with a word on what runs."""

    def __init__(
        self,
        begin: Begin,
        check: Check,
        store: Store,
        *,
        environment: Environment,
        settings: ServeSettings,
        beat: float,
        alive: Callable[[str], None],
    ) -> None:
        self._begin = begin
        self._check = check
        self._store = store
        self._environment = environment
        self._settings = settings
        self._limits = settings.limits
        self._beat = beat
        self._alive = alive
        self._queue = Queue()
        self._running: dict[int, _Running] = {}
        self._dismissing: set[int] = set()
        self._unsaved: set[int] = set()
        self._trouble = ""
        self._stopping = False
        self._changed = trio.Event()
        self._saving = trio.Lock()
        self._threads = trio.CapacityLimiter(1)

    async def load(self) -> None:
        """What an earlier process left; jobs that ran then are decided on. Raises SpoolUnavailable."""
        for entry in await self._ask(self._store.load):
            if entry.state == "running":
                entry = queue.resumed(entry, self._limits, resume=self._settings.resume)
                log.warning(
                    "interrupted job", job_id=entry.job_id, attempt=entry.attempt, then=entry.unwanted or None
                )
                self._unsaved.add(entry.number)
            self._queue = self._queue.put(entry)

    async def submit(self, order: Order, origin: str = "") -> Entry:
        """The entry, durably in the queue; that of the same origin where it is there already.

        Raises Refused; UsageError where its disks cannot be copied; SpoolUnavailable where it cannot be kept.
        """
        known = self._queue.of_origin(origin) if origin else None
        if known is not None:
            return known
        self._refuse(order)
        await self._check(order)
        async with self._saving:
            entry = self._refuse(order, origin)
            await self._promise(entry)
            self._queue = self._queue.put(entry)
        self._changed.set()
        log.info("job queued", job_id=entry.job_id, number=entry.number, disks=len(order.disks))
        return entry

    async def cancel(self, job_id: str) -> JobView:
        """The job, whose end is now certain and comes soon. Raises Refused for none; SpoolUnavailable."""
        async with self._saving:
            entry = self._queue.active(job_id)
            if entry is None:
                raise Refused("unknown", f"no job '{job_id}' waits or runs: see clientd list")
            await self._promise(entry.to_end("cancelled", _CANCELLED))
            entry = self._queue.entries.get(entry.number, entry).to_end("cancelled", _CANCELLED)
            self._queue = self._queue.put(entry)
        self._changed.set()
        running = self._running.get(entry.number)
        if running is not None and running.attempt is not None:
            running.attempt.stop(_CANCELLED)
        return self._view(entry)

    def listed(self) -> list[JobView]:
        """All jobs, in the order of their submission."""
        return [self._view(entry) for entry in self._queue.entries.values()]

    def unfinished(self) -> set[str]:
        """The jobs that go on, or whose end is told, in another attempt."""
        return {entry.job_id for entry in self._queue.entries.values() if not entry.over}

    def stop(self) -> None:
        """Takes no more jobs, stops those that run, and lets `run` return. They go on at the next start."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Returns after `stop`, when no job runs. Cancellation may leave jobs in the store as running."""
        async with trio.open_nursery() as nursery:
            while not self._stopping:
                await self._look()
                self._start(nursery)
                await self._rest()
            for running in self._running.values():
                running.scope.cancel()
            while self._running:
                await self._look()
                await self._rest()
            nursery.cancel_scope.cancel()

    async def _look(self) -> None:
        """Does what can be done now for what has happened."""
        self._changed = trio.Event()
        for number in sorted(self._unsaved):
            if not await self._keep(number, probe=True):
                break
        for number, running in list(self._running.items()):
            if running.over:
                await self._finish(number, running)
        for entry in self._queue.forgotten(self._limits):
            self._queue = self._queue.without(entry)
            await self._keep(entry.number)

    def _start(self, nursery: trio.Nursery) -> None:
        for entry in self._queue.dismissed():
            if entry.number not in self._dismissing:
                self._dismissing.add(entry.number)
                nursery.start_soon(self._dismiss, entry.number)
        while (entry := self._queue.next(self._limits)) is not None:  # type: ignore[assignment]
            self._queue = self._queue.put(entry.begun(entry.attempt))
            self._running[entry.number] = _Running()
            nursery.start_soon(self._carry_out, entry.number)

    async def _rest(self) -> None:
        """Until something is new, or the next sign of life is due."""
        self._alive(f"{self._queue.count('running')} running, {self._queue.count('queued')} waiting")
        with trio.move_on_after(self._beat):
            await self._changed.wait()

    async def _carry_out(self, number: int) -> None:
        """One job, from its beginning to its end or its stop."""
        running = self._running[number]
        with running.scope:
            order = self._queue.entries[number].order
            attempt = running.attempt = await self._begin(order)
            entry = self._queue.entries[number]
            await self._put(entry.begun(attempt.number))
            if entry.unwanted:
                attempt.stop(entry.unwanted)
            try:
                await self._check(order)
                await attempt.run(running.show, partial(self._over, running))
            except UsageError as error:
                await self._end(number, "failed", bounded(str(error)), attempt)
        await self._finish(number, running)

    def _over(self, running: _Running) -> None:
        running.over = True
        self._changed.set()

    async def _finish(self, number: int, running: _Running) -> None:
        """The job's end, once; without one it was stopped, and waits again."""
        if running.finished:
            return
        running.finished = True
        entry, body = self._queue.entries[number], running.body
        if body is not None and body.status in FINAL:
            when = codec.rfc3339(self._environment.wall())
            error = body.error if isinstance(body.error, str) else ""
            done, whole = body.bytes_transferred or 0, body.total_bytes
            await self._put(entry.finished(body.status, error, when, done, whole))  # type: ignore[arg-type]
        elif not entry.over:
            await self._put(entry.stopped())
        del self._running[number]
        self._changed.set()

    async def _dismiss(self, number: int) -> None:
        """The end of a job that does not begin again. The hub hears of it if it ever heard of the job."""
        entry = self._queue.entries[number]
        attempt = None
        if entry.attempt:
            attempt = await self._begin(entry.order)
            await self._put(self._queue.entries[number].numbered(attempt.number))
        await self._end(number, entry.wish, entry.unwanted, attempt)
        self._dismissing.discard(number)
        self._changed.set()

    async def _end(self, number: int, status: Ending, error: str, attempt: Attempt | None) -> None:
        """An end without a copy. It is told before it is saved: no crash in between keeps it from the hub."""
        if attempt is not None:
            await attempt.tell(status, error)
        log.info("job ended", job_id=self._queue.entries[number].job_id, status=status, error=error)
        when = codec.rfc3339(self._environment.wall())
        await self._put(self._queue.entries[number].finished(status, error, when))

    def _refuse(self, order: Order, origin: str = "") -> Entry:
        if self._stopping:
            raise Refused("stopping", "clientd is stopping: submit it again when it has started")
        return self._queue.submit(order, origin, self._limits)

    def _view(self, entry: Entry) -> JobView:
        running = self._running.get(entry.number)
        return control.view(entry, running.body if running else None)

    async def _promise(self, entry: Entry) -> None:
        """Saves what is not in the queue yet. Where that fails, the store is told later that it never was."""
        if self._trouble:
            raise SpoolUnavailable(self._trouble)
        try:
            await self._ask(partial(self._store.save, entry))
        except SpoolUnavailable as error:
            self._fails(entry.number, error)
            raise
        except BaseException:
            self._unsaved.add(entry.number)
            raise

    async def _put(self, entry: Entry) -> None:
        self._queue = self._queue.put(entry)
        await self._keep(entry.number)

    async def _keep(self, number: int, *, probe: bool = False) -> bool:
        """Saves what the entry is now; later, where that fails.

        While the store fails only a probe asks it: a disk that hangs would hold up each save, one after the other.
        """
        async with self._saving:
            if self._trouble and not probe:
                self._unsaved.add(number)
                return False
            entry = self._queue.entries.get(number)
            try:
                await self._ask(partial(self._store.save, entry) if entry else partial(self._store.forget, number))
            except SpoolUnavailable as error:
                self._fails(number, error)
                return False
            self._unsaved.discard(number)
            if self._trouble:
                log.info("the queue can be saved again")
            self._trouble = ""
            return True

    def _fails(self, number: int, error: SpoolUnavailable) -> None:
        """The store does not do what it should: said once, and tried again at the next look."""
        self._unsaved.add(number)
        if not self._trouble:
            log.error("the queue cannot be saved, jobs go on without", error=str(error))
        self._trouble = str(error)

    async def _ask(self, call: Callable[[], T]) -> T:
        """The store's answer, from a thread. Raises SpoolUnavailable, also where it takes too long."""
        try:
            with trio.fail_after(self._settings.store_answer):
                return await trio.to_thread.run_sync(call, limiter=self._threads, abandon_on_cancel=True)
        except trio.TooSlowError:
            raise SpoolUnavailable(f"no answer within {self._settings.store_answer:g} s") from None
