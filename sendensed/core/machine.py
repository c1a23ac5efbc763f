"""Machine: what an operator wants to know of one, from its newest runs."""

from collections.abc import Sequence

from schemas.job import ACTIVE
from schemas.reading import MachineView
from sendensed.core import prediction
from sendensed.core.prediction import Run

RUNS = 100
"""Newest runs that the figures rest on: three months of nightly backups."""


def view(name: str, runs: Sequence[Run]) -> MachineView:
    """The machine, of at least one run, newest first."""
    completed = [run for run in runs if run.status == "completed"]
    ended = [run for run in runs if run.status not in ACTIVE]
    seconds = [
        (run.completed_at - run.started_at).total_seconds()
        for run in completed
        if run.completed_at is not None and run.started_at is not None
    ]
    return MachineView(
        name=name,
        runs=len(runs),
        completed=len(completed),
        failed=sum(run.status == "failed" for run in runs),
        cancelled=sum(run.status == "cancelled" for run in runs),
        active=len(runs) - len(ended),
        success_percent=round(100 * len(completed) / len(ended), 1) if ended else None,
        mean_bytes=_mean([run.bytes_transferred for run in completed]),
        mean_seconds=_mean(seconds),
        last_bytes=completed[0].bytes_transferred if completed else None,
        last_run_at=runs[0].created_at,
        last_success_at=max((run.completed_at for run in completed if run.completed_at), default=None),
        within_percent=prediction.within_percent(runs),
    )


def _mean(values: Sequence[float]) -> int | None:
    return round(sum(values) / len(values)) if values else None
