"""Plan: chunks tile what must be done, in order, and the total is what will be read."""

from hypothesis import given
from hypothesis import strategies as st

from clientd.core import extents, plan
from clientd.core.extents import Extent
from clientd.core.plan import Chunk
from tests.fakes import disks as pictures

letters = st.text(alphabet="A0-", max_size=12)


def cut(full: plan.Plan, *, fresh: bool, chunk: int = 30, zero_chunk: int = 50) -> list[Chunk]:
    return list(plan.chunks(full, fresh=fresh, chunk=chunk, zero_chunk=zero_chunk))


def test_chunks_end_at_multiples_of_their_size():
    full = plan.full([Extent(0, 10), Extent(10, 15, zero=True), Extent(25, 50)], 75)
    assert cut(full, fresh=True) == [
        Chunk(0, 10, counted=10, number=0),
        Chunk(25, 5, counted=5, number=2),
        Chunk(30, 30, counted=30, number=3),
        Chunk(60, 15, counted=15, number=4),
    ]
    assert full.total_bytes == 60


def test_a_target_with_old_content_gets_its_holes_zeroed():
    full = plan.full(pictures.extents("A--B", 100), 400)
    zeros = [each for each in cut(full, fresh=False) if each.zero]
    assert [(each.offset, each.length) for each in zeros] == [(100, 50), (150, 50), (200, 50), (250, 50)]
    assert full.total_bytes == 200


@given(letters, letters)
def test_a_verification_reads_all_of_a_full_copy_and_at_most_the_spans_of_an_incremental_one(picture, other):
    size = 100 * len(picture)
    full = plan.full(pictures.extents(picture, 100), size)
    assert full.to_verify == size == sum(each.length for each in cut(full, fresh=False))
    changed = plan.changes([each for each in pictures.extents(other, 100) if not each.zero], size)
    some = plan.incremental(changed, pictures.extents(picture, 100), size, join=5000)
    assert some.to_verify >= sum(each.length for each in cut(some, fresh=False))
    assert some.to_verify <= size


def test_the_shortest_holes_are_read_as_data_and_counted():
    picture = "-A-B--C" + "-D" * 50
    full = plan.full(pictures.extents(picture, 100), 100 * len(picture), gap=200)
    assert full.extents == (Extent(0, 400), Extent(400, 200, zero=True), Extent(600, 10100))
    assert full.total_bytes == 10500
    assert full.kind == "allocated"
    assert plan.full([], 500).kind == "virtual"


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
    assert full.total_bytes == sum(piece.counted for piece in work)
    assert full.total_bytes == sum(piece.length for piece in work if not piece.zero)


@given(letters, letters, st.integers(1, 40), st.integers(0, 200), st.booleans())
def test_a_chunk_has_the_same_number_whatever_is_left_out(picture, other, chunk, done, fresh):
    size = 16 * len(picture)
    changed = plan.changes([each for each in pictures.extents(other, 16) if not each.zero], size)
    for made in (
        plan.full(pictures.extents(picture, 16), size),
        plan.incremental(changed, pictures.extents(picture, 16), size, join=0),
    ):
        sizes = {"chunk": chunk, "zero_chunk": 50}
        every = {each.offset: each.number for each in plan.chunks(made, fresh=False, **sizes)}
        assert sorted(every.values()) == list(every.values())
        assert len(set(every.values())) == len(every)
        assert all(number < plan.count(made, **sizes) for number in every.values())
        if made.changed is None:
            assert plan.count(made, **sizes) == len(every)
        left = plan.chunks(made, fresh=fresh, done=done, **sizes)
        assert all(every[each.offset] == each.number for each in left)


@given(st.integers(0, 2**33))
def test_a_rate_makes_chunks_smaller_but_never_tiny(rate):
    chunk = plan.paced_chunk(2**20, rate)
    assert plan.SMALLEST_CHUNK <= chunk <= 2**20
    assert chunk % plan.SMALLEST_CHUNK == 0
    if rate == 0 or rate >= 2**22:
        assert chunk == 2**20
    elif rate >= 4 * plan.SMALLEST_CHUNK:
        assert chunk * 4 <= rate


PAGE = plan.PAGE

pages = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=12)


def test_changes_are_sorted_merged_and_cut_to_the_disk():
    report = [Extent(90, 30), Extent(0, 10), Extent(5, 10), Extent(40, 0), Extent(200, 5)]
    assert plan.changes(report, 100) == [Extent(0, 15), Extent(90, 10)]


