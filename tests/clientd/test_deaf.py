"""Deaf: a copy is the same whatever hub, legacy endpoint and spool do, and its end is waited for in bounds."""

import threading

import pytest
import trio

from clientd import app
from clientd.actors.keeper import Keeper
from clientd.config import CopySettings, Settings, TelemetrySettings
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.disk.memory import MemoryDisk, MemoryDisks
from clientd.errors import HubUnavailable, LegacyUnavailable, SpoolUnavailable
from tests.fakes import disks as pictures
from tests.fakes import orders

SETTINGS = Settings(
    copy=CopySettings(chunk=65536),
    telemetry=TelemetrySettings(final_wait=0.2, spool_answer=0.3, legacy_timeout=0.2),
)


class Away:
    async def push(self, *arguments):
        raise HubUnavailable("away")


class Hanging:
    async def push(self, *arguments):
        await trio.sleep_forever()


class Refusing:
    async def push(self, progress):
        raise LegacyUnavailable("it answered 500")


class BlockedSpool:
    """Every call hangs in its thread until `go_on` is set."""

    def __init__(self):
        self.go_on = threading.Event()
        self.blocked = threading.Event()

    def _hang(self, *arguments):
        self.blocked.set()
        self.go_on.wait(60)
        raise SpoolUnavailable("its disk was away")

    begin = save = claim = holding = close = _hang


class FullSpool:
    def _refuse(self, *arguments):
        raise SpoolUnavailable("ENOSPC")

    begin = save = claim = holding = close = _refuse


@pytest.mark.parametrize("legacy", [None, Hanging, Refusing])
@pytest.mark.parametrize("spool", [BlockedSpool, FullSpool])
@pytest.mark.parametrize("hub", [Away, Hanging])
async def test_a_copy_takes_its_way_and_waits_for_nobody(environment, hub, spool, legacy):
    kept = spool()
    keeper = Keeper(kept, environment=environment, settings=SETTINGS.telemetry)
    disks = MemoryDisks(s0=MemoryDisk(pictures.content("A-B0" * 50), "s0"))
    seen = []
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            attempt, outbox = await keeper.begin("backup-x", "backup", None)
            assert attempt > 1000

            def ended(outcome):
                seen.append(outcome)

            await app.run_job(
                orders.order(1),
                attempt,
                disks,
                hub(),
                app.Stops(),
                outbox=outbox,
                checkpoints=MemoryCheckpoints(),
                environment=environment,
                settings=SETTINGS,
                show=lambda body: None,
                ended=ended,
                legacy=legacy and legacy(),
            )
            nursery.cancel_scope.cancel()
    finally:
        if spool is BlockedSpool:
            assert kept.blocked.is_set()
            assert not kept.go_on.is_set()  # the whole job went by while its thread hung
            kept.go_on.set()
    [outcome] = seen
    assert outcome.final.job.status == "completed"
    assert (outcome.end_known, outcome.kept) == (False, False)
    assert disks.disks["t0"].flushed == disks.disks["s0"].content
