"""Job: several disks, one verdict. Opens and plans them all, copies a few at a time, and says how it ended.

A failed disk ends the job: the others are stopped at their next chunk. All sources are opened and planned
before any target is touched.
"""

from collections.abc import Sequence

import msgspec
import structlog
import trio

from clientd.actors.disks import JobDisks
from clientd.actors.ending import Ending
from clientd.config import CopySettings
from clientd.core import job as state
from clientd.core.checkpoint import Checkpoints
from clientd.core.order import Order
from clientd.disk.protocol import Disks
from clientd.disk.tally import DiskTally

log = structlog.get_logger()


class Stop(msgspec.Struct, frozen=True):
    """The job is to end now, `cancelled`, for this reason."""

    reason: str


async def run(
    order: Order,
    disks: Disks,
    tallies: Sequence[DiskTally],
    stops: trio.MemoryReceiveChannel[Stop],
    outbox: trio.MemorySendChannel[state.Event],
    *,
    checkpoints: Checkpoints,
    settings: CopySettings,
) -> None:
    """Returns when the job has ended and `JobEnded` is sent; closes the outbox.

    `outbox` must have room for all of a job's events. Disk errors become events; anything else is a bug and
    leaves. A call that hangs in the kernel keeps this from returning, but not from sending the end in time. A
    hard cancel closes the disks and sends no end.
    """
    ending = Ending(outbox)
    with outbox:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, stops, ending)
            nursery.start_soon(_end_in_time, ending, settings.stop_patience)
            with ending.scope:
                opened = JobDisks(order, disks, outbox, ending, checkpoints, settings)
                try:
                    await _copy_all(opened, tallies)
                finally:
                    await opened.close()
            ending.tell()
            nursery.cancel_scope.cancel()


async def _copy_all(disks: JobDisks, tallies: Sequence[DiskTally]) -> None:
    sources = [await disks.open_source(index) for index in range(len(tallies))]
    targets = [await disks.open_target(index, source) for index, source in enumerate(sources)]
    async with trio.open_nursery() as nursery:
        for index, (source, target) in enumerate(zip(sources, targets, strict=True)):
            nursery.start_soon(disks.copy, index, source, target, tallies[index])
    await disks.forget_checkpoints()


async def _obey(stops: trio.MemoryReceiveChannel[Stop], ending: Ending) -> None:
    async for stop in stops:
        ending.begin(stop.reason)


async def _end_in_time(ending: Ending, patience: float) -> None:
    await ending.begun.wait()
    await trio.sleep(patience)
    log.warning("a disk does not answer, the job ends without waiting for it", seconds=patience)
    ending.tell()
