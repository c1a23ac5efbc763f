"""Work: what one worker thread does, chunk by chunk, until there is none left or it is told to stop.

        take a chunk -> wait for the pace -> read -> find zeros -> write or zero -> count

A chunk is counted only after its write has returned.
"""

import threading
from collections.abc import Iterator
from contextlib import closing

from clientd.config import CopySettings
from clientd.core import zeros
from clientd.core.plan import Chunk
from clientd.disk.pace import Pace
from clientd.disk.protocol import Disk, Lane
from clientd.disk.tally import WorkerTally
from clientd.errors import DiskError


class Work:
    """One disk's copy, shared by its workers.

    `error` is the first failure; it stops the other workers at their next chunk. `stop` does the same from
    outside.
    """

    def __init__(
        self, source: Disk, target: Disk, chunks: Iterator[Chunk], pace: Pace, settings: CopySettings, largest: int
    ) -> None:
        self.error: DiskError | None = None
        self._source = source
        self._target = target
        self._chunks = chunks
        self._pace = pace
        self._largest = largest
        self._least = settings.smallest_hole if target.fresh else settings.smallest_zeroing
        self._writeback = settings.writeback
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """No worker takes another chunk; one that waits for the pace wakes at once. From any thread."""
        self._stop.set()

    def run(self, tally: WorkerTally) -> None:
        """One worker's life, in a thread of its own. Returns at the last chunk, at a stop, at a disk's error."""
        buffer = bytearray(self._largest)
        trail = _Trail(self._target, self._writeback)
        try:
            with (
                closing(self._source.lane()) as source,
                closing(self._target.lane()) as target,
                memoryview(buffer) as view,
            ):
                while (chunk := self._take()) is not None:
                    if chunk.zero:
                        target.zero(chunk.offset, chunk.length).wait()
                    elif self._pace.take(chunk.length, self._stop):
                        self._copy(chunk, source, target, buffer, view, tally, trail)
        except DiskError as error:
            with self._lock:
                self.error = self.error or error
            self.stop()

    def _take(self) -> Chunk | None:
        if self._stop.is_set():
            return None
        with self._lock:
            return next(self._chunks, None)

    def _copy(
        self,
        chunk: Chunk,
        source: Lane,
        target: Lane,
        buffer: bytearray,
        view: memoryview,
        tally: WorkerTally,
        trail: "_Trail",
    ) -> None:
        length = chunk.length
        source.read(chunk.offset, view[:length]).wait()
        tally.examined += length
        for run in zeros.runs(buffer, length, self._least):
            if not run.zero:
                target.write(chunk.offset + run.start, view[run.start : run.stop]).wait()
                trail.wrote(chunk.offset + run.start, run.stop - run.start)
            elif not self._target.fresh:
                target.zero(chunk.offset + run.start, run.stop - run.start).wait()
        tally.copied += length


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
