"""App: a whole job in memory, from order to outcome."""

import errno

import pytest
import trio

from clientd import app
from clientd.config import CopySettings, Settings, TelemetrySettings
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.core.outbox import MemoryOutbox
from clientd.disk.memory import MemoryDisk, MemoryDisks
from clientd.environment import SystemEnvironment
from clientd.errors import HubUnavailable
from schemas.telemetry import Acknowledgement
from tests.fakes import disks as pictures
from tests.fakes import orders
from tests.fakes.disks import FaultyDisk, GivenDisks
from tests.fakes.hub import MemoryHub


def settings(**telemetry) -> Settings:
    return Settings(copy=CopySettings(chunk=65536), telemetry=TelemetrySettings(**telemetry))


class Started:
    def __init__(self, environment, disks, count, hub=None, chosen=None, rate=0):
        self.hub = hub or MemoryHub()
        self.stops = app.Stops()
        self.disks = disks
        self.outcome = None
        self._order = orders.order(count, max_rate=rate)
        self._environment = environment
        self._settings = chosen or settings()

    async def run(self):
        await app.run_job(
            self._order,
            1,
            self.disks,
            self.hub,
            self.stops,
            outbox=MemoryOutbox(),
            checkpoints=MemoryCheckpoints(),
            environment=self._environment,
            settings=self._settings,
            show=lambda body: None,
            ended=self._end,
        )
        return self.outcome

    def _end(self, outcome):
        self.outcome = outcome

    @property
    def told(self):
        return self.hub.told


def two_disks() -> MemoryDisks:
    return MemoryDisks(
        s0=MemoryDisk(pictures.content("A-B0" * 50), "s0"), s1=MemoryDisk(pictures.content("CC--"), "s1")
    )


async def test_a_job_is_copied_and_the_hub_knows_its_end(environment):
    job = Started(environment, two_disks(), 2)
    outcome = await job.run()
    assert outcome.final.job.status == "completed"
    assert outcome.end_known
    assert outcome.updates_sent == len(job.told)
    assert job.told[0].status == "running"
    assert job.told[0].current_phase == "starting"
    end = job.told[-1]
    assert (end.status, end.progress_percent, end.error) == ("completed", 100, "")
    assert end.bytes_transferred == end.total_bytes == sum(disk.bytes_transferred for disk in end.disks) > 0
    assert [disk.status for disk in end.disks] == ["completed"] * 2
    sequences = [update.sequence for update in job.told]
    assert sequences == sorted(set(sequences))
    for index in range(2):
        assert job.disks.disks[f"t{index}"].flushed == job.disks.disks[f"s{index}"].content


async def test_a_failed_disk_is_an_outcome_and_the_hub_hears_why(environment):
    broken = FaultyDisk(MemoryDisk(bytes(8192), "t0", fresh=True)).fail("write", OSError(errno.ENOSPC, "full"))
    disks = GivenDisks(s0=MemoryDisk(pictures.content("AB"), "s0"), t0=broken)
    job = Started(environment, disks, 1)
    outcome = await job.run()
    assert outcome.final.job.status == "failed"
    assert job.told[-1].status == "failed"
    said = "disk 0: writing t0 at offset 0 failed: ENOSPC (full): make room there, then run the job again"
    assert job.told[-1].error == said
    assert job.told[-1].disks[0].status == "failed"


async def test_a_silent_hub_does_not_delay_the_copy_and_the_wait_for_it_is_bounded(environment):
    hub = MemoryHub()
    hub.hold()
    job = Started(environment, two_disks(), 2, hub, settings(final_wait=0.01))
    outcome = await job.run()
    assert outcome.final.job.status == "completed"
    assert (outcome.updates_sent, outcome.end_known) == (0, False)


async def test_a_stop_after_the_end_bounds_the_wait_for_a_silent_hub(environment):
    hub = MemoryHub()
    hub.hold()
    job = Started(environment, two_disks(), 2, hub, settings(final_wait=1000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await hub.wait_until(lambda hub: hub.pushes)
        while "t1" not in job.disks.disks or not job.disks.disks["t1"].closed:
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        job.stops.stop("stopped by SIGTERM")
        job.stops.hurry(trio.current_time())
    assert job.outcome.final.job.status == "completed"
    assert not job.outcome.end_known


async def test_a_hub_that_comes_back_learns_the_end(environment):
    hub = MemoryHub(*[HubUnavailable("away")] * 3)
    chosen = settings(final_wait=10, backoff_least=0.01, backoff_most=0.02)
    job = Started(environment, two_disks(), 2, hub, chosen)
    outcome = await job.run()
    assert outcome.end_known
    assert job.told[-1].status == "completed"


@pytest.mark.parametrize("command", ["cancel", "superseded"])
async def test_the_hub_s_command_ends_the_job(environment, command):
    hub = MemoryHub(Acknowledgement(), Acknowledgement(command=command))
    disks = MemoryDisks(s0=MemoryDisk(pictures.content("A" * 500), "s0"))
    job = Started(environment, disks, 1, hub, rate=1)
    outcome = await job.run()
    assert outcome.final.job.status == "cancelled"
    assert outcome.superseded == (command == "superseded")
    assert outcome.end_known == (command == "cancel")
    assert disks.disks["t0"].closed
    if command == "cancel":
        assert (job.told[-1].status, job.told[-1].error) == ("cancelled", "cancelled at the hub")
    else:
        assert len(hub.pushes) == 2


async def test_the_first_stop_counts(environment):
    disks = MemoryDisks(s0=MemoryDisk(pictures.content("A" * 500), "s0"))
    job = Started(environment, disks, 1, rate=1)
    job.stops.stop("stopped by SIGTERM")
    job.stops.stop("stopped by SIGINT")
    outcome = await job.run()
    assert outcome.final.job.error == "stopped by SIGTERM"
    assert job.told[-1].error == "stopped by SIGTERM"


async def test_a_hard_cancel_closes_the_disks_and_does_not_claim_an_end(environment):
    disks = MemoryDisks(s0=MemoryDisk(pictures.content("A" * 500), "s0"))
    job = Started(environment, disks, 1, rate=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await job.hub.wait_until(lambda hub: hub.told and hub.told[-1].current_phase == "transferring")
        nursery.cancel_scope.cancel()
    assert job.outcome is None
    assert {update.status for update in job.told} == {"running"}
    assert disks.disks["t0"].closed


async def test_a_bug_in_the_copy_is_the_root_cause_that_leaves(environment):
    class Broken(MemoryDisk):
        def read_into(self, offset, view):
            raise ZeroDivisionError

    job = Started(environment, MemoryDisks(s0=Broken(b"x" * 5000, "s0")), 1)
    with pytest.raises(BaseExceptionGroup) as caught:
        await job.run()
    causes = caught.value
    while isinstance(causes, BaseExceptionGroup):
        assert len(causes.exceptions) == 1
        causes = causes.exceptions[0]
    assert isinstance(causes, ZeroDivisionError)


async def test_the_real_environment_gives_utc_chance_and_fresh_ids():
    real = SystemEnvironment()
    assert real.wall().utcoffset().total_seconds() == 0
    assert 0 <= real.random() < 1
    assert real.new_id() != real.new_id()
    await real.failpoint("anywhere")
