"""Extents: whatever a disk reports, every byte is accounted for once, and doubt means data."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from clientd.core import extents
from clientd.core.extents import Extent
from tests.fakes import disks as pictures

SIZE = 40
reports = st.lists(st.builds(Extent, st.integers(0, SIZE), st.integers(0, 20), st.booleans()), max_size=12)


def bytes_of(found: list[Extent]) -> set[int]:
    return {at for extent in found for at in range(extent.offset, extent.end)}


def disjoint(found: list[Extent]) -> bool:
    return all(one.end <= other.offset for one, other in itertools.pairwise(found))


def test_a_picture_becomes_runs_of_a_kind():
    assert extents.merge(pictures.extents("A0C--F", 10)) == [
        Extent(0, 30),
        Extent(30, 20, zero=True),
        Extent(50, 10),
    ]


@given(reports)
def test_merged_extents_cover_the_same_ground_and_data_wins(report):
    merged = extents.merge(report)
    data = bytes_of([each for each in report if not each.zero])
    assert disjoint(merged)
    assert all(each.length > 0 for each in merged)
    assert bytes_of(merged) == bytes_of(report)
    assert bytes_of([each for each in merged if not each.zero]) == data
    assert extents.merge(reversed(merged)) == merged


@given(reports, st.integers(0, SIZE), st.integers(0, SIZE))
def test_clipping_leaves_what_lies_in_the_range(report, offset, length):
    clipped = extents.clip(report, offset, length)
    assert bytes_of(clipped) == bytes_of(report) & set(range(offset, offset + length))


@given(reports, reports)
def test_subtracting_leaves_what_no_other_covers(one, other):
    left = extents.subtract(extents.merge(one), extents.merge(other))
    assert disjoint(left)
    assert bytes_of(left) == bytes_of(one) - bytes_of(other)


@given(reports, st.integers(0, 10))
def test_joining_keeps_the_ground_and_turns_only_short_zeros_into_data(report, gap):
    merged = extents.merge(report)
    joined = list(extents.join(merged, gap))
    assert bytes_of(joined) == bytes_of(merged)
    long = [each for each in merged if each.zero and each.length >= gap]
    assert [each for each in joined if each.zero] == long
    assert len(joined) <= len(merged)


@given(reports, st.integers(0, SIZE))
def test_a_cover_tiles_the_disk_and_silence_is_data(report, size):
    cover = extents.cover(report, size)
    assert extents.total(cover) == size
    assert bytes_of(cover) == set(range(size))
    assert disjoint(cover)
    zeros = {at for each in report if each.zero for at in range(each.offset, each.end)}
    data = {at for each in report if not each.zero for at in range(each.offset, each.end)}
    assert bytes_of([each for each in cover if each.zero]) == (zeros - data) & set(range(size))
