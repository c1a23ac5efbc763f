"""Work: which of several failures is told, and what is still done after one."""

import pytest

from clientd.core.plan import Chunk
from clientd.disk.pace import Pace
from clientd.disk.work import Work
from clientd.errors import Difference, DiskError

CHUNKS = [Chunk(at, 10, counted=10, number=at // 10) for at in (0, 10, 20, 30)]
FAILURE = DiskError("target", "reading", 5, "EIO", passing=True)


def differences(*offsets: int) -> list[Difference]:
    return [Difference("target", offset, "it is other") for offset in offsets]


def test_the_lowest_difference_is_told_whatever_came_first():
    low, high = differences(3, 27)
    for order in ((low, high), (high, low)):
        work = Work(iter(CHUNKS), Pace(0))
        for each in order:
            work.differ(each)
        assert work.error is low


@pytest.mark.parametrize("first", ["failure", "difference"])
def test_a_difference_is_told_instead_of_a_lost_connection(first):
    work = Work(iter(CHUNKS), Pace(0))
    (difference,) = differences(27)
    if first == "failure":
        work.fail(FAILURE, target_lost=True)
        work.differ(difference)
    else:
        work.differ(difference)
        work.fail(FAILURE, target_lost=True)
    assert (work.error, work.target_lost) == (difference, False)


def test_after_a_difference_no_chunk_is_taken_but_one_that_waits_for_its_pace_is_finished():
    class Differing(Pace):
        """While the chunk waits, another worker finds a difference behind it."""

        def take(self, amount, stop):
            work.differ(*differences(27))
            return not stop.is_set()

    work = Work(iter(CHUNKS), Differing(10))
    assert work.take() == CHUNKS[0]
    assert work.take() is None
