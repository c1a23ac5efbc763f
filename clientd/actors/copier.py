"""Copier: copies one disk with a few worker threads, flushes it, verifies it where asked, and says how that went.

workers ──────────────▶ flush ──▶ verify ──▶ copied
   │  every so often: flush, checkpoint
   └─ the target's connection is lost: pause, connect again, go on from the last checkpoint
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import structlog
import trio

from clientd.advice import LIVE
from clientd.config import CopySettings
from clientd.core import job, plan
from clientd.core.checkpoint import Checkpoint
from clientd.core.plan import Plan
from clientd.disk import resume, verify, worker
from clientd.disk.digest import Digests
from clientd.disk.pace import Pace
from clientd.disk.protocol import Disk
from clientd.disk.tally import DiskTally
from clientd.disk.work import Work
from clientd.errors import Difference, DiskError, SpoolUnavailable

T = TypeVar("T")

log = structlog.get_logger()

_LAST_CHECKPOINT = 4.0
"""Seconds that a stopped copy may take for its last checkpoint: within the patience that a stopped job has."""
_REVOKING = 8.0
"""Seconds that revoking a checkpoint may take: SQLite alone may wait for 4."""
_ANEW = "the next attempt copies this disk from the start"

Save = Callable[[Checkpoint], None]
"""Keeps a checkpoint. Blocks; raises nothing."""
Revoke = Callable[[Checkpoint], None]
"""Has this one in the place of all before, for sure. Blocks; raises SpoolUnavailable."""


class _Lost(Exception):
    """The target's connection is lost, and with it perhaps what was not flushed."""

    def __init__(self, error: DiskError) -> None:
        super().__init__(str(error))
        self.error = error


