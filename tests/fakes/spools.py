"""Spools: a clock that a test turns, and what stands in a spool."""

from datetime import UTC, datetime

from clientd.core.moment import Moment
from clientd.core.outbox import Update
from clientd.core.spool import Limits, Lot
from schemas.telemetry import TelemetryBody

LIMITS = Limits(events=1000, bytes=2**20, jobs=100)


class TurnedClock:
    """An Environment whose machine the test turns on, off and forward."""

    def __init__(self) -> None:
        self.boot = "boot-1"
        self.uptime = 100.0
        self.seconds = 1_795_000_000.0
        self._ids = 0

    def pass_(self, seconds: float) -> None:
        self.uptime += seconds
        self.seconds += seconds

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def moment(self) -> Moment:
        return Moment(self.boot, self.uptime, self.seconds)

    def random(self) -> float:
        return 0.5

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    async def failpoint(self, name: str) -> None:
        return None


def update(
    environment, sequence: int, *, job_id: str = "a", attempt: int = 1, status: str = "running", error=None
) -> Update:
    body = TelemetryBody(
        job_id=job_id, job_type="backup", status=status, attempt=attempt, sequence=sequence, error=error
    )
    return Update(body, environment.moment())


def lot(job_id: str = "a", attempt: int = 1, *waiting: Update, **more) -> Lot:
    ended = any(each.final for each in waiting)
    return Lot(job_id, "backup", attempt, waiting, **{"ended": ended, **more})
