"""Scoreboard: rows that outlive the processes that write them."""

import os
import subprocess
import sys

from sendensed.core.tally import COUNTERS, MOST, ROW, STANDING
from sendensed.scoreboard import Scoreboard, shared
from tests.waits import PATIENCE


def test_a_place_writes_its_own_row_alone():
    board = Scoreboard(3)
    board.place(2).count(range(COUNTERS))
    board.place(2).stand(range(STANDING))
    empty = [0] * ROW
    assert board.rows() == [empty, [*range(COUNTERS), *range(STANDING)], empty]


def test_who_comes_in_a_dead_ones_place_goes_on_from_its_counters_and_stands_for_itself():
    board = Scoreboard(2)
    first = board.place(1)
    for counted in (3, 5):
        first.count([counted] * COUNTERS)
        first.stand([9] * STANDING)
    board.leave(1)
    assert board.rows()[0] == [5] * COUNTERS + [0] * STANDING
    second = board.place(1)
    second.count([1] * COUNTERS)
    second.stand([2] * STANDING)
    assert board.rows()[0] == [6] * COUNTERS + [2] * STANDING


def test_what_is_too_large_for_a_number_stays_at_the_most():
    board = Scoreboard(1)
    board.place(1).count([2**70] * COUNTERS)
    board.place(1).stand([2**70] * STANDING)
    assert board.rows() == [[MOST] * ROW]
    board.place(1).count([1] * COUNTERS)
    assert board.rows()[0][0] == MOST


WORKER = """
import sys
from sendensed.core.tally import COUNTERS, STANDING
from sendensed.scoreboard import Scoreboard
place = Scoreboard(2, int(sys.argv[1])).place(2)
place.count([4] * COUNTERS)
place.stand([1] * STANDING)
"""


def test_a_process_that_inherits_the_memory_shares_the_rows():
    memory = shared(2)
    board = Scoreboard(2, memory)
    for count in (4, 8):
        subprocess.run(
            [sys.executable, "-c", WORKER, str(memory)], pass_fds=[memory], check=True, timeout=PATIENCE
        )
        assert board.rows() == [[0] * ROW, [count] * COUNTERS + [1] * STANDING]
    os.close(memory)
