"""Digest: what is kept of a chunk, and how much memory that takes."""

import tracemalloc

from clientd.config import MIB
from clientd.core import plan
from clientd.disk.digest import Digests, digest

TIB = 2**40


def test_a_digest_is_that_of_its_chunk_and_unknown_before():
    digests = Digests(3)
    digests.keep(1, memoryview(b"one"))
    assert (digests.of(0), digests.of(1), digests.of(2)) == (None, digest(memoryview(b"one")), None)
    digests.keep(1, memoryview(b"other"))
    assert digests.of(1) == digest(memoryview(b"other"))
    assert digests.of(0) is None


def test_a_tib_in_chunks_of_a_mib_takes_16_mib_however_much_of_it_is_read():
    content = memoryview(b"content")
    tracemalloc.start()
    try:
        digests = Digests(plan.count(plan.full([], TIB), chunk=MIB, zero_chunk=32 * MIB))
        for number in range(0, TIB // MIB, 64):
            digests.keep(number, content)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert digests.of(64) == digest(content)
    assert kept < 16 * MIB + 4096
    assert most < 16 * MIB + 4096