def test_gaps_up_to_the_limit_are_copied_and_not_counted():
    changed = [Extent(0, PAGE), Extent(3 * PAGE, PAGE), Extent(9 * PAGE, PAGE)]
    made = plan.incremental(changed, [], 20 * PAGE, join=2 * PAGE)
    assert made.extents == (Extent(0, 4 * PAGE), Extent(9 * PAGE, PAGE))
    assert made.total_bytes == 3 * PAGE
    assert made.kind == "changed"
    assert [(each.offset // PAGE, each.counted) for each in cut(made, fresh=True, chunk=PAGE)] == [
        (0, PAGE),
        (3, PAGE),
        (9, PAGE),
    ]


def test_changes_within_pages_are_copied_in_whole_pages_and_counted_exactly():
    made = plan.incremental([Extent(10, 5), Extent(PAGE + 1, 1)], [], PAGE + 100, join=0)
    assert made.extents == (Extent(0, PAGE + 100),)
    assert made.total_bytes == 6


def test_what_has_changed_to_zeros_is_zeroed_and_counted_on_every_target():
    changed = [Extent(0, 4 * PAGE)]
    made = plan.incremental(changed, [Extent(PAGE, 2 * PAGE, zero=True)], 8 * PAGE, join=0)
    assert cut(made, fresh=True, chunk=9 * PAGE, zero_chunk=9 * PAGE) == [
        Chunk(0, PAGE, counted=PAGE, number=0),
        Chunk(PAGE, 2 * PAGE, zero=True, counted=2 * PAGE, number=1),
        Chunk(3 * PAGE, PAGE, counted=PAGE, number=2),
    ]


def test_nothing_changed_is_a_plan_without_work():
    made = plan.incremental([], [], 8 * PAGE, join=PAGE)
    assert (cut(made, fresh=False), made.total_bytes, made.kind) == ([], 0, "changed")


@given(pages, pages, st.integers(0, 5), st.integers(1, 6))
def test_every_changed_byte_is_worked_on_once_and_counted_once(changed, holes, join, chunk):
    size = 40 * PAGE
    wanted = plan.changes([Extent(at * PAGE, length * PAGE) for at, length in changed], size)
    zeros = extents.clip([Extent(at * PAGE, length * PAGE, zero=True) for at, length in holes], 0, size)
    made = plan.incremental(wanted, zeros, size, join=join * PAGE)
    work = cut(made, fresh=True, chunk=chunk * PAGE, zero_chunk=chunk * PAGE)
    seen = extents.merge(Extent(each.offset, each.length) for each in work)
    assert extents.total(seen) == sum(each.length for each in work)
    assert extents.subtract(wanted, seen) == []
    assert sum(each.counted for each in work) == made.total_bytes == extents.total(wanted)
    for at in range(0, size, PAGE):
        piece = next((each for each in work if each.offset <= at < each.end), None)
        if piece is not None:
            assert piece.zero == any(each.offset <= at < each.end for each in zeros)


@given(letters, st.integers(1, 40), st.integers(0, 200))
def test_what_is_done_before_a_mark_is_left_out_and_counted(picture, chunk, mark):
    full = plan.full(pictures.extents(picture, 16), 16 * len(picture))
    whole = list(plan.chunks(full, fresh=False, chunk=chunk, zero_chunk=chunk))
    at = min((each.end for each in whole if each.end >= mark), default=full.size)
    rest = list(plan.chunks(full, fresh=False, chunk=chunk, zero_chunk=chunk, done=at))
    assert rest == [each for each in whole if each.end > at]
    assert plan.total_until(full, at) + sum(each.counted for each in rest) == full.total_bytes


@given(letters, letters, st.integers(1, 6), st.integers(1, 6), st.integers(0, 99), st.booleans())
def test_what_was_done_by_chunks_of_one_size_is_gone_on_with_by_those_of_another(
    picture, other, one, another, at, fresh
):
    size = PAGE * len(picture)
    changed = plan.changes([Extent(each.offset + 7, 500) for each in pictures.extents(other, PAGE)], size)
    for made in (
        plan.full(pictures.extents(picture, PAGE), size),
        plan.incremental(changed, pictures.extents(picture, PAGE), size, join=PAGE),
    ):
        before = cut(made, fresh=fresh, chunk=one * 1000, zero_chunk=one * 1500)
        done = before[at % len(before)].end if before else 0
        rest = plan.chunks(made, fresh=False, chunk=another * 1000, zero_chunk=another * 1500, done=done)
        rest = list(rest)
        assert plan.total_until(made, done) + sum(each.counted for each in rest) == made.total_bytes
        wanted = made.changed if made.changed is not None else made.extents
        left = extents.subtract(extents.merge(wanted), [Extent(0, done)] if done else [])
        assert extents.subtract(left, [Extent(each.offset, each.length) for each in rest]) == []
        whole = cut(made, fresh=False, chunk=another * 1000, zero_chunk=another * 1500)
        assert {(each.offset, each.length, each.number) for each in rest} <= {
            (each.offset, each.length, each.number) for each in whole
        }


def test_places_lie_in_data_before_the_mark_and_the_last_one_at_its_end():
    picture = "A--A" * 16
    full = plan.full(pictures.extents(picture, 2**20), len(picture) * 2**20)
    mark = 40 * 2**20
    found = plan.places(full, mark)
    assert len(found) == 8
    assert found == sorted(found)
    assert found[-1].end == mark
    for place in found:
        assert place.length == plan.PIECE
        assert picture[place.offset // 2**20] == "A"
    assert plan.places(full, 0) == []


def test_places_of_little_data_stay_within_it():
    full = plan.full([Extent(0, 100), Extent(100, 50, zero=True), Extent(150, 50)], 200)
    assert all(place.end <= 100 or place.offset >= 150 for place in plan.places(full, 200))
    incremental = plan.incremental([Extent(0, 4)], [], 4, join=0)
    assert plan.places(incremental, 4) == []
    assert plan.total_until(incremental, 2) == 2