class Copier:
    """One disk's. `settings`, `pace` and `limiter` (of threads) are shared by a job's disks.

    Goes on behind the mark of `checkpoint`, whose witnesses hold, and hands later ones to `save`, where a later
    attempt has a use for them. `revoke` is given the one of a copy that a verification found to differ.
    """

    def __init__(
        self,
        source: Disk,
        target: Disk,
        work_plan: Plan,
        tally: DiskTally,
        *,
        checkpoint: Checkpoint,
        save: Save | None,
        revoke: Revoke,
        verified: bool,
        settings: CopySettings,
        pace: Pace,
        limiter: trio.CapacityLimiter,
    ) -> None:
        self._source, self._target = source, target
        self._plan = work_plan
        self._tally = tally
        self._checkpoint = checkpoint
        self._save = save
        self._revoke = revoke
        self._settings = settings
        self._pace = pace
        self._limiter = limiter
        chunk, self._workers = _suited(source, target, settings)
        self._chunk = plan.paced_chunk(chunk, pace.rate)
        count = plan.count(work_plan, chunk=self._chunk, zero_chunk=settings.zero_chunk)
        self._digests = Digests(count) if verified else None

    async def run(self, index: int, outbox: trio.MemorySendChannel[job.Event]) -> None:
        """Returns when the disk is copied, flushed, and verified if so wanted. Raises DiskError.

        `outbox` has room for all of a job's events: nothing here ever waits for its reader. Cancellation lets
        each worker finish its chunks, and makes a last checkpoint, whose flush it abandons after a while; the
        disks are the caller's to close.
        """
        outbox.send_nowait(job.DiskStarted(index))
        written = False
        failures, mark = 0, -1
        while True:
            try:
                await self._transfer()
                if not written:
                    written = True
                    outbox.send_nowait(job.DiskWritten(index))
                await self._mark_all()
                if self._digests is not None:
                    await self._verify(self._digests)
            except _Lost as lost:
                failures = 1 if self._checkpoint.mark > mark else failures + 1
                mark = self._checkpoint.mark
                await self._bring_back(lost.error, failures)
            else:
                outbox.send_nowait(job.DiskCopied(index))
                return

    async def _transfer(self) -> None:
        """Copies all behind the checkpoint."""
        settings, done = self._settings, self._checkpoint.mark
        chunks = plan.chunks(
            self._plan, fresh=self._target.fresh, chunk=self._chunk, zero_chunk=settings.zero_chunk, done=done
        )
        work = Work(chunks, self._pace, digests=self._digests)
        self._tally.begin(self._source, self._target, plan.total_until(self._plan, done))
        complete = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_marking, work)
                await self._work(
                    work,
                    lambda: partial(worker.run, work, self._source, self._target, self._tally.worker(), settings),
                )
                nursery.cancel_scope.cancel()
            complete = True
        finally:
            if not complete and work.error is None:
                with trio.CancelScope(shield=True), trio.move_on_after(_LAST_CHECKPOINT):
                    await self._mark_of(work)
        _raise_error(work)
        _check_complete(self._target, self._plan, self._tally)
        await self._in_thread(partial(_check_size, self._source))

    async def _work(self, work: Work, make_run: Callable[[], Callable[[], None]]) -> None:
        """Runs it in so many threads, until all of them have ended.

        The tally sees each pass over the disk: reading a large target again is to be seen to move, too.
        """
        self._tally.watch(work)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_when_cancelled, work)
            async with trio.open_nursery() as workers:
                for _ in range(self._workers):
                    workers.start_soon(partial(trio.to_thread.run_sync, make_run(), limiter=self._limiter))
            nursery.cancel_scope.cancel()

    async def _verify(self, digests: Digests) -> None:
        chunks = plan.chunks(self._plan, fresh=False, chunk=self._chunk, zero_chunk=self._settings.zero_chunk)
        work = Work(chunks, self._pace)
        await self._in_thread(self._target.forget)
        run = partial(verify.run, work, self._source, self._target, digests, self._chunk)
        try:
            await self._work(work, lambda: run)
        finally:
            if isinstance(work.error, Difference):
                work.error = work.error.then(await self._disown())
        _raise_error(work)

    async def _keep_marking(self, work: Work) -> None:
        """A checkpoint every so often. One that fails ends the work."""
        pause = self._settings.checkpoint
        while True:
            await trio.sleep(pause)
            began = trio.current_time()
            await self._mark_of(work)
            took = trio.current_time() - began
            pause = max(self._settings.checkpoint, took / self._settings.checkpoint_share)

    async def _mark_of(self, work: Work) -> None:
        try:
            mark = work.mark
            if mark > self._checkpoint.mark:
                await self._mark(mark)
        except _Lost as lost:
            work.fail(lost.error, target_lost=True)
        except DiskError as error:
            work.fail(error)

    async def _mark_all(self) -> None:
        """All is copied: no later attempt has to copy any of it, also where this one is stopped in the flush."""
        try:
            await self._mark(self._plan.size)
        except trio.Cancelled:
            with trio.CancelScope(shield=True), trio.move_on_after(_LAST_CHECKPOINT), suppress(_Lost, DiskError):
                await self._mark(self._plan.size)
            raise

    async def _mark(self, mark: int) -> None:
        """All before the mark is made durable, and remembered as such."""
        try:
            made = await self._in_thread(
                partial(resume.make, self._checkpoint.source, self._target, self._plan, mark)
            )
        except DiskError as error:
            if error.passing:
                raise _Lost(error) from None
            raise
        self._checkpoint = made
        self._tally.flushed(plan.total_until(self._plan, mark))
        if self._save is not None:
            await self._in_thread(partial(self._save, made))

    async def _disown(self) -> str:
        """A difference was found, and others may be anywhere: no later attempt goes on from what was marked.

        Returns what comes of it: where the checkpoint could not be dropped, what is to be done.
        """
        self._checkpoint = resume.start(self._checkpoint.source, self._target, self._plan.size)
        trouble = f"no answer within {_REVOKING:g} s"
        with trio.CancelScope(shield=True), trio.move_on_after(_REVOKING):
            try:
                await self._in_thread(partial(self._revoke, self._checkpoint))
            except SpoolUnavailable as error:
                trouble = str(error)
            else:
                log.warning("the copy differs from the source, its checkpoint is dropped", disk=self._target.path)
                return _ANEW
        log.error("the checkpoint of a copy that differs cannot be dropped", disk=self._target.path, error=trouble)
        return f"its checkpoint cannot be dropped ({trouble}): remove checkpoints.db before the next attempt"

    async def _bring_back(self, error: DiskError, failures: int) -> None:
        """Connects to the target again, and finds out how much of the copy it still has."""
        pauses = self._settings.pauses
        while failures <= len(pauses):
            log.warning(
                "target lost, connecting again", disk=self._target.path, error=str(error), failures=failures
            )
            await trio.sleep(pauses[failures - 1])
            try:
                await self._in_thread(self._target.renew)
                kept = await self._in_thread(partial(resume.holds, self._checkpoint, self._target))
            except DiskError as again:
                error, failures = again, failures + 1
                continue
            if not kept:
                log.warning("the target has lost what was flushed, its copy begins anew", disk=self._target.path)
                self._checkpoint = resume.start(self._checkpoint.source, self._target, self._plan.size)
            return
        raise error

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)


def _suited(source: Disk, target: Disk, settings: CopySettings) -> tuple[int, int]:
    """Bytes of a chunk, and threads.

    From server to server chunks are requests: of two that are near neither gets larger ones than suit it, and a
    far one gets those that it needs.
    """
    wishes = (source.request, target.request)
    if not all(wishes):
        return settings.chunk, settings.workers
    chunk = max(wishes) if source.far or target.far else min(wishes)
    return chunk, settings.remote_workers


def _raise_error(work: Work) -> None:
    if work.error is not None:
        raise _Lost(work.error) if work.target_lost else work.error


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
        raise DiskError(source.path, "reading", source.size, cause, advice=LIVE)


def _check_complete(target: Disk, work_plan: Plan, tally: DiskTally) -> None:
    """The last line of defence against a green job with a gap in it."""
    copied = tally.read().copied
    if copied != work_plan.total_bytes:
        cause = f"{copied} of {work_plan.total_bytes} bytes were copied"
        raise DiskError(target.path, "writing", None, cause)
