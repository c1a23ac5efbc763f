"""Words: the cases that all programs and the page agree on (tests/browser/test_format.py has the page's)."""

import json
from pathlib import Path

import pytest

from clientd.cli import screen
from clientd.config import SENDER
from clientd.core import job
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


@pytest.mark.parametrize(("number", "told"), CASES["count"])
def test_one_is_no_plural_and_thousands_are_parted(number, told):
    assert words.count(number, "job") == told


@pytest.mark.parametrize(("sender", "phase", "told"), CASES["phase_step"])
def test_a_phase_is_counted_where_its_senders_phases_are_known(sender, phase, told):
    assert words.phase_step(sender, phase) == told


@pytest.mark.parametrize("verified", [False, True])
def test_a_run_of_ours_goes_through_each_step_that_is_counted(verified):
    run = job.begin(1, verified=verified)
    steps = [words.phase_step(SENDER, run.phase)]
    for event in (
        job.DiskPlanned(0, 1),
        job.DiskStarted(0),
        job.DiskWritten(0),
        job.DiskCopied(0),
        job.JobEnded(),
    ):
        run = job.apply(run, event)
        steps.append(words.phase_step(SENDER, run.phase))
    assert list(dict.fromkeys(steps)) == ["1 of 3", "2 of 3", "3 of 3"]
