"""Copies: whole jobs on the machine's real disks and servers, with a hub in memory."""

import trio

from clientd import app
from clientd.config import CopySettings, NbdSettings, Settings, TelemetrySettings
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.core.order import DiskOrder, Order
from clientd.core.outbox import MemoryOutbox
from clientd.disk.opening import SystemDisks
from clientd.environment import SystemEnvironment
from tests.fakes.hub import MemoryHub
from tests.waits import PATIENCE

MIB = 2**20


class Copy:
    """One job of one disk. `hub.told` are the updates, `outcome` what came of it."""

    def __init__(self, source: str = "", target: str = "", *, copy=None, nbd=None, kept=None, disk=None, **order):
        self.order = Order(
            job_id="backup-web01-20261123-021407",
            job_type="backup",
            disks=(DiskOrder(index=0, source=source, target=target, **(disk or {})),),
            **order,
        )
        self.settings = Settings(
            copy=CopySettings(**{"chunk": 256 * 1024, "pauses": (0.05, 0.05, 0.05), **(copy or {})}),
            nbd=NbdSettings(**(nbd or {})),
            telemetry=TelemetrySettings(final_wait=1, poll=0.02),
        )
        self.hub = MemoryHub()
        self.stops = None
        self.checkpoints = MemoryCheckpoints() if kept is None else kept
        self.disks = SystemDisks(self.settings.nbd)
        self.outcome = None

    async def run(self):
        self.stops = app.Stops()
        await app.run_job(
            self.order,
            1,
            self.disks,
            self.hub,
            self.stops,
            outbox=MemoryOutbox(),
            checkpoints=self.checkpoints,
            environment=SystemEnvironment(),
            settings=self.settings,
            show=lambda body: None,
            ended=self._end,
        )
        return self

    def _end(self, outcome):
        self.outcome = outcome

    def go(self):
        """Runs it on its own."""
        return trio.run(self.run)

    @property
    def job(self):
        return self.outcome.final.job

    @property
    def last(self):
        return self.outcome.final.body

    async def until_copied(self, count: int):
        """Returns when the hub has heard of so many bytes."""
        with trio.fail_after(PATIENCE):
            await self.hub.wait_until(lambda hub: hub.told and (hub.told[-1].bytes_transferred or 0) >= count)
