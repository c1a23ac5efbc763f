"""Service: the map of the daemon: what runs beside what, and the order of draining.

        socket ---> server ---\\                 /--- attempt ---> app.run_job, one nursery each
                               jobs (the queue) ---- attempt ---> ...
        folder ---> intake ---/       |         \\--- attempt ---> app.tell_end
                                      v
                                   queue.db     spool.db <--- keeper, shared ---> courier ---> hub, shared

Each attempt has a connection of its own to the legacy progress endpoint, where its job is to be told of there.

No channel: the queue is asked by plain calls, and each is answered when it is done.

A stop drains from left to right: server and intake end at once, the queue stops its jobs and waits for them, then
the courier gives back what it holds. A job that hangs on a disk is left behind by the process's end.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from functools import partial
from pathlib import Path

import msgspec
import structlog
import trio

from clientd import app
from clientd.actors.courier import Left
from clientd.actors.intake import Intake
from clientd.actors.jobs import Jobs
from clientd.actors.keeper import Keeper, KeptOutbox
from clientd.actors.sender import Hub
from clientd.config import LEGACY_URL, SENDER, ServeSettings, Settings, TelemetrySettings, copy_settings
from clientd.core.order import Order
from clientd.core.queue import Ending
from clientd.disk import check
from clientd.disk.opening import SystemDisks
from clientd.environment import Environment
from clientd.errors import UsageError
from clientd.net import control
from clientd.net.hub import HttpHub
from clientd.net.sna import HttpSna
from clientd.state.checkpoints import SqliteCheckpoints
from clientd.state.directory import one_daemon
from clientd.state.folder import Folder
from clientd.state.queue import SqliteQueue
from clientd.supervisor import Supervisor
from schemas.telemetry import TelemetryBody

log = structlog.get_logger()

_CHECKS = 64
"""Looks at new jobs' disks at once; one that hangs keeps its place, and must not take another job's."""


class Place(msgspec.Struct, frozen=True):
    """Where the daemon keeps its things, and whom it tells.

    `legacy` is the legacy progress endpoint, `progress_id` the id there of jobs without one: '' tells nothing.
    """

    state: Path
    socket: Path
    folder: Path
    hub: str
    token: str | None
    legacy: str = LEGACY_URL
    progress_id: str = ""


async def serve(
    place: Place,
    settings: ServeSettings,
    stopping: Callable[[], Awaitable[object]],
    *,
    environment: Environment,
    supervisor: Supervisor,
) -> None:
    """Returns after `stopping` has, when all jobs have stopped. They go on at the next start.

    Raises UsageError where it cannot begin as it is told, SpoolUnavailable where the queue cannot be read.
    Cancellation ends it without waiting for anything but calls under way.
    """
    within = Settings(
        copy=copy_settings(settings.workers),
        telemetry=TelemetrySettings(final_wait=settings.final_wait, connections=settings.at_once + 1),
    )
    async with AsyncExitStack() as opened:
        opened.enter_context(one_daemon(place.state))
        listener = await opened.enter_async_context(control.opened(place.socket))
        folder = _made(place.folder, settings)
        hub = await opened.enter_async_context(
            HttpHub(place.hub, sender=SENDER, settings=within.telemetry, token=place.token)
        )
        keeper = await opened.enter_async_context(
            app.open_keeper(place.state, environment=environment, settings=within.telemetry)
        )
        store = SqliteQueue(place.state, environment)
        jobs = Jobs(
            partial(_Attempt.begin, keeper, hub, place, within, environment),
            _Looks(settings.check_answer).check,
            store,
            environment=environment,
            settings=settings,
            beat=min(settings.beat, supervisor.period or settings.beat),
            alive=lambda word: supervisor.tell("WATCHDOG=1", f"STATUS={word}"),
        )
        await jobs.load()
        left = Left(keeper, within.telemetry, once=False, resuming=jobs.unfinished)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                partial(app.deliver_left, left, hub, environment=environment, settings=within.telemetry)
            )
            async with trio.open_nursery() as working:
                working.start_soon(jobs.run)
                async with trio.open_nursery() as sources:
                    sources.start_soon(control.Server(jobs, settings).run, listener)
                    sources.start_soon(Intake(folder, jobs.submit, settings.look).run)
                    log.info("serving", socket=str(place.socket), folder=str(place.folder), hub=place.hub)
                    supervisor.tell("READY=1")
                    await stopping()
                    supervisor.tell("STOPPING=1")
                    log.info("stopping, jobs go on at the next start")
                    sources.cancel_scope.cancel()
                jobs.stop()
            nursery.cancel_scope.cancel()
        store.close()


class _Attempt:
    """An actors.jobs.Attempt, with everything that the daemon's jobs share."""

    def __init__(
        self,
        keeper: Keeper,
        hub: Hub,
        place: Place,
        settings: Settings,
        environment: Environment,
        order: Order,
        number: int,
        outbox: KeptOutbox,
    ) -> None:
        self._hub = hub
        self._place = place
        self._settings = settings
        self._environment = environment
        self._order = order
        self._number = number
        self._outbox = outbox
        self._stops = app.Stops()

    @classmethod
    async def begin(
        cls, keeper: Keeper, hub: Hub, place: Place, settings: Settings, environment: Environment, order: Order
    ) -> "_Attempt":
        number, outbox = await keeper.begin(order.job_id, order.job_type, None)
        return cls(keeper, hub, place, settings, environment, order, number, outbox)

    @property
    def number(self) -> int:
        return self._number

    def stop(self, reason: str) -> None:
        self._stops.stop(reason)

    async def run(self, show: Callable[[TelemetryBody], None], ended: Callable[[], None]) -> None:
        """A job that is cancelled lets go of its events: the next attempt has them in front of its own.

        All that is logged in it names the job: many run beside each other.
        """
        structlog.contextvars.bind_contextvars(job_id=self._order.job_id)
        try:
            async with self._legacy() as legacy:
                with SqliteCheckpoints(self._place.state, self._order.job_id, self._environment) as checkpoints:
                    await app.run_job(
                        self._order,
                        self._number,
                        SystemDisks(self._settings.nbd),
                        self._hub,
                        self._stops,
                        outbox=self._outbox,
                        checkpoints=checkpoints,
                        environment=self._environment,
                        settings=self._settings,
                        show=show,
                        ended=lambda outcome: ended(),
                        legacy=legacy,
                    )
        finally:
            self._outbox.close()

    async def tell(self, status: Ending, error: str) -> None:
        async with self._legacy() as legacy:
            await app.tell_end(
                self._order,
                self._number,
                status,
                error,
                self._hub,
                outbox=self._outbox,
                environment=self._environment,
                settings=self._settings.telemetry,
                legacy=legacy,
            )

    def _legacy(self) -> AbstractAsyncContextManager[HttpSna | None]:
        """The legacy progress endpoint, where this job is to be told of there."""
        name = self._order.progress_job_id or self._place.progress_id
        if not name:
            return nullcontext()
        return HttpSna(self._place.legacy, name, sender=SENDER, settings=self._settings.telemetry)


class _Looks:
    """At the disks of new jobs, in threads: a file server that is away blocks whoever looks."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._threads = trio.CapacityLimiter(_CHECKS)

    async def check(self, order: Order) -> None:
        """Raises UsageError, also where it takes too long."""
        looking = partial(check.check, order.disks)
        try:
            with trio.fail_after(self._patience):
                await trio.to_thread.run_sync(looking, limiter=self._threads, abandon_on_cancel=True)
        except trio.TooSlowError:
            raise UsageError(
                f"the disks of '{order.job_id}' do not answer within {self._patience:g} s: look at where they lie"
            ) from None


def _made(path: Path, settings: ServeSettings) -> Folder:
    folder = Folder(path, settings.kept)
    try:
        folder.make()
    except OSError as error:
        raise UsageError(
            f"the folder '{path}' cannot be used: {error.strerror}: name another with --folder"
        ) from None
    return folder
