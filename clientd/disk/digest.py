"""Digest: what a block's content is remembered by, to be compared after it was written.

XXH3, 128 bits, of the xxHash family: it finds what disks, memory and networks do to data, not what an adversary
does, and it is faster than memory. xxhash lets other threads run meanwhile.
"""

import xxhash


def digest(view: memoryview) -> bytes:
    """16 bytes."""
    return xxhash.xxh3_128_digest(view)
