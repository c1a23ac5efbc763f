"""Judge: a hub's mind behind a fake hub: the real merge, in memory, with the history that a viewer would see."""

from datetime import UTC, datetime

from schemas.telemetry import Acknowledgement, Telemetry
from sendensed.core import job
from sendensed.core.model import Event, Job

FINAL = ("completed", "failed", "cancelled")


class Judge:
    """`rule` is a rule for tests.fakes.hub.HttpHub; `jobs` are what the hub has committed."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.events: list[Event] = []

    def rule(self, update: Telemetry) -> Acknowledgement:
        merged = job.merge(self.jobs.get(update.job_id), update, datetime.now(UTC))
        self.jobs[update.job_id] = merged.job
        self.events += merged.events
        return Acknowledgement(applied=merged.applied, reason=merged.reason, command=merged.command)

    def ends(self, job_id: str) -> list[tuple[int, str]]:
        """(attempt, status) of each end that became visible."""
        return [
            (event.attempt, event.status)
            for event in self.events
            if event.job_id == job_id and event.kind == "state" and event.status in FINAL
        ]
