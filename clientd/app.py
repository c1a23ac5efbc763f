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
the last update, the sender has `final_wait` seconds to deliver it.
"""

from functools import partial

import msgspec
import structlog
import trio

from clientd.actors import aggregator, sender
from clientd.actors import job as job_actor
from clientd.actors.job import Pair, Stop
from clientd.config import Settings
from clientd.core import job as state
from clientd.core.outbox import MemoryOutbox, Update
from clientd.disk.protocol import Disks
from clientd.disk.tally import DiskTally
from clientd.environment import Environment
from clientd.latest import Latest

log = structlog.get_logger()

_PHASES = 3
_ENDS = 1


class Order(msgspec.Struct, frozen=True):
    """What is to be copied, and under which name the hub knows it."""

    identity: state.Identity
    pairs: tuple[Pair, ...]


class Outcome(msgspec.Struct, frozen=True):
    """What has come of an order. `seconds` are the copy's own, without the wait for the hub."""

    final: aggregator.Final
    updates_sent: int
    end_known: bool
    superseded: bool


class Stops:
    """The one place where a running job can be told to stop."""

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[Stop](1)

    def stop(self, reason: str) -> None:
        """The first reason counts. A job that has ended cannot be stopped any more."""
        try:
            self.send.send_nowait(Stop(reason))
        except trio.WouldBlock:
            return


async def run_job(
    order: Order,
    disks: Disks,
    hub: sender.Hub,
    stops: Stops,
    *,
    environment: Environment,
    settings: Settings,
    show: aggregator.Show,
) -> Outcome:
    """Copies, and tells the hub. Returns when the job has ended and the hub knows, or was given its time to.

    A failed disk, a stop and a silent hub are outcomes, not exceptions. Cancellation stops the copy at its next
    chunk, closes the disks and tells the hub nothing.
    """
    count = len(order.pairs)
    tallies = [DiskTally() for _ in order.pairs]
    events_in, events = trio.open_memory_channel[state.Event](count * state.EVENTS_PER_DISK + _ENDS)
    newest: Latest[Update] = Latest()
    outbox = MemoryOutbox(_PHASES + _ENDS)
    delivery = sender.Delivery()
    patience = trio.CancelScope()

    async def deliver() -> None:
        with patience:
            await sender.Sender(
                newest,
                outbox,
                hub,
                stops.stop,
                delivery,
                environment=environment,
                settings=settings.telemetry,
            ).run()

    log.info("job started", job_id=order.identity.job_id, disks=count, attempt=order.identity.attempt)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deliver)
        copying = partial(job_actor.run, settings=settings.copy)
        nursery.start_soon(copying, order.pairs, disks, tallies, stops.receive, events_in)
        final = await aggregator.run(
            order.identity,
            count,
            lambda: [tally.read() for tally in tallies],
            events,
            newest,
            outbox,
            environment=environment,
            settings=settings.telemetry,
            show=show,
        )
        patience.deadline = trio.current_time() + settings.telemetry.final_wait
    if not delivery.end_known:
        log.warning("the hub does not know the end of this job", job_id=order.identity.job_id)
    return Outcome(final, delivery.sent, delivery.end_known, delivery.superseded)
