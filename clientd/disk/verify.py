"""Verify: reads the target again, and compares it with what was read from the source, or with the source itself.

Blocks that were copied are known by their digest, those of an earlier attempt are read from the source again. What
the plan says reads as zeros must do so at the target.
"""

from contextlib import closing

from clientd.core import zeros
from clientd.core.extents import Extent
from clientd.core.plan import Chunk
from clientd.disk.digest import digest
from clientd.disk.protocol import Disk, Lane
from clientd.disk.work import Work
from clientd.errors import DiskError


def run(work: Work, source: Disk, target: Disk, digests: dict[int, bytes], largest: int) -> None:
    """One worker's life, in a thread of its own: takes chunks until there are none, or one differs.

    That is an error of the work, with the first offset that differs. `largest` bounds the length of data chunks.
    """
    try:
        with closing(source.lane()) as reading, closing(target.lane()) as writing:
            _Comparison(source, target, reading, writing, digests, largest).run(work)
    except DiskError as error:
        work.fail(error, target_lost=error.passing)


class _Comparison:
    def __init__(
        self, source: Disk, target: Disk, reading: Lane, writing: Lane, digests: dict[int, bytes], largest: int
    ) -> None:
        self._source, self._target = source, target
        self._reading, self._writing = reading, writing
        self._digests = digests
        self._view = memoryview(bytearray(largest))
        self._largest = largest

    def run(self, work: Work) -> None:
        while (chunk := work.take()) is not None:
            if not chunk.zero:
                self._compare(chunk)
            else:
                for extent in self._target.extents(chunk.offset, chunk.length):
                    self._expect_zeros(extent)
            work.complete(chunk)

    def _compare(self, chunk: Chunk) -> None:
        there = self._view[: chunk.length]
        self._writing.read(chunk.offset, there).wait()
        known = self._digests.get(chunk.offset)
        if known is None or known != digest(there):
            self._find(chunk, bytes(there), known)

    def _find(self, chunk: Chunk, there: bytes, known: bytes | None) -> None:
        """The exact place, by the source itself. Returns where there is none."""
        self._reading.read(chunk.offset, self._view[: chunk.length]).wait()
        wanted = bytes(self._view[: chunk.length])
        if known is not None and digest(memoryview(wanted)) != known:
            cause = "the source has changed since it was copied"
            raise DiskError(self._source.path, "verifying", chunk.offset, cause)
        if there != wanted:
            self._differ(chunk.offset, there, wanted)

    def _expect_zeros(self, extent: Extent) -> None:
        """What the target itself tells to be zeros is: whoever reads it gets them."""
        if extent.zero:
            return
        for offset in range(extent.offset, extent.end, self._largest):
            there = self._view[: min(self._largest, extent.end - offset)]
            self._writing.read(offset, there).wait()
            if not zeros.is_zero(there):
                self._differ(offset, bytes(there), bytes(len(there)))

    def _differ(self, offset: int, there: bytes, wanted: bytes) -> None:
        at = next(at for at, (one, other) in enumerate(zip(there, wanted, strict=True)) if one != other)
        cause = f"it holds 0x{there[at]:02x}, the source has 0x{wanted[at]:02x}"
        raise DiskError(self._target.path, "verifying", offset + at, cause)
