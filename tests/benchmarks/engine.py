"""Engine: one copy by our engine in a process of its own, told as JSON: its seconds and its CPU seconds.

    python -m tests.benchmarks.engine SOURCE TARGET

The job is whole: its telemetry goes to a hub that is away.
"""

import json
import resource
import sys

import structlog
import trio

from clientd import app
from clientd.config import Settings, TelemetrySettings
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.core.order import DiskOrder, Order
from clientd.core.outbox import MemoryOutbox
from clientd.disk.opening import SystemDisks
from clientd.environment import SystemEnvironment
from clientd.errors import HubUnavailable


class NoHub:
    """Is away."""

    async def push(self, job_type, job_id, content):
        raise HubUnavailable("there is none")


async def copy(source: str, target: str) -> app.Outcome:
    settings = Settings(telemetry=TelemetrySettings(final_wait=0))
    order = Order(job_id="b", job_type="backup", disks=(DiskOrder(index=0, source=source, target=target),))
    ended: list[app.Outcome] = []
    await app.run_job(
        order,
        1,
        SystemDisks(settings.nbd),
        NoHub(),
        app.Stops(),
        outbox=MemoryOutbox(),
        checkpoints=MemoryCheckpoints(),
        environment=SystemEnvironment(),
        settings=settings,
        show=lambda body: None,
        ended=ended.append,
    )
    return ended[0]


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    before = resource.getrusage(resource.RUSAGE_SELF)
    outcome = trio.run(copy, *sys.argv[1:3])
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert outcome.final.job.status == "completed", outcome.final.job.error
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": outcome.final.seconds, "cpu": cpu}))


if __name__ == "__main__":
    main()
