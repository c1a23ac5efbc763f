"""Verifying: a job that is ended while its target is read again, and what the next attempt does then."""

import os
import signal

import pytest

from clientd.environment import SystemEnvironment
from clientd.state.checkpoints import SqliteCheckpoints
from schemas.telemetry import Acknowledgement
from tests.clientd.test_processes import MIB, Running, run
from tests.clientd.test_serve import Daemon, of
from tests.fakes.hub import HttpHub

SIZE = 4 * MIB
RATE = "1M"
"""A verification takes so long that a slow machine asks for its end before it is over."""
GOING_ON = "going on where the last attempt was"


@pytest.fixture
async def hub(nursery):
    return await HttpHub.start(nursery)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE))
    return path


def verifying(update) -> bool:
    return update.current_phase == "verifying"


async def under_way(hub, disk, nursery) -> Running:
    """A `clientd run` that has copied all, and reads the target again for some seconds."""
    pairs = [(disk, disk.with_name("copy"))]
    running = await Running(nursery, "backup-x", hub.url, pairs, "--verify", "--max-rate", RATE).start()
    await hub.wait_until(verifying)
    return running


async def again(hub, disk, *more):
    """The next attempt."""
    ran = await run("backup-x", hub.url, [(disk, disk.with_name("copy"))], *more)
    [line] = [line for line in ran.log if line["event"] == GOING_ON]
    assert line["offset"] == SIZE
    return ran


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_signal_while_verifying_cancels_the_job_and_the_next_attempt_only_verifies_all_again(
    hub, disk, nursery, number, code
):
    running = await under_way(hub, disk, nursery)
    running.process.send_signal(number)
    ran = await running.over()
    assert (ran.code, ran.result["status"], ran.result["end_known"]) == (code, "cancelled", True)
    end = hub.told[-1]
    assert (end.status, end.current_phase, end.error) == ("cancelled", "verifying", f"stopped by {number.name}")
    assert end.bytes_transferred == SIZE
    assert (end.bytes_verified or 0) < SIZE
    ran = await again(hub, disk, "--verify")
    assert (ran.code, ran.result["attempt"], ran.result["bytes_transferred"]) == (0, 2, SIZE)
    [told] = ran.result["disks"]
    assert (told["bytes_verified"], told["status"]) == (SIZE, "completed")
    assert disk.with_name("copy").read_bytes() == disk.read_bytes()


async def test_what_changes_at_the_target_after_that_is_found_by_the_next_attempt_and_copied_by_the_one_after(
    hub, disk, nursery
):
    running = await under_way(hub, disk, nursery)
    running.process.send_signal(signal.SIGTERM)
    await running.over()
    target = disk.with_name("copy")
    with target.open("r+b") as file:
        file.seek(12345)
        file.write(bytes([disk.read_bytes()[12345] ^ 1]))
    ran = await again(hub, disk, "--verify")
    assert (ran.code, ran.result["status"]) == (1, "failed")
    assert f"verifying {target} at offset 12345 failed" in ran.result["error"]
    ran = await run("backup-x", hub.url, [(disk, target)])
    assert (ran.code, ran.result["attempt"]) == (0, 3)
    assert "a verification found that the copy differed" in [line.get("reason") for line in ran.log]
    assert target.read_bytes() == disk.read_bytes()


async def test_the_hub_cancels_a_job_that_verifies(hub, disk, nursery):
    hub.rule = lambda update: Acknowledgement(command="cancel" if verifying(update) else "continue")
    running = await under_way(hub, disk, nursery)
    ran = await running.over()
    assert (ran.code, ran.result["status"]) == (1, "cancelled")
    assert (hub.told[-1].status, hub.told[-1].current_phase) == ("cancelled", "verifying")


@pytest.fixture
async def daemon(hub, disk):
    daemon = Daemon(disk.parent, hub.url)
    yield daemon
    if daemon.process is not None:
        await daemon.end(signal.SIGKILL)


async def started(daemon, hub):
    await daemon.start()
    path = daemon.job("backup-x", f'"{RATE}"')
    path.write_text(f"verify = true\n{path.read_text()}")
    assert daemon.ask("submit", path).returncode == 0
    await hub.wait_until(verifying)


def all_marked(daemon) -> bool:
    """The flush behind the copy is over, and known to be."""
    with SqliteCheckpoints(daemon.state, "backup-x", SystemEnvironment()) as checkpoints:
        found = checkpoints.load(0)
        return found is not None and found.mark == SIZE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_daemon_that_ends_while_a_job_verifies_has_the_next_attempt_verify_it(daemon, hub, number):
    await started(daemon, hub)
    if number == signal.SIGKILL:
        await daemon.until(lambda: all_marked(daemon))
    await daemon.end(number)
    await daemon.start()
    await hub.wait_until(of("backup-x", "completed", 2))
    end = hub.pushed[-1]
    assert (end.bytes_transferred, end.bytes_verified) == (SIZE, SIZE)
    assert not [update for update in hub.pushed if update.status in ("failed", "cancelled")]
    assert GOING_ON in daemon.log()
    assert daemon.copied("backup-x")


async def test_an_operator_cancels_a_job_that_verifies(daemon, hub):
    await started(daemon, hub)
    assert daemon.ask("cancel", "backup-x").returncode == 0
    await hub.wait_until(of("backup-x", "cancelled"))
    assert hub.pushed[-1].current_phase == "verifying"
    await daemon.until(lambda: daemon.state_of("backup-x") == "cancelled")
