"""Machine and summary: figures that say nothing where there is nothing to say."""

from datetime import timedelta

from schemas.reading import MachineView
from sendensed.core import machine, summary
from sendensed.core.prediction import Run
from sendensed.core.summary import Counts, Standing
from tests.fakes.jobs import EARLY


def at(seconds: float):
    return EARLY + timedelta(seconds=seconds)


def a_run(number: int, status: str, seconds: float | None = None, size: int = 0) -> Run:
    return Run(
        status=status,
        created_at=at(-number),
        started_at=at(0),
        completed_at=None if seconds is None else at(seconds),
        bytes_transferred=size,
    )


def test_a_machine_is_what_its_runs_were():
    runs = [
        a_run(0, "running", None, 7),
        a_run(1, "failed", 5, 10),
        a_run(2, "completed", 20, 100),
        a_run(3, "cancelled", 1),
        a_run(4, "completed", 40, 300),
    ]
    assert machine.view("web", runs) == MachineView(
        name="web",
        runs=5,
        completed=2,
        failed=1,
        cancelled=1,
        active=1,
        success_percent=50.0,
        mean_bytes=200,
        mean_seconds=30,
        last_bytes=100,
        last_run_at=at(0),
        last_success_at=at(40),
        within_percent=None,
    )


def test_a_machine_of_one_unfinished_run_has_no_figures_yet():
    view = machine.view("web", [a_run(0, "pending")])
    assert (view.success_percent, view.mean_bytes, view.mean_seconds, view.last_bytes, view.last_success_at) == (
        None,
        None,
        None,
        None,
        None,
    )


def test_the_end_of_all_is_the_end_of_the_last():
    active = (
        Standing("running", at(0), 100, 200),
        Standing("running", at(50), 80, 90),
        Standing("stalled", at(10), None, None),
        Standing("pending", None, None, None),
    )
    found = summary.view(Counts(active, {"failed": 2, "completed": 5}, at(20)), at(60))
    assert (found.pending, found.running, found.stalled) == (1, 2, 1)
    assert (found.failed_24h, found.completed_24h, found.cancelled_24h) == (2, 5, 0)
    assert (found.finish_low_at, found.finish_high_at, found.without_estimate) == (at(130), at(200), 2)
    assert found.last_telemetry_at == at(50)


def test_a_hub_without_jobs_has_an_empty_summary():
    found = summary.view(Counts((), {}, None), at(0))
    assert (found.finish_low_at, found.finish_high_at, found.last_telemetry_at) == (None, None, None)
    assert summary.view(Counts((), {}, at(3)), at(0)).last_telemetry_at == at(3)
