"""Copier: copies one disk with a few worker threads, flushes it, and says how that went."""

from functools import partial

import trio

from clientd.config import CopySettings
from clientd.core import job, plan
from clientd.core.plan import Plan
from clientd.disk.pace import Pace
from clientd.disk.protocol import Disk
from clientd.disk.tally import DiskTally
from clientd.disk.work import Work
from clientd.errors import DiskError


async def run(
    index: int,
    source: Disk,
    target: Disk,
    work_plan: Plan,
    tally: DiskTally,
    outbox: trio.MemorySendChannel[job.Event],
    *,
    settings: CopySettings,
    pace: Pace,
    limiter: trio.CapacityLimiter,
) -> None:
    """Returns when the disk is copied and flushed. Raises DiskError where it cannot be.

    `outbox` has room for all of a job's events: nothing here ever waits for its reader. Cancellation lets each
    worker finish its chunk, and abandons a flush; the disks are the caller's to close.
    """
    chunk = plan.paced_chunk(settings.chunk, pace.rate)
    chunks = plan.chunks(work_plan, fresh=target.fresh, chunk=chunk, zero_chunk=settings.zero_chunk)
    work = Work(source, target, chunks, pace, settings, chunk)
    outbox.send_nowait(job.DiskStarted(index))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_when_cancelled, work)
        async with trio.open_nursery() as workers:
            for _ in range(settings.workers):
                loop = partial(work.run, tally.worker())
                workers.start_soon(partial(trio.to_thread.run_sync, loop, limiter=limiter))
        nursery.cancel_scope.cancel()
    if work.error is not None:
        raise work.error
    _check_complete(target, work_plan, tally)
    await trio.to_thread.run_sync(_check_size, source, limiter=limiter, abandon_on_cancel=True)
    outbox.send_nowait(job.DiskWritten(index))
    await trio.to_thread.run_sync(target.flush, limiter=limiter, abandon_on_cancel=True)
    tally.flushed()
    outbox.send_nowait(job.DiskCopied(index))


async def _stop_when_cancelled(work: Work) -> None:
    try:
        await trio.sleep_forever()
    finally:
        work.stop()


def _check_size(source: Disk) -> None:
    """A source that grew, or was cut where nothing was read, is not what the target has become."""
    there = source.measure()
    if there != source.size:
        cause = f"it has {there} bytes now, though it had {source.size} when the copy began"
        raise DiskError(source.path, "reading", source.size, cause)


def _check_complete(target: Disk, work_plan: Plan, tally: DiskTally) -> None:
    """The last line of defence against a green job with a gap in it."""
    copied = tally.read().copied
    if copied != work_plan.total_bytes:
        cause = f"{copied} of {work_plan.total_bytes} bytes were copied"
        raise DiskError(target.path, "writing", None, cause)
