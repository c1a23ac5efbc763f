"""Daemon: attempts at jobs that do as they are told, and a queue's store that fails as it is told."""

from collections import defaultdict

import trio

from clientd.core.order import Order
from clientd.core.queue import MemoryStore
from clientd.errors import SpoolUnavailable
from schemas.telemetry import TelemetryBody


class FakeAttempt:
    """Runs until it is told to end, by `end`, by `stop` or by a cancellation. `hangs`: it keeps its disks."""

    def __init__(self, order: Order, number: int) -> None:
        self.order = order
        self.number = number
        self.running = False
        self.hangs = False
        self.told: tuple[str, str] | None = None
        self.cancelled = False
        self.fails: Exception | None = None
        self._end: TelemetryBody | None = None
        self._over = trio.Event()

    def end(self, status: str, error: str = "", done: int = 10, whole: int = 10) -> None:
        self._end = TelemetryBody(status=status, error=error or None, bytes_transferred=done, total_bytes=whole)
        self._over.set()

    def stop(self, reason: str) -> None:
        if self._end is None:
            self.end("cancelled", reason, 5)

    async def run(self, show, ended) -> None:
        self.running = True
        try:
            if self.fails is not None:
                raise self.fails
            show(
                TelemetryBody(status="running", current_phase="transferring", bytes_transferred=5, total_bytes=10)
            )
            await self._over.wait()
            show(self._end)
            ended()
            if self.hangs:
                await trio.sleep_forever()
        except trio.Cancelled:
            self.cancelled = True
            raise
        finally:
            self.running = False

    async def tell(self, status: str, error: str) -> None:
        await trio.lowlevel.checkpoint()
        self.told = (status, error)


class FakeRunner:
    """Begins attempts, counted by job, and remembers them: `runner["backup-x"]` is a job's last."""

    def __init__(self) -> None:
        self.begun: list[FakeAttempt] = []
        self.fails: dict[str, Exception] = {}
        self._numbers: dict[str, int] = defaultdict(int)

    async def begin(self, order: Order) -> FakeAttempt:
        await trio.lowlevel.checkpoint()
        self._numbers[order.job_id] += 1
        attempt = FakeAttempt(order, self._numbers[order.job_id])
        attempt.fails = self.fails.pop(order.job_id, None)
        self.begun.append(attempt)
        return attempt

    def __getitem__(self, job_id: str) -> FakeAttempt:
        return [attempt for attempt in self.begun if attempt.order.job_id == job_id][-1]

    @property
    def running(self) -> list[str]:
        return sorted(attempt.order.job_id for attempt in self.begun if attempt.running)


class FaultyQueueStore(MemoryStore):
    """A store whose next `failures` calls fail; `after` makes them do their work all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.after = False

    def load(self):
        self._fail()
        return super().load()

    def save(self, entry):
        if self.after:
            super().save(entry)
        self._fail()
        super().save(entry)

    def forget(self, number):
        self._fail()
        super().forget(number)

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise SpoolUnavailable("queue.db: ENOSPC (No space left on device)")
