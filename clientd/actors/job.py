"""Job: opens and plans all disks of one job, copies a few at a time, and says how it ended.

A failed disk ends the job: the others are stopped at their next chunk. All sources are opened and planned
before any target is touched.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NoReturn

import msgspec
import trio

from clientd.actors import copier
from clientd.config import CopySettings
from clientd.core import job as state
from clientd.core import plan
from clientd.disk.pace import Pace
from clientd.disk.protocol import Disk, Disks
from clientd.disk.tally import DiskTally
from clientd.errors import DiskError, bounded

_CLOSING = 5.0
"""Seconds that closing a disk may take before it is left to the kernel."""
_SPARE_THREADS = 2
"""Beside the workers: for opening, flushing and closing."""


class Pair(msgspec.Struct, frozen=True):
    """One disk of an order: names of source and target."""

    source: str
    target: str


class Stop(msgspec.Struct, frozen=True):
    """The job is to end now, `cancelled`, for this reason."""

    reason: str


async def run(
    pairs: Sequence[Pair],
    disks: Disks,
    tallies: Sequence[DiskTally],
    stops: trio.MemoryReceiveChannel[Stop],
    outbox: trio.MemorySendChannel[state.Event],
    *,
    settings: CopySettings,
) -> None:
    """Returns when the job has ended and `JobEnded` is sent; closes the outbox.

    `outbox` must have room for all of a job's events. Disk errors become events; anything else is a bug and
    leaves. A hard cancel closes the disks and sends no end.
    """
    stopped: list[str] = []
    with outbox:
        async with AsyncExitStack() as opened, trio.open_nursery() as nursery:
            nursery.start_soon(_obey, stops, stopped, nursery.cancel_scope)
            copying = _Copying(disks, outbox, opened, nursery.cancel_scope, settings)
            sources = [await copying.open_source(index, pair) for index, pair in enumerate(pairs)]
            targets = [
                await copying.open_target(index, pair, source.size)
                for index, (pair, (source, _)) in enumerate(zip(pairs, sources, strict=True))
            ]
            async with trio.open_nursery() as copiers:
                for index, (source, work_plan) in enumerate(sources):
                    copiers.start_soon(copying.copy, index, source, targets[index], work_plan, tallies[index])
            nursery.cancel_scope.cancel()
        outbox.send_nowait(state.JobEnded(stopped[0] if stopped else None))


async def _obey(stops: trio.MemoryReceiveChannel[Stop], stopped: list[str], scope: trio.CancelScope) -> None:
    async for stop in stops:
        stopped.append(stop.reason)
        scope.cancel()


class _Copying:
    """What the disks of one job share. A disk's error is reported and ends `scope`."""

    def __init__(
        self,
        disks: Disks,
        outbox: trio.MemorySendChannel[state.Event],
        opened: AsyncExitStack,
        scope: trio.CancelScope,
        settings: CopySettings,
    ) -> None:
        self._disks = disks
        self._outbox = outbox
        self._opened = opened
        self._scope = scope
        self._settings = settings
        self._pace = Pace(settings.rate)
        self._turns = trio.CapacityLimiter(settings.disks_at_once)
        self._threads = trio.CapacityLimiter(settings.workers * settings.disks_at_once + _SPARE_THREADS)

    async def open_source(self, index: int, pair: Pair) -> tuple[Disk, plan.Plan]:
        """The source and its plan, which is reported."""
        try:
            source = await self._open(partial(self._disks.source, pair.source))
            work_plan = await trio.to_thread.run_sync(_plan, source, limiter=self._threads)
        except DiskError as error:
            return await self._fail(index, error)
        self._outbox.send_nowait(state.DiskPlanned(index, work_plan.total_bytes))
        return source, work_plan

    async def open_target(self, index: int, pair: Pair, size: int) -> Disk:
        """The target, ready to be written."""
        try:
            return await self._open(partial(self._disks.target, pair.target, size))
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
            await trio.to_thread.run_sync(disk.close, limiter=self._threads, abandon_on_cancel=True)

    async def _fail(self, index: int, error: DiskError) -> NoReturn:
        self._outbox.send_nowait(state.DiskFailed(index, bounded(str(error))))
        self._scope.cancel()
        await trio.sleep_forever()


def _plan(source: Disk) -> plan.Plan:
    return plan.full(source.extents(0, source.size), source.size)
