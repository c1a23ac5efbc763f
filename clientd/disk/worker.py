"""Worker: what one thread does, chunk by chunk, until there is none left or it is told to stop.

        take a chunk -> read -> find zeros -> write or zero -> count
                        ~~~~                  ~~~~~~~~~~~~~
                        several of each are under way at once, as the lanes find it worth

A chunk is counted only after all its writes have completed. One that fails for a passing reason is read and
written again, on a new connection where the old one is lost, after pauses.
"""

import math
import sys
from collections import deque
from contextlib import closing, suppress

from clientd.config import CopySettings
from clientd.core import zeros
from clientd.disk.direct import DONE
from clientd.disk.pace import monotonic
from clientd.disk.protocol import Disk, Lane
from clientd.disk.slot import NONE, Buffer, Slot
from clientd.disk.tally import WorkerTally
from clientd.disk.work import Work
from clientd.errors import DiskError

_HOLE = 1024 * 1024
"""Bytes of data that a hole under way counts as: it carries none, but may be as much work as writing its zeros."""


class TargetLost(Exception):
    """The connection to the target is lost, and with it perhaps what was written and not flushed."""

    def __init__(self, error: DiskError) -> None:
        super().__init__(str(error))
        self.error = error


def run(work: Work, source: Disk, target: Disk, tally: WorkerTally, settings: CopySettings) -> None:
    """One worker's life, in a thread of its own. Returns at the last chunk, at a stop, at a disk's error."""
    try:
        with closing(source.lane()) as reading, closing(target.lane()) as writing:
            _Worker(work, source, target, reading, writing, tally, settings).run()
    except TargetLost as lost:
        work.fail(lost.error, target_lost=True)
    except DiskError as error:
        work.fail(error)


