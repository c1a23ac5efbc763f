"""Plan: chunks tile what must be done, in order, and the total is what will be read."""

from hypothesis import given
from hypothesis import strategies as st

from clientd.core import plan
from clientd.core.extents import Extent
from clientd.core.plan import Chunk
from tests.fakes import disks as pictures

letters = st.text(alphabet="A0-", max_size=12)


def cut(full: plan.Plan, *, fresh: bool, chunk: int = 30, zero_chunk: int = 50) -> list[Chunk]:
    return list(plan.chunks(full, fresh=fresh, chunk=chunk, zero_chunk=zero_chunk))


def test_chunks_end_at_multiples_of_their_size():
    full = plan.full([Extent(0, 10), Extent(10, 15, zero=True), Extent(25, 50)], 75)
    assert cut(full, fresh=True) == [Chunk(0, 10), Chunk(25, 5), Chunk(30, 30), Chunk(60, 15)]
    assert full.total_bytes == 60


def test_a_target_with_old_content_gets_its_holes_zeroed():
    full = plan.full(pictures.extents("A--B", 100), 400)
    zeros = [each for each in cut(full, fresh=False) if each.zero]
    assert zeros == [Chunk(100, 50, True), Chunk(150, 50, True), Chunk(200, 50, True), Chunk(250, 50, True)]
    assert full.total_bytes == 200


def test_the_shortest_holes_are_read_as_data_and_counted():
    picture = "-A-B--C" + "-D" * 50
    full = plan.full(pictures.extents(picture, 100), 100 * len(picture), gap=200)
    assert full.extents == (Extent(0, 400), Extent(400, 200, zero=True), Extent(600, 10100))
    assert full.total_bytes == 10500
    assert not full.whole
    assert plan.full([], 500).whole


@given(letters, st.integers(1, 40), st.integers(1, 70), st.booleans())
def test_every_byte_of_data_is_copied_once_and_every_hole_is_seen_to(picture, chunk, zero_chunk, fresh):
    full = plan.full(pictures.extents(picture, 16), 16 * len(picture))
    work = cut(full, fresh=fresh, chunk=chunk, zero_chunk=zero_chunk)
    wanted = [each for each in picture for _ in range(16)]
    done: list[str] = ["-" if fresh else "?"] * len(wanted)
    for piece in work:
        assert 0 < piece.length <= (zero_chunk if piece.zero else chunk)
        for at in range(piece.offset, piece.offset + piece.length):
            assert done[at] == ("-" if fresh else "?")
            done[at] = "-" if piece.zero else wanted[at]
    assert done == wanted
    assert work == sorted(work, key=lambda piece: piece.offset)
    assert full.total_bytes == sum(piece.length for piece in work if not piece.zero)


@given(st.integers(0, 2**33))
def test_a_rate_makes_chunks_smaller_but_never_tiny(rate):
    chunk = plan.paced_chunk(2**20, rate)
    assert plan.SMALLEST_CHUNK <= chunk <= 2**20
    assert chunk % plan.SMALLEST_CHUNK == 0
    if rate == 0 or rate >= 2**22:
        assert chunk == 2**20
    elif rate >= 4 * plan.SMALLEST_CHUNK:
        assert chunk * 4 <= rate
