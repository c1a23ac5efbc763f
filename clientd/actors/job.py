"""Job: opens and plans all disks of one job, copies a few at a time, and says how it ended.

A failed disk ends the job: the others are stopped at their next chunk. All sources are opened and planned
before any target is touched.
"""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NoReturn

import msgspec
import structlog
import trio

from clientd.actors import copier
from clientd.config import CopySettings
from clientd.core import job as state
from clientd.core import plan
from clientd.core.checkpoint import Checkpoints
from clientd.core.extents import Extent
from clientd.core.order import DiskOrder, Order
from clientd.disk.pace import Pace
from clientd.disk.protocol import Disk, Disks
from clientd.disk.tally import DiskTally
from clientd.errors import DiskError, bounded

log = structlog.get_logger()

_CLOSING = 5.0
"""Seconds that closing a disk may take before it is left to the kernel."""
_SPARE_THREADS = 2
"""Beside the workers: for opening, flushing and closing."""


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
    ending = _Ending(outbox)
    with outbox:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, stops, ending)
            nursery.start_soon(_end_in_time, ending, settings.stop_patience)
            with ending.scope:
                async with AsyncExitStack() as opened:
                    copying = _Copying(disks, outbox, opened, ending, settings, order.max_rate)
                    await _copy_all(order, tallies, copying)
            ending.tell()
            nursery.cancel_scope.cancel()


async def _copy_all(order: Order, tallies: Sequence[DiskTally], copying: "_Copying") -> None:
    sources = [await copying.open_source(index, disk) for index, disk in enumerate(order.disks)]
    targets = [
        await copying.open_target(index, disk, source.size)
        for index, (disk, (source, _)) in enumerate(zip(order.disks, sources, strict=True))
    ]
    async with trio.open_nursery() as nursery:
        for index, (source, work_plan) in enumerate(sources):
            nursery.start_soon(copying.copy, index, source, targets[index], work_plan, tallies[index])


async def _obey(stops: trio.MemoryReceiveChannel[Stop], ending: "_Ending") -> None:
    async for stop in stops:
        ending.begin(stop.reason)


async def _end_in_time(ending: "_Ending", patience: float) -> None:
    await ending.begun.wait()
    await trio.sleep(patience)
    log.warning("a disk does not answer, the job ends without waiting for it", seconds=patience)
    ending.tell()


class _Ending:
    """The job's way to its end: `begin` stops the copy, `tell` sends the end, once."""

    def __init__(self, outbox: trio.MemorySendChannel[state.Event]) -> None:
        self.scope = trio.CancelScope()
        self.begun = trio.Event()
        self._outbox = outbox
        self._reason: str | None = None
        self._told = False

    def begin(self, reason: str | None = None) -> None:
        self._reason = self._reason or reason
        self.begun.set()
        self.scope.cancel()

    def tell(self) -> None:
        if not self._told:
            self._told = True
            self._outbox.send_nowait(state.JobEnded(self._reason))


class _Copying:
    """What the disks of one job share. A disk's error is reported and begins the job's end."""

    def __init__(
        self,
        disks: Disks,
        outbox: trio.MemorySendChannel[state.Event],
        opened: AsyncExitStack,
        ending: _Ending,
        settings: CopySettings,
        rate: int,
    ) -> None:
        self._disks = disks
        self._outbox = outbox
        self._opened = opened
        self._ending = ending
        self._settings = settings
        self._pace = Pace(rate)
        self._turns = trio.CapacityLimiter(settings.disks_at_once)
        self._threads = trio.CapacityLimiter(settings.workers * settings.disks_at_once + _SPARE_THREADS)

    async def open_source(self, index: int, disk: DiskOrder) -> tuple[Disk, plan.Plan]:
        """The source and its plan, which is reported."""
        try:
            source = await self._open(partial(self._disks.source, disk.source))
            planning = partial(_plan, source, self._settings.smallest_gap)
            work_plan = await trio.to_thread.run_sync(planning, limiter=self._threads)
        except DiskError as error:
            return await self._fail(index, error)
        self._outbox.send_nowait(state.DiskPlanned(index, work_plan.total_bytes, work_plan.whole))
        return source, work_plan

    async def open_target(self, index: int, disk: DiskOrder, size: int) -> Disk:
        """The target, ready to be written."""
        try:
            return await self._open(partial(self._disks.target, disk.target, size))
        except DiskError as error:
            return await self._fail(index, error)

    async def copy(self, index: int, source: Disk, target: Disk, work_plan: plan.Plan, tally: DiskTally) -> None:
        """The whole copy of a disk, when its turn comes."""
        async with self._turns:
            try:
                await copier.run(
                    index,
                    source,
                    target,
                    work_plan,
                    tally,
                    self._outbox,
                    settings=self._settings,
                    pace=self._pace,
                    limiter=self._threads,
                )
            except DiskError as error:
                await self._fail(index, error)

    async def _open(self, opening: "partial[Disk]") -> Disk:
        disk = await trio.to_thread.run_sync(opening, limiter=self._threads)
        self._opened.push_async_callback(self._close, disk)
        return disk

    async def _close(self, disk: Disk) -> None:
        with trio.CancelScope(shield=True), trio.move_on_after(_CLOSING):
            try:
                await trio.to_thread.run_sync(disk.close, limiter=self._threads, abandon_on_cancel=True)
            except DiskError as error:  # what was flushed is safe, and without a flush the job has failed already
                log.warning("disk not closed", error=str(error))

    async def _fail(self, index: int, error: DiskError) -> NoReturn:
        self._outbox.send_nowait(state.DiskFailed(index, bounded(str(error))))
        self._ending.begin()
        await trio.sleep_forever()


def _plan(source: Disk, gap: int) -> plan.Plan:
    """In a thread. A cancelled job stops it at the next extent: a large disk may have millions."""

    def reported() -> Iterator[Extent]:
        for extent in source.extents(0, source.size):
            trio.from_thread.check_cancelled()
            yield extent

    return plan.full(reported(), source.size, gap)
