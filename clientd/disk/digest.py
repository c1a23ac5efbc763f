"""Digest: what a block's content is remembered by, to be compared after it was written.

XXH3, 128 bits, of the xxHash family: it finds what disks, memory and networks do to data, not what an adversary
does, and it is faster than memory. xxhash lets other threads run meanwhile.
"""

import xxhash

SIZE = 16
"""Bytes of a digest."""
_NONE = bytes(SIZE)


def digest(view: memoryview) -> bytes:
    """16 bytes."""
    return xxhash.xxh3_128_digest(view)


class Digests:
    """Those of a disk's chunks, by their numbers, for any thread: 16 bytes for each one of its plan, at once.

    One of all zeros, which is none in 2^128, counts as unknown.
    """

    def __init__(self, count: int) -> None:
        self._kept = bytearray(count * SIZE)

    def keep(self, number: int, view: memoryview) -> None:
        """The digest of what the chunk of this number holds."""
        self._kept[number * SIZE : number * SIZE + SIZE] = digest(view)

    def of(self, number: int) -> bytes | None:
        """That of the chunk of this number; None where none was kept."""
        found = bytes(self._kept[number * SIZE : number * SIZE + SIZE])
        return None if found == _NONE else found
