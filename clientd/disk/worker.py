"""Worker: what one thread does, chunk by chunk, until there is none left or it is told to stop.

        take a chunk -> read -> find zeros -> write or zero -> count
                        ~~~~                  ~~~~~~~~~~~~~
                        up to `depth` of each are under way at once, as the lanes find it worth

A chunk is counted only after all its writes have completed. One that fails for a passing reason is read and
written again, on a new connection where the old one is lost, after pauses.
"""

from collections import deque
from contextlib import closing, suppress

from clientd.config import CopySettings
from clientd.core import zeros
from clientd.core.plan import Chunk
from clientd.disk.digest import digest
from clientd.disk.pace import monotonic
from clientd.disk.protocol import Disk, Lane, Pending
from clientd.disk.tally import WorkerTally
from clientd.disk.work import Work
from clientd.errors import DiskError


class TargetLost(Exception):
    """The connection to the target is lost, and with it perhaps what was written and not flushed."""

    def __init__(self, error: DiskError) -> None:
        super().__init__(str(error))
        self.error = error


def run(work: Work, source: Disk, target: Disk, tally: WorkerTally, settings: CopySettings, largest: int) -> None:
    """One worker's life, in a thread of its own. Returns at the last chunk, at a stop, at a disk's error.

    `largest` bounds the chunks' lengths.
    """
    try:
        with closing(source.lane()) as reading, closing(target.lane()) as writing:
            _Worker(work, source, target, reading, writing, tally, settings, largest).run()
    except TargetLost as lost:
        work.fail(lost.error, target_lost=True)
    except DiskError as error:
        work.fail(error)


class _Slot:
    """A buffer, and the chunk that is in it: read, then written."""

    __slots__ = ("buffer", "chunk", "examined", "reading", "tries", "view", "writing")

    def __init__(self, largest: int) -> None:
        self.buffer = bytearray(largest)
        self.view = memoryview(self.buffer)
        self.reading: Pending | None = None
        self.writing: list[Pending] = []
        self.begin(Chunk(0, 0))

    def begin(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.tries = 0
        self.examined = False


class _Worker:
    """`_filling` are being read, `_emptying` written, `_zeroing` made to read as zeros, each in order of offset;
    `_again` wait for another try.

    `_at` is what was worked at last: what an error is about.
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
        largest: int,
    ) -> None:
        self._work = work
        self._source, self._target = source, target
        self._reading, self._writing = reading, writing
        self._tally = tally
        self._pauses = settings.pauses
        self._largest = largest
        self._least = settings.smallest_hole if target.fresh else settings.smallest_zeroing
        self._zero_in_part = target.block <= zeros.PAGE
        self._trail = _Trail(target, settings.writeback)
        self._free: list[_Slot] = []
        self._filling: deque[_Slot] = deque()
        self._emptying: deque[_Slot] = deque()
        self._zeroing: deque[_Slot] = deque()
        self._again: deque[_Slot] = deque()
        self._at = _Slot(0)

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
        while True:
            began = 0.0
            while len(filling) < self._depth() and (slot := self._next()) is not None:
                began = began or monotonic()
                if slot.chunk.zero:
                    self._zero(slot)
                else:
                    self._fill(slot)
            began = began or monotonic()
            if filling:
                self._filled(filling[0])
                read = monotonic()
                tally.reading += read - began
                self._write(filling.popleft())
                while len(emptying) >= self._writing.depth:
                    self._emptied(emptying)
                tally.writing += monotonic() - read
            elif emptying or zeroing:
                self._emptied(emptying or zeroing)
                tally.writing += monotonic() - began
            else:
                return

    def _depth(self) -> int:
        return 1 if self._work.paced else self._reading.depth

    def _next(self) -> _Slot | None:
        if self._again:
            return self._again.popleft()
        chunk = self._work.take()
        if chunk is None:
            return None
        slot = self._free.pop() if self._free and not chunk.zero else _Slot(0 if chunk.zero else self._largest)
        slot.begin(chunk)
        return slot

    def _fill(self, slot: _Slot) -> None:
        self._at = slot
        self._filling.append(slot)
        chunk = slot.chunk
        slot.reading = self._reading.read(chunk.offset, slot.view[: chunk.length])

    def _zero(self, slot: _Slot) -> None:
        """Begins to zero it, beside what is read and written, but not far ahead of that."""
        self._at = slot
        self._zeroing.append(slot)
        slot.writing.append(self._writing.zero(slot.chunk.offset, slot.chunk.length))
        if len(self._zeroing) > self._writing.depth:
            self._emptied(self._zeroing)

    def _filled(self, slot: _Slot) -> None:
        """Waits for what is read."""
        self._at = slot
        pending, slot.reading = slot.reading, None
        if pending is not None:
            pending.wait()
            if not slot.examined:
                slot.examined = True
                self._tally.examined += slot.chunk.counted

    def _write(self, slot: _Slot) -> None:
        """Begins to write it."""
        self._emptying.append(slot)
        chunk, view, lane = slot.chunk, slot.view, self._writing
        if self._work.digests is not None:
            self._work.digests[chunk.offset] = digest(view[: chunk.length])
        for run in self._runs(slot):
            offset, length = chunk.offset + run.start, run.stop - run.start
            if not run.zero:
                slot.writing.append(lane.write(offset, view[run.start : run.stop]))
            elif not self._target.fresh:
                slot.writing.append(lane.zero(offset, length))

    def _runs(self, slot: _Slot) -> list[zeros.Run]:
        length = slot.chunk.length
        if self._zero_in_part:
            return zeros.runs(slot.buffer, length, self._least)
        return [zeros.Run(0, length, zero=zeros.is_zero(slot.view[:length]))]

    def _emptied(self, queue: deque[_Slot]) -> None:
        """Waits for the first one's writes, and counts it."""
        self._at = slot = queue[0]
        while slot.writing:
            slot.writing.pop().wait()
        queue.popleft()
        chunk = slot.chunk
        if chunk.zero:
            self._tally.examined += chunk.counted
        else:
            self._trail.wrote(chunk.offset, chunk.length)
        self._work.complete(chunk)
        self._tally.copied += chunk.counted
        if slot.buffer:
            self._free.append(slot)

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

    def _settle(self) -> list[_Slot]:
        """Waits for all that is under way, whatever comes of it; returns what was, in order of offset."""
        queues = (self._zeroing, self._emptying, self._filling)
        slots = sorted((slot for queue in queues for slot in queue), key=lambda slot: slot.chunk.offset)
        for queue in queues:
            queue.clear()
        for slot in slots:
            pendings = [slot.reading, *slot.writing] if slot.reading is not None else slot.writing
            for pending in pendings:
                with suppress(DiskError):
                    pending.wait()
            slot.reading = None
            slot.writing = []
        return slots


class _Trail:
    """What one worker has written and not yet settled: once it is `most` bytes, it may go to stable storage.

    Chunks are taken in order, so the range also holds what other workers wrote meanwhile: settling it twice costs
    little.
    """

    def __init__(self, target: Disk, most: int) -> None:
        self._target = target
        self._most = most
        self._begin = 0
        self._written = 0

    def wrote(self, offset: int, length: int) -> None:
        if not self._written:
            self._begin = offset
        self._written += length
        if self._most and self._written >= self._most:
            self._target.settle(self._begin, offset + length - self._begin)
            self._written = 0
