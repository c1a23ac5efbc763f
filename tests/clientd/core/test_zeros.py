"""Zeros: found exactly, wherever a single byte hides."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientd.core import zeros
from clientd.core.zeros import PAGE, Run
from tests.fakes import disks as pictures

pieces = st.lists(st.tuples(st.sampled_from(["data", "zeros", "late"]), st.integers(1, 40)), max_size=6)


def drawn(parts: list[tuple[str, int]], tail: bytes) -> bytes:
    page = {"data": b"x" * PAGE, "zeros": bytes(PAGE), "late": bytes(PAGE - 1) + b"x"}
    return b"".join(page[kind] * count for kind, count in parts) + tail


@pytest.mark.parametrize("at", [0, 1, PAGE - 1, PAGE, 3 * PAGE + 17, 2**20 - 1])
def test_one_byte_anywhere_makes_a_buffer_data(at):
    buffer = bytearray(2**20)
    assert zeros.is_zero(memoryview(buffer))
    buffer[at] = 1
    assert not zeros.is_zero(memoryview(buffer))
    assert not zeros.runs(buffer, memoryview(buffer), len(buffer))[0].zero


def test_a_picture_is_split_where_it_is_zero():
    buffer = bytearray(pictures.content("A00C"))
    assert zeros.runs(buffer, memoryview(buffer), PAGE) == [
        Run(0, PAGE, zero=False),
        Run(PAGE, 3 * PAGE, zero=True),
        Run(3 * PAGE, 4 * PAGE, zero=False),
    ]


def test_runs_of_zeros_that_are_too_short_stay_in_the_data():
    buffer = bytearray(pictures.content("A0C00"))
    assert zeros.runs(buffer, memoryview(buffer), 2 * PAGE) == [
        Run(0, 3 * PAGE, zero=False),
        Run(3 * PAGE, 5 * PAGE, zero=True),
    ]


@given(pieces, st.binary(max_size=3), st.integers(1, 64), st.integers(0, 3))
def test_runs_tile_the_buffer_and_only_zeros_are_called_so(parts, tail, least_pages, beyond):
    content = drawn(parts, tail)
    size = len(content)
    if not size:
        return
    buffer = bytearray(content + b"y" * beyond)
    least = least_pages * PAGE
    found = zeros.runs(buffer, memoryview(buffer)[:size], least)
    assert found[0].start == 0
    assert found[-1].stop == size
    assert all(one.stop == other.start for one, other in itertools.pairwise(found))
    for run in found:
        assert run.start < run.stop
        if run.zero:
            assert not any(content[run.start : run.stop])
            assert run.stop - run.start >= least or run == Run(0, size, zero=True)
        else:
            assert longest_zero_pages(content[run.start : run.stop]) < least


def longest_zero_pages(content: bytes) -> int:
    longest = current = 0
    for at in range(0, len(content), PAGE):
        page = content[at : at + PAGE]
        current = current + len(page) if not any(page) else 0
        longest = max(longest, current)
    return longest


def test_an_odd_end_that_is_zero_belongs_to_the_run_before_it():
    buffer = bytearray(b"x" * PAGE + bytes(PAGE + 100))
    assert zeros.runs(buffer, memoryview(buffer), PAGE) == [
        Run(0, PAGE, zero=False),
        Run(PAGE, len(buffer), zero=True),
    ]
    buffer[-1] = 1
    assert zeros.runs(buffer, memoryview(buffer), PAGE)[-1] == Run(2 * PAGE, len(buffer), zero=False)
