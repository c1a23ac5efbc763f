"""Prediction: what was said of a run at 25, 50 and 75 %, held against what came; and how good that was in all."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from schemas import job as wire
from schemas.job import State
from sendensed.core.model import Job, Prediction

AT = (25, 50, 75)
"""Percent of a run at which its estimate is kept."""
SHARE = 0.8
"""Four of five estimates were within the figure that is told."""
LEAST_RUNS = 5
"""Completed runs of a machine that tell more of the next one than those of all machines do."""


class Run(msgspec.Struct, frozen=True, gc=False):
    """What is told of a machine by one of its runs."""

    status: State
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    bytes_transferred: int
    predictions: tuple[Prediction, ...] = ()


def recorded(before: Job, after: Job, now: datetime) -> Job:
    """The job, with its estimate kept where it has just come to one of the marks.

    Of several passed at once only the last: the others had no estimate of their own.
    """
    left, low, high = after.eta_seconds, after.eta_low_seconds, after.eta_high_seconds
    if not left or low is None or high is None or after.progress_percent is None:
        return after
    was = before.progress_percent or 0.0
    passed = [percent for percent in AT if was < percent <= after.progress_percent]
    if not passed:
        return after
    return replace(after, predictions=(*after.predictions, Prediction(passed[-1], now, left, low, high)))


def views(job: Job) -> tuple[wire.Prediction, ...]:
    """The job's predictions as they go out."""
    return tuple(
        wire.Prediction(
            percent=one.percent,
            predicted_seconds=one.left,
            low_seconds=one.low,
            high_seconds=one.high,
            actual_seconds=_actual(one, job.completed_at) if job.status == "completed" else None,
        )
        for one in job.predictions
    )


def accuracy(machine: Iterable[Run], all_runs: Iterable[Run]) -> wire.Accuracy | None:
    """How good the estimates of a machine's runs were, or where it has too few, of all runs."""
    own = [run for run in machine if _tells(run)]
    others = [run for run in all_runs if _tells(run)]
    if len(own) >= LEAST_RUNS:
        return wire.Accuracy("machine", len(own), _within(own))
    return wire.Accuracy("all", len(others), _within(others)) if others else None


def past_error(runs: Iterable[Run]) -> float | None:
    """By which share of the truth four of five estimates of a machine's runs were off; None for too few runs."""
    telling = [run for run in runs if _tells(run)]
    return _within(telling) / 100 if len(telling) >= LEAST_RUNS else None


def within_percent(runs: Iterable[Run]) -> float | None:
    """By how many percent of the truth four of five estimates were off at the most; None where there were none."""
    telling = [run for run in runs if _tells(run)]
    return _within(telling) if telling else None


def _tells(run: Run) -> bool:
    return run.status == "completed" and run.completed_at is not None and bool(run.predictions)


def _within(runs: Iterable[Run]) -> float:
    off = sorted(
        abs(one.left - actual) / actual
        for run in runs
        for one in run.predictions
        if (actual := _actual(one, run.completed_at)) is not None
    )
    return round(100 * off[min(int(SHARE * len(off)), len(off) - 1)], 1)


def _actual(prediction: Prediction, completed_at: datetime | None) -> int | None:
    """Seconds that were really left, one at the least; None while the end is not known."""
    return None if completed_at is None else max(round((completed_at - prediction.at).total_seconds()), 1)
