"""Prediction: estimates kept at 25, 50 and 75 %, and held against what came."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from schemas.job import Accuracy
from sendensed.core import prediction
from sendensed.core.model import Prediction
from sendensed.core.prediction import Run
from tests.fakes.jobs import EARLY, a_job


def at(seconds: float):
    return EARLY + timedelta(seconds=seconds)


def job_at(percent: float | None, **fields):
    estimate = {"eta_seconds": 100, "eta_low_seconds": 90, "eta_high_seconds": 120}
    return a_job(status="running", progress_percent=percent, **{**estimate, **fields})


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (None, 24.9, []),
        (None, 25.0, [25]),
        (24.0, 26.0, [25]),
        (26.0, 49.9, []),
        (10.0, 80.0, [75]),
        (74.9, 75.0, [75]),
        (75.0, 76.0, []),
        (80.0, None, []),
    ],
)
def test_an_estimate_is_kept_where_a_mark_is_passed(before, after, kept):
    found = prediction.recorded(job_at(before), job_at(after), at(0))
    assert [one.percent for one in found.predictions] == kept


@pytest.mark.parametrize(
    "missing", [{"eta_seconds": None}, {"eta_seconds": 0}, {"eta_low_seconds": None}, {"eta_high_seconds": None}]
)
def test_without_an_estimate_nothing_is_kept(missing):
    assert prediction.recorded(job_at(24.0), job_at(26.0, **missing), at(0)).predictions == ()


def test_what_was_kept_stays():
    first = prediction.recorded(job_at(24.0), job_at(26.0), at(5))
    second = prediction.recorded(first, replace(first, progress_percent=50.0, eta_seconds=70), at(9))
    assert second.predictions == (Prediction(25, at(5), 100, 90, 120), Prediction(50, at(9), 70, 90, 120))


def test_the_truth_is_told_of_completed_runs_only():
    job = job_at(60.0, predictions=(Prediction(25, at(0), 100, 90, 120),))
    assert [one.actual_seconds for one in prediction.views(job)] == [None]
    done = replace(job, status="completed", completed_at=at(110))
    [shown] = prediction.views(done)
    assert (shown.percent, shown.predicted_seconds, shown.actual_seconds) == (25, 100, 110)
    assert [one.actual_seconds for one in prediction.views(replace(done, status="failed"))] == [None]


def a_run(left: int, actual: int, **fields) -> Run:
    plain = {"status": "completed", "created_at": at(0), "started_at": at(0), "completed_at": at(actual)}
    return Run(
        **{**plain, "bytes_transferred": 1, "predictions": (Prediction(50, at(0), left, 1, 999),), **fields}
    )


def test_within_is_what_four_of_five_estimates_kept():
    runs = [a_run(100 + off, 100) for off in (0, 1, 2, 3, 4, 5, 6, 7, 8, 90)]
    assert prediction.within_percent(runs) == 8.0
    assert prediction.within_percent([]) is None
    assert prediction.within_percent([a_run(1, 1, status="failed"), a_run(1, 1, predictions=())]) is None
    assert prediction.within_percent([a_run(1, 1, completed_at=None)]) is None
    assert prediction.within_percent([a_run(3, 0)]) == 200.0


def test_a_machine_with_too_few_runs_is_told_how_all_were():
    own, others = [a_run(110, 100)] * 5, [a_run(150, 100)] * 9
    assert prediction.accuracy(own, others) == Accuracy("machine", 5, 10.0)
    assert prediction.accuracy(own[1:], others) == Accuracy("all", 9, 50.0)
    assert prediction.accuracy(own[1:], []) is None


def test_a_machines_past_is_told_by_five_completed_runs_at_the_least():
    assert prediction.past_error([a_run(110, 100)] * 5) == 0.1
    assert prediction.past_error([a_run(110, 100)] * 4 + [a_run(110, 100, status="failed")]) is None
