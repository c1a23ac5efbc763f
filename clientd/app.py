"""App: the map of a job. Every channel with its size and its word for a full buffer, and the order of draining.

        job + copiers --- events ---> aggregator --- outbox -----> sender ---> hub
              ^                          ^     \\---- newest ----->   |
              |                          |                           |
              |                       tallies (read, never waited for)
              +------------------- stops <---------------------------+  and from the daemon's signals

        events    memory channel, all of a job's events   never full: nobody waits
        outbox    all updates that must arrive            never full: nobody waits
        newest    Latest                                  the newer takes the older's place
        stops     memory channel, 1                       Drop: the first stop is the one that counts

A job is one nursery. It drains from left to right: the copiers end, the job sends its end, the aggregator writes
the last update, the sender has `final_wait` seconds to deliver it. A disk that hangs keeps the job's nursery open,
but not its outcome from being told.
"""

from collections.abc import Callable
from functools import partial

import msgspec
import structlog
import trio

from clientd.actors import aggregator, sender
from clientd.actors import job as job_actor
from clientd.actors.job import Stop
from clientd.config import SENDER, Settings
from clientd.core import job as state
from clientd.core.checkpoint import Checkpoints
from clientd.core.order import Order
from clientd.core.outbox import Outbox, Update
from clientd.disk.protocol import Disks
from clientd.disk.tally import DiskTally
from clientd.environment import Environment
from clientd.latest import Latest

log = structlog.get_logger()

_ENDS = 1


class Outcome(msgspec.Struct, frozen=True):
    """What has come of an order. `seconds` are the copy's own, without the wait for the hub."""

    final: aggregator.Final
    updates_sent: int
    end_known: bool
    superseded: bool


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


async def run_job(
    order: Order,
    attempt: int,
    disks: Disks,
    hub: sender.Hub,
    stops: Stops,
    *,
    outbox: Outbox,
    checkpoints: Checkpoints,
    environment: Environment,
    settings: Settings,
    show: aggregator.Show,
    ended: Callable[[Outcome], None],
) -> None:
    """Copies, and tells the hub. Calls `ended` when the job has ended and the hub knows, or was given its time to.

    Returns when the disks are let go of as well: at once, unless one of them hangs. A failed disk, a stop and a
    silent hub are outcomes, not exceptions. Cancellation stops the copy at its next chunk, closes the disks and
    tells the hub nothing. `outbox` and `checkpoints` are this job's own.
    """
    count = len(order.disks)
    identity = state.identity(order, attempt, SENDER)
    tallies = [DiskTally() for _ in order.disks]
    events_in, events = trio.open_memory_channel[state.Event](count * state.EVENTS_PER_DISK + _ENDS)
    newest: Latest[Update] = Latest()
    delivery = sender.Delivery()

    async def deliver() -> None:
        with stops.patience:
            await sender.Sender(
                newest,
                outbox,
                hub,
                stops.stop,
                delivery,
                environment=environment,
                settings=settings.telemetry,
            ).run()

    log.info("job started", job_id=order.job_id, disks=count, attempt=attempt)
    async with trio.open_nursery() as nursery:
        copying = partial(job_actor.run, checkpoints=checkpoints, settings=settings.copy)
        nursery.start_soon(copying, order, disks, tallies, stops.receive, events_in)
        async with trio.open_nursery() as telling:
            telling.start_soon(deliver)
            final = await aggregator.run(
                identity,
                count,
                lambda: [tally.read() for tally in tallies],
                events,
                newest,
                outbox,
                environment=environment,
                settings=settings.telemetry,
                show=show,
            )
            stops.hurry(trio.current_time() + settings.telemetry.final_wait)
        if not delivery.end_known and not delivery.superseded:
            log.warning("the hub does not know the end of this job", job_id=order.job_id)
        ended(Outcome(final, delivery.sent, delivery.end_known, delivery.superseded))
