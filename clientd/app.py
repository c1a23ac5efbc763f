"""App: the map of a job. Every channel with its size and its word for a full buffer, and the order of draining.

                                                     keeper ---> spool (a thread) <--- what others left
                                                       |                                     |
                                                       v                                     v
        job + copiers --- events ---> aggregator --- outbox -----> sender ---> hub <------ courier
              ^                          ^     \\---- newest ----->   |
              |                          |      \\--- legacy -----> sna ---> legacy progress endpoint
              |                       tallies (read, never waited for)
              +------------------- stops <---------------------------+  and from the daemon's signals

        events    memory channel, all of a job's events   never full: nobody waits
        outbox    all updates that must arrive            never full: nobody waits
        newest    Latest, legacy too                      the newer takes the older's place
        stops     memory channel, 1                       Drop: the first stop is the one that counts

A job is one nursery. It drains from left to right: the copiers end, the job sends its end, the aggregator writes
the last update, the sender has `final_wait` seconds to deliver it, and the keeper a few to have it on the disk. A
disk that hangs keeps the job's nursery open, but not its outcome from being told.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import structlog
import trio

from clientd.actors import aggregator, sna
from clientd.actors import job as job_actor
from clientd.actors.courier import Left
from clientd.actors.job import Stop
from clientd.actors.keeper import Keeper
from clientd.actors.sender import Hub, Sender
from clientd.actors.telling import Delivery, Telling
from clientd.config import SENDER, Settings, TelemetrySettings
from clientd.core import job as state
from clientd.core.checkpoint import Checkpoints
from clientd.core.order import Order
from clientd.core.outbox import LAST, Outbox, Update
from clientd.core.spool import Limits
from clientd.disk.protocol import Disks
from clientd.disk.tally import DiskTally
from clientd.environment import Environment
from clientd.latest import Latest
from clientd.state.spool import SqliteSpool
from schemas import codec

log = structlog.get_logger()

_ENDS = 1


class Outcome(msgspec.Struct, frozen=True):
    """What has come of an order. `kept`: what the hub does not have is in the spool."""

    final: aggregator.Final
    updates_sent: int
    end_known: bool
    superseded: bool
    kept: bool = False


class Stops:
    """The one place where a running job, one for each Stops, can be told to stop."""

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[Stop](1)
        self.patience = trio.CancelScope()

    def stop(self, reason: str) -> None:
        """The first reason counts. A job that has ended cannot be stopped any more."""
        try:
            self.send.send_nowait(Stop(reason))
        except trio.WouldBlock:
            return

    def hurry(self, deadline: float) -> None:
        """The hub is told no more after this time, on trio's clock. An earlier one stays."""
        self.patience.deadline = min(self.patience.deadline, deadline)


@asynccontextmanager
async def open_keeper(
    folder: Path, *, environment: Environment, settings: TelemetrySettings
) -> AsyncIterator[Keeper]:
    """The spool in this directory, kept up to date while the block runs, as far as it can be used at all."""
    limits = Limits(events=settings.spool_events, bytes=settings.spool_bytes, jobs=settings.spool_jobs)
    spool = SqliteSpool(folder, environment, limits=limits, sender=SENDER)
    keeper = Keeper(spool, environment=environment, settings=settings)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        try:
            yield keeper
        finally:
            nursery.cancel_scope.cancel()
            await keeper.close()


