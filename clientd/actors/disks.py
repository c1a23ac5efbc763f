"""Disks: opens the disks of one job, finds out what is to be done with each, and copies it when its turn comes.

A disk's error is reported and begins the job's end.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import msgspec
import structlog
import trio

from clientd.actors.copier import Copier
from clientd.actors.ending import Ending
from clientd.config import CopySettings
from clientd.core import job as state
from clientd.core.checkpoint import Checkpoint, Checkpoints
from clientd.core.order import DiskOrder, Order
from clientd.core.plan import Plan
from clientd.disk import planning, resume
from clientd.disk.pace import Pace
from clientd.disk.protocol import Disk, Disks
from clientd.disk.tally import DiskTally
from clientd.errors import DiskError, SpoolUnavailable, bounded

T = TypeVar("T")

log = structlog.get_logger()

_CLOSING = 5.0
"""Seconds that closing a disk may take before it is left to the kernel."""
_SPARE_THREADS = 2
"""Beside the workers: for opening, flushing and closing."""


class Source(msgspec.Struct, frozen=True):
    """An open source, and what is to be done."""

    disk: Disk
    plan: Plan


class Target(msgspec.Struct, frozen=True):
    """An open target, and how much of the copy it has already."""

    disk: Disk
    checkpoint: Checkpoint


class JobDisks:
    """Those of one order, and what they share. `close` lets go of all that were opened."""

    def __init__(
        self,
        order: Order,
        disks: Disks,
        outbox: trio.MemorySendChannel[state.Event],
        ending: Ending,
        checkpoints: Checkpoints,
        settings: CopySettings,
    ) -> None:
        self._order = order
        self._disks = disks
        self._outbox = outbox
        self._ending = ending
        self._checkpoints = checkpoints
        self._settings = settings
        self._opened: list[Disk] = []
        self._pace = Pace(order.max_rate)
        self._turns = trio.CapacityLimiter(settings.disks_at_once)
        self._threads = trio.CapacityLimiter(
            max(settings.workers, settings.remote_workers) * settings.disks_at_once + _SPARE_THREADS
        )

    async def open_source(self, index: int) -> Source:
        """The source and its plan, which is reported."""
        asked, disks = self._order.disks[index], self._disks
        async with self._failing(index):
            if asked.source_command:
                opening = partial(disks.command, asked.source_command, asked.source_secret, asked.bitmap)
                source = await self._open(opening)
            else:
                source = await self._open(partial(disks.source, asked.source, asked.bitmap))
        async with self._failing(index, source):
            plan = await self._in_thread(partial(planning.make, source, asked, self._order.mode, self._settings))
        self._outbox.send_nowait(state.DiskPlanned(index, plan.total_bytes, plan.kind, plan.to_verify))
        return Source(source, plan)

    async def open_target(self, index: int, source: Source) -> Target:
        """The target, ready to be written: as an earlier attempt left it, where that can be relied on."""
        asked = self._order.disks[index]
        async with self._failing(index):
            size = source.disk.size
            key = await self._in_thread(partial(resume.key, source.disk, source.plan, asked, self._order.mode))
            if (left := await self._in_thread(partial(self._checkpoints.load, asked.index))) is not None:
                target = await self._as_left(asked, left, resume.refusal(left, key, size))
                if target is not None:
                    return Target(target, left)
            await self._in_thread(partial(self._revoke, asked, known=left is not None))
            keep = self._order.mode == "incremental"
            disk = await self._open(partial(self._disks.target, asked.target, size, keep=keep))
            return Target(disk, resume.start(key, disk, size))

    async def _as_left(self, asked: DiskOrder, left: Checkpoint, refusal: str | None) -> Disk | None:
        if refusal is None:
            try:
                target = await self._open(partial(self._disks.target, asked.target, left.size, keep=True))
                if await self._in_thread(partial(resume.holds, left, target)):
                    log.info("going on where the last attempt was", disk=target.path, offset=left.mark)
                    return target
                self._opened.remove(target)
                await self._close(target)
                refusal = "the target is not as it was left"
            except DiskError as error:
                refusal = str(error)
        log.warning("beginning at the start again", disk=asked.name, reason=refusal)
        return None

    def _revoke(self, asked: DiskOrder, *, known: bool) -> None:
        """Before the target is begun anew: what is left of an earlier copy is true of it no more.

        Where nothing is known to be left, a state directory that cannot be written costs no copy.
        """
        try:
            self._checkpoints.revoke(asked.index)
        except SpoolUnavailable as error:
            if not known:
                return
            cause = (
                f"an old checkpoint cannot be dropped ({error}): remove checkpoints.db from the state directory"
            )
            raise DiskError(asked.target, "opening", None, cause) from None

    async def copy(self, index: int, source: Source, target: Target, tally: DiskTally) -> None:
        """The whole copy of a disk, when its turn comes."""
        number = self._order.disks[index].index
        save = partial(self._checkpoints.save, number)
        async with self._turns, self._failing(index, source.disk):
            await Copier(
                source.disk,
                target.disk,
                source.plan,
                tally,
                checkpoint=target.checkpoint,
                save=save if target.checkpoint.source else None,
                revoke=partial(self._checkpoints.revoke, number),
                verified=self._order.verify,
                settings=self._settings,
                pace=self._pace,
                limiter=self._threads,
            ).run(index, self._outbox)

    async def forget_checkpoints(self) -> None:
        """All disks are complete."""
        await self._in_thread(self._checkpoints.clear)

    async def close(self) -> None:
        """Of every disk, whatever happens, within a bound each."""
        while self._opened:
            await self._close(self._opened.pop())

    async def _open(self, opening: Callable[[], Disk]) -> Disk:
        disk = await self._in_thread(opening)
        self._opened.append(disk)
        return disk

    async def _close(self, disk: Disk) -> None:
        with trio.CancelScope(shield=True), trio.move_on_after(_CLOSING):
            try:
                await trio.to_thread.run_sync(disk.close, limiter=self._threads, abandon_on_cancel=True)
            except DiskError as error:  # what was flushed is safe, and without a flush the job has failed already
                log.warning("disk not closed", error=str(error))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(call, limiter=self._threads)

    @asynccontextmanager
    async def _failing(self, index: int, source: Disk | None = None) -> AsyncIterator[None]:
        """An error in it ends the job, and this with it."""
        try:
            yield
        except DiskError as error:
            said = f"; {source.said}" if source is not None and source.said else ""
            self._outbox.send_nowait(state.DiskFailed(index, bounded(f"{error}{said}")))
            self._ending.begin()
            await trio.sleep_forever()