class _Worker:
    """`_filling` are being read (`_to_read` bytes), `_emptying` written (`_to_write`), `_zeroing` made to read as
    zeros, each in order of offset; `_again` wait for another try.

    `_free` have no chunk. `_buffers` are those that nothing is in, the one used last on top: what is read next
    comes to where the caches still are. `_at` is what was worked at last: what an error is about. `_since` is when
    the time began that is to be counted next: waiting for the pace is not.
    """

    def __init__(
        self,
        work: Work,
        source: Disk,
        target: Disk,
        reading: Lane,
        writing: Lane,
        tally: WorkerTally,
        settings: CopySettings,
    ) -> None:
        self._work = work
        self._source, self._target = source, target
        self._reading, self._writing = reading, writing
        self._tally = tally
        self._pauses = settings.pauses
        self._paced = work.paced
        self._room = _one_at_a_time if work.paced else reading.room
        self._fresh = target.fresh
        self._least = _least(target, settings)
        self._trail = _Trail(target, settings.writeback)
        self._free: list[Slot] = []
        self._buffers: list[Buffer] = []
        self._filling: deque[Slot] = deque()
        self._emptying: deque[Slot] = deque()
        self._zeroing: deque[Slot] = deque()
        self._again: deque[Slot] = deque()
        self._to_read = self._to_write = 0
        self._at = Slot()
        self._since = 0.0

    def run(self) -> None:
        """Until nothing is left to do. Raises DiskError and TargetLost; then nothing is under way any more."""
        try:
            while True:
                try:
                    self._flow()
                    return
                except DiskError as error:
                    self._recover(error)
        finally:
            self._settle()

    def _flow(self) -> None:
        """The time goes to the source until a chunk has come, and to the target from then on."""
        filling, emptying, zeroing, tally = self._filling, self._emptying, self._zeroing, self._tally
        self._since = monotonic()
        while True:
            while self._room(len(filling), self._to_read) and (slot := self._next()) is not None:
                if slot.chunk.zero:
                    self._zero(slot)
                else:
                    self._fill(slot)
            if filling:
                slot = filling[0]
                self._filled(slot)
                read = monotonic()
                tally.reading += read - self._since
                self._since = read
                filling.popleft()
                self._to_read -= slot.chunk.length
                self._write(slot)
                while not self._writing.room(len(emptying), self._to_write):
                    self._emptied(emptying)
            elif emptying or zeroing:
                self._emptied(emptying or zeroing)
            else:
                return
            written = monotonic()
            tally.writing += written - self._since
            self._since = written

    def _next(self) -> Slot | None:
        if self._again:
            return self._again.popleft()
        chunk = self._work.take()
        if chunk is None:
            return None
        if self._paced:
            self._since = monotonic()
        slot = self._free.pop() if self._free else Slot()
        slot.begin(chunk)
        return slot

    def _fill(self, slot: Slot) -> None:
        self._at = slot
        self._filling.append(slot)
        chunk = slot.chunk
        self._to_read += chunk.length
        slot.buffer = buffer = self._buffers.pop() if self._buffers else Buffer()
        slot.reading = self._reading.read(chunk.offset, buffer.fit(chunk.length))

    def _zero(self, slot: Slot) -> None:
        """Begins to zero it, beside what is read and written, but not far ahead of that."""
        self._at = slot
        self._zeroing.append(slot)
        slot.writing.append(self._writing.zero(slot.chunk.offset, slot.chunk.length))
        if not self._writing.room(len(self._zeroing), len(self._zeroing) * _HOLE):
            self._emptied(self._zeroing)

    def _filled(self, slot: Slot) -> None:
        """Waits for what is read."""
        self._at = slot
        pending, slot.reading = slot.reading, DONE
        pending.wait()
        if not slot.examined:
            slot.examined = True
            self._tally.examined += slot.chunk.counted

    def _write(self, slot: Slot) -> None:
        """Begins to write it; its buffer is free then."""
        self._emptying.append(slot)
        chunk, data, lane = slot.chunk, slot.buffer.data, self._writing
        self._to_write += chunk.length
        if self._work.digests is not None:
            self._work.digests.keep(chunk.number, data)
        for run in zeros.runs(slot.buffer.room, data, self._least):
            if not run.zero:
                slot.writing.append(lane.write(chunk.offset + run.start, data[run.start : run.stop]))
            elif not self._fresh:
                slot.writing.append(lane.zero(chunk.offset + run.start, run.stop - run.start))
        self._buffers.append(slot.buffer)
        slot.buffer = NONE

    def _emptied(self, queue: deque[Slot]) -> None:
        """Waits for the first one's writes, and counts it."""
        self._at = slot = queue[0]
        while slot.writing:
            slot.writing.pop().wait()
        queue.popleft()
        chunk = slot.chunk
        if chunk.zero:
            self._tally.examined += chunk.counted
        else:
            self._to_write -= chunk.length
            self._trail.wrote(chunk.offset, chunk.length)
        self._free.append(slot)
        self._work.complete(chunk)
        self._tally.copied += chunk.counted

    def _recover(self, error: DiskError) -> None:
        """Returns when what was under way can be begun again. Raises the error where that is of no use."""
        failed = self._at
        slots = self._settle()
        while True:
            failed.tries += 1
            if not error.passing or failed.tries > len(self._pauses):
                raise error
            try:
                self._writing.restore()
            except DiskError as lost:
                raise TargetLost(lost) from None
            if self._work.stopped.wait(self._pauses[failed.tries - 1]):
                return
            try:
                self._reading.restore()
            except DiskError as refused:
                error = refused
            else:
                self._again.extendleft(reversed(slots))
                return

    def _settle(self) -> list[Slot]:
        """Waits for all that is under way, whatever comes of it; returns what was, in order of offset."""
        queues = (self._zeroing, self._emptying, self._filling)
        slots = sorted((slot for queue in queues for slot in queue), key=lambda slot: slot.chunk.offset)
        for queue in queues:
            queue.clear()
        self._to_read = self._to_write = 0
        for slot in slots:
            for pending in (slot.reading, *slot.writing):
                with suppress(DiskError):
                    pending.wait()
            if slot.buffer is not NONE:
                self._buffers.append(slot.buffer)
                slot.buffer = NONE
            slot.reading = DONE
            slot.writing = []
        return slots


def _one_at_a_time(requests: int, size: int) -> bool:
    """Room under a rate limit: what is read ahead would have passed it too early."""
    return not requests


def _least(target: Disk, settings: CopySettings) -> int:
    """Shortest run of zeros in data that is made to read as zeros: a whole chunk where a page is too short."""
    if target.block > zeros.PAGE:
        return sys.maxsize
    return settings.smallest_hole if target.fresh else settings.smallest_zeroing


class _Trail:
    """What one worker has written and not yet settled: once it is `most` bytes, it may go to stable storage.

    Chunks are taken in order, so the range also holds what other workers wrote meanwhile: settling it twice costs
    little.
    """

    def __init__(self, target: Disk, most: int) -> None:
        self._target = target
        self._most = most or math.inf
        self._begin = 0
        self._written = 0

    def wrote(self, offset: int, length: int) -> None:
        if not self._written:
            self._begin = offset
        self._written = written = self._written + length
        if written >= self._most:
            self._target.settle(self._begin, offset + length - self._begin)
            self._written = 0