async def run_job(
    order: Order,
    attempt: int,
    disks: Disks,
    hub: Hub,
    stops: Stops,
    *,
    outbox: Outbox,
    checkpoints: Checkpoints,
    environment: Environment,
    settings: Settings,
    show: aggregator.Show,
    ended: Callable[[Outcome], None],
    legacy: sna.Endpoint | None = None,
    left: Left | None = None,
) -> None:
    """Copies, and tells the hub. Calls `ended` when the job has ended and the hub knows, or was given its time to.

    Returns when the disks are let go of as well: at once, unless one of them hangs. A failed disk, a stop and a
    silent hub are outcomes, not exceptions. Cancellation stops the copy at its next chunk, closes the disks and
    tells the hub nothing. `outbox` and `checkpoints` are this job's own. `legacy` is told as well; `left` is
    delivered meanwhile, once the hub is known to answer.
    """
    count = len(order.disks)
    identity = state.identity(order, attempt, SENDER)
    tallies = [DiskTally() for _ in order.disks]
    events_in, events = trio.open_memory_channel[state.Event](count * state.EVENTS_PER_DISK + _ENDS)
    newest: Latest[Update] = Latest()
    legacy_newest: Latest[Update] = Latest()
    delivery = Delivery()
    tell_legacy = partial(sna.run, legacy_newest, settings=settings.telemetry)

    async def deliver() -> None:
        with stops.patience:
            async with trio.open_nursery() as nursery:
                if left is not None:
                    nursery.start_soon(deliver_what_is_left, left)
                telling = Telling(attempt, newest, outbox, stops.stop, delivery)
                await Sender(telling, hub, environment=environment, settings=settings.telemetry).run()
                if not delivery.heard.is_set():
                    nursery.cancel_scope.cancel()

    async def deliver_what_is_left(left: Left) -> None:
        await delivery.heard.wait()
        await deliver_left(left, hub, environment=environment, settings=settings.telemetry)

    log.info("job started", job_id=order.job_id, disks=count, attempt=attempt)
    async with trio.open_nursery() as nursery:
        copying = partial(job_actor.run, checkpoints=checkpoints, settings=settings.copy)
        nursery.start_soon(copying, order, disks, tallies, stops.receive, events_in)
        async with trio.open_nursery() as telling:
            telling.start_soon(deliver)
            if legacy is not None:
                telling.start_soon(tell_legacy, legacy)
            final = await aggregator.run(
                identity,
                count,
                order.verify,
                lambda: [tally.read() for tally in tallies],
                events,
                [newest, legacy_newest],
                outbox,
                environment=environment,
                settings=settings.telemetry,
                show=show,
            )
            stops.hurry(trio.current_time() + settings.telemetry.final_wait)
        if delivery.superseded:
            outbox.forget((attempt, LAST))
        kept = await _kept(outbox, settings.telemetry.spool_answer)
        if not delivery.end_known and not delivery.superseded:
            then = "the next clientd delivers it, or clientd flush" if kept else None
            log.warning("the hub does not know the end of this job", job_id=order.job_id, then=then)
        ended(Outcome(final, delivery.sent, delivery.end_known, delivery.superseded, kept))


async def tell_end(
    order: Order,
    attempt: int,
    status: state.Status,
    error: str,
    hub: Hub,
    *,
    outbox: Outbox,
    environment: Environment,
    settings: TelemetrySettings,
    legacy: sna.Endpoint | None = None,
) -> None:
    """Tells the hub the end of an attempt that copies nothing, and `legacy`.

    Returns when the hub knows, or was given its time to: then the spool has what it does not know. Cancellation
    leaves the end in the spool, if it came that far.
    """
    timestamp = codec.rfc3339(environment.wall())
    body = state.ending(state.identity(order, attempt, SENDER), status, error, timestamp)
    update = Update(body, environment.moment())
    outbox.add(update)
    nothing: Latest[Update] = Latest()
    nothing.close()
    telling = Telling(attempt, nothing, outbox, lambda reason: None, Delivery())
    async with trio.open_nursery() as nursery:
        if legacy is not None:
            last: Latest[Update] = Latest()
            last.put(update)
            last.close()
            nursery.start_soon(partial(sna.run, last, legacy, settings=settings))
        with trio.move_on_after(settings.final_wait):
            await Sender(telling, hub, environment=environment, settings=settings).run()
    await _kept(outbox, settings.spool_answer)


async def deliver_left(left: Left, hub: Hub, *, environment: Environment, settings: TelemetrySettings) -> None:
    """Delivers what earlier processes left in the spool. Returns as `left` says: when there is no more, or never.

    Cancellation gives back what is not delivered.
    """
    with left:
        await Sender(left, hub, environment=environment, settings=settings).run()


async def _kept(outbox: Outbox, longest: float) -> bool:
    """Whether what is left is on the disk, and anybody's to deliver."""
    outbox.close()
    with trio.move_on_after(longest):
        return await outbox.kept()
    return False
