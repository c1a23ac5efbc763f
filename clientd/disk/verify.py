"""Verify: reads the target again, and compares it with what was read from the source, or with the source itself.

Blocks that were copied are known by their digest, those of an earlier attempt are read from the source again. What
the plan says reads as zeros must do so at the target.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress

import msgspec

from clientd.core import zeros
from clientd.core.plan import Chunk
from clientd.disk.digest import Digests, digest
from clientd.disk.protocol import Disk, Lane, Pending
from clientd.disk.work import Work
from clientd.errors import Difference, DiskError


def run(work: Work, source: Disk, target: Disk, digests: Digests, largest: int) -> None:
    """One worker's life, in a thread of its own: takes chunks until there are none, or one differs.

    That is an error of the work, with the first offset that differs in any chunk. `largest` bounds the length of
    data chunks.
    """
    try:
        with closing(source.lane()) as reading, closing(target.lane()) as writing:
            _Comparison(source, target, reading, writing, digests, largest).run(work)
    except Difference as difference:
        work.differ(difference)
    except DiskError as error:
        work.fail(error, target_lost=error.passing)


class _Piece(msgspec.Struct, frozen=True, gc=False):
    """Bytes of the target, looked at in one request. `last` says that they are the last of their chunk."""

    offset: int
    length: int
    chunk: Chunk
    last: bool


class _Comparison:
    """As many pieces are being read, in order, as the target's lane finds worth."""

    def __init__(
        self, source: Disk, target: Disk, reading: Lane, writing: Lane, digests: Digests, largest: int
    ) -> None:
        self._source, self._target = source, target
        self._reading, self._writing = reading, writing
        self._digests = digests
        self._largest = largest

    def run(self, work: Work) -> None:
        under_way: deque[tuple[_Piece, memoryview, Pending]] = deque()
        size = 0
        free: list[memoryview] = []
        pieces = self._pieces(work)
        try:
            while True:
                while self._writing.room(len(under_way), size) and (piece := next(pieces, None)) is not None:
                    view = free.pop() if free else memoryview(bytearray(self._largest))
                    pending = self._writing.read(piece.offset, view[: piece.length])
                    under_way.append((piece, view, pending))
                    size += piece.length
                if not under_way:
                    return
                piece, view, pending = under_way.popleft()
                size -= piece.length
                pending.wait()
                self._look(piece, view[: piece.length])
                free.append(view)
                if piece.last:
                    work.complete(piece.chunk)
        finally:
            for _, _, pending in under_way:
                with suppress(DiskError):
                    pending.wait()

    def _pieces(self, work: Work) -> Iterator[_Piece]:
        """What the target itself tells to be zeros is: whoever reads it gets them."""
        while (chunk := work.take()) is not None:
            if not chunk.zero:
                yield _Piece(chunk.offset, chunk.length, chunk, last=True)
                continue
            told = self._target.extents(chunk.offset, chunk.length)
            places = [
                (start, min(self._largest, extent.end - start))
                for extent in told
                if not extent.zero
                for start in range(extent.offset, extent.end, self._largest)
            ]
            if not places:
                work.complete(chunk)
            for at, (offset, length) in enumerate(places, 1):
                yield _Piece(offset, length, chunk, last=at == len(places))

    def _look(self, piece: _Piece, there: memoryview) -> None:
        if piece.chunk.zero:
            if not zeros.is_zero(there):
                self._differ(piece.offset, bytes(there), bytes(len(there)))
            return
        known = self._digests.of(piece.chunk.number)
        if known is None or known != digest(there):
            self._find(piece, there, known)

    def _find(self, piece: _Piece, there: memoryview, known: bytes | None) -> None:
        """The exact place, by the source itself. Returns where there is none."""
        wanted = bytearray(len(there))
        self._reading.read(piece.offset, memoryview(wanted)).wait()
        if known is not None and digest(memoryview(wanted)) != known:
            raise Difference(self._source.path, piece.offset, "the source has changed since it was copied")
        if there != wanted:
            self._differ(piece.offset, bytes(there), bytes(wanted))

    def _differ(self, offset: int, there: bytes, wanted: bytes) -> None:
        at = next(at for at, (one, other) in enumerate(zip(there, wanted, strict=True)) if one != other)
        cause = f"it holds 0x{there[at]:02x}, the source has 0x{wanted[at]:02x}"
        raise Difference(self._target.path, offset + at, cause)
