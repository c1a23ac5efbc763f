"""Words: the cases that all programs and the page agree on (tests/browser/test_format.py has the page's)."""

import json
from pathlib import Path

import pytest

from clientd.cli import screen
from schemas import words
from sendensed.cli import words as operators

CASES = json.loads((Path(__file__).parents[1] / "words.json").read_text())


@pytest.mark.parametrize(("count", "told"), CASES["size"])
def test_a_size_is_rounded_down_and_never_over_a_unit(count, told):
    assert words.size(count) == operators.size(count) == screen.size(count) == told


@pytest.mark.parametrize(("share", "told"), CASES["percent"])
def test_a_share_is_rounded_down_and_100_is_said_of_the_whole_alone(share, told):
    assert words.percent(share) == operators.percent(share) == told


@pytest.mark.parametrize(("seconds", "told"), CASES["duration"])
def test_a_duration_has_two_units_and_is_rounded_down(seconds, told):
    assert words.duration(seconds) == operators.duration(seconds) == told
