"""Moment: an age holds over the process's end, over sleep, and as well as it can over a restart of the machine."""

from hypothesis import given
from hypothesis import strategies as st

from clientd.core import moment
from clientd.core.moment import Moment

seconds = st.floats(0, 1e9)


def test_within_a_boot_the_clock_s_steps_do_not_matter():
    assert moment.age(Moment("boot-1", 10.0, 5000.0), Moment("boot-1", 70.0, 100.0)) == 60


def test_over_a_restart_the_clock_is_what_there_is():
    assert moment.age(Moment("boot-1", 90000.0, 5000.0), Moment("boot-2", 3.0, 5100.0)) == 100


@given(*[seconds] * 4, st.booleans())
def test_no_age_is_ever_negative(uptime, wall, later, later_wall, same):
    made = Moment("boot-1", uptime, wall)
    assert moment.age(made, Moment("boot-1" if same else "boot-2", later, later_wall)) >= 0
