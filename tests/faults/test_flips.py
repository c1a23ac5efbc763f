"""Bytes that change at the target; the full count is `python -m tests.faults.flips --times 1000`."""

import random

from tests.clientd.copies import Copy
from tests.faults import flips
from tests.faults.flips import SETTINGS, draw


def test_every_byte_that_changes_at_the_target_is_found_and_its_offset_named():
    assert flips.found(40) == []


def test_without_a_change_the_same_copies_complete(tmp_path):
    for number in range(5):
        draw(tmp_path / "source", random.Random(number))
        copy = Copy(str(tmp_path / "source"), str(tmp_path / "target"), verify=True, copy=SETTINGS).go()
        assert (copy.job.status, copy.job.error) == ("completed", None)
        assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()
