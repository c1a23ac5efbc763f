"""Work: one disk's copy, shared by its worker threads: who takes which chunk, and what is complete.

taken in order    |####|####|#..#|####|....|....|        # complete   . under way or not taken
                            ^ mark                       all before the mark is complete
"""

import threading
from collections.abc import Iterator

from clientd.core.plan import Chunk
from clientd.disk.digest import Digests
from clientd.disk.pace import Pace
from clientd.errors import Difference, DiskError


class Work:
    """`error` is the first failure; it stops the other workers at their next chunk. `stop` does the same from
    outside. A difference goes before any other failure, and that of the lowest offset before all. `target_lost`
    says that the error is a target's connection, which may have taken data along.

    `digests`, where they are wanted, are those of the data chunks that were read. `done` are the bytes of all
    complete chunks.
    """

    def __init__(self, chunks: Iterator[Chunk], pace: Pace, *, digests: Digests | None = None) -> None:
        self.error: DiskError | None = None
        self.target_lost = False
        self.digests = digests
        self.done = 0
        self.stopped = threading.Event()
        self.paced = bool(pace.rate)
        self._chunks = chunks
        self._pace = pace
        self._lock = threading.Lock()
        self._open: set[int] = set()
        self._last = Chunk(0, 0)

    def stop(self) -> None:
        """No worker takes another chunk; one that waits for the pace wakes at once. From any thread."""
        self.stopped.set()

    def fail(self, error: DiskError, *, target_lost: bool = False) -> None:
        """A worker cannot go on."""
        with self._lock:
            if self.error is None:
                self.error, self.target_lost = error, target_lost
        self.stop()

    def differ(self, difference: Difference) -> None:
        """Of a chunk that a worker has compared.

        Those before it are taken already, and their workers finish them, for the lowest one is to be told; no
        other is taken.
        """
        with self._lock:
            known = self.error.offset if isinstance(self.error, Difference) else None
            if known is None or difference.offset < known:
                self.error, self.target_lost = difference, False
            self._chunks = iter(())

    def take(self) -> Chunk | None:
        """The next chunk, when the pace allows it; None where there is none, or no more is to be done."""
        if self.stopped.is_set():
            return None
        with self._lock:
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            self._open.add(chunk.offset)
            self._last = chunk
        if self.paced and not chunk.zero and not self._pace.take(chunk.length, self.stopped):
            return None
        return chunk

    def complete(self, chunk: Chunk) -> None:
        """The target has it."""
        with self._lock:
            self._open.discard(chunk.offset)
            self.done += chunk.length

    @property
    def mark(self) -> int:
        """The offset before which everything of the plan is complete."""
        with self._lock:
            return min(self._open, default=self._last.end)
