"""Slot: a chunk under way in a worker, and the buffer that it has while it is read."""

from clientd.core.plan import Chunk
from clientd.disk.direct import DONE
from clientd.disk.protocol import Pending


class Buffer:
    """Room for a chunk's bytes, and those that it has room for now, as `data` shows."""

    __slots__ = ("data", "room")

    def __init__(self) -> None:
        self.room = bytearray()
        self.data = memoryview(self.room)

    def fit(self, length: int) -> memoryview:
        """Room for so many bytes, with anything in it."""
        if len(self.data) != length:
            if len(self.room) < length:
                self.room = bytearray(length)
            self.data = memoryview(self.room)[:length]
        return self.data


NONE = Buffer()
"""What a chunk has that has none."""


class Slot:
    """A chunk under way: read into a buffer, then written from it. It has one from the one to the other only."""

    __slots__ = ("buffer", "chunk", "examined", "reading", "tries", "writing")

    def __init__(self) -> None:
        self.buffer = NONE
        self.reading: Pending = DONE
        self.writing: list[Pending] = []
        self.begin(Chunk(0, 0))

    def begin(self, chunk: Chunk) -> None:
        """Another chunk is under way in it."""
        self.chunk = chunk
        self.tries = 0
        self.examined = False
