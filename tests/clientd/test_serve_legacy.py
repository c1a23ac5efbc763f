"""Serve, legacy: the daemon's jobs are told on both channels, each deaf to the other's failures."""

import os
import signal

import pytest
import trio

from tests.clientd.net.test_sna import Legacy
from tests.clientd.test_processes import MIB, NOWHERE
from tests.clientd.test_serve import ENDLESS, Daemon, of
from tests.fakes.hub import HttpHub
from tests.waits import PATIENCE


@pytest.fixture
async def hub(nursery):
    return await HttpHub.start(nursery)


@pytest.fixture
async def legacy(nursery):
    return await Legacy.start(nursery)


@pytest.fixture
async def daemon(hub, legacy, tmp_path):
    (tmp_path / "source").write_bytes(os.urandom(5 * MIB + 12345))
    daemon = Daemon(tmp_path, hub.url)
    daemon.environment = {"SNA_API_URL": legacy.url}
    yield daemon
    if daemon.process is not None:
        await daemon.end(signal.SIGKILL)


def named(daemon, job_id, progress_id, rate="0"):
    """A job file that says its id at the legacy endpoint."""
    path = daemon.job(job_id, rate)
    path.write_text(f'progress_job_id = "{progress_id}"\n{path.read_text()}')
    return path


async def ended(legacy, progress_id) -> dict:
    """The last word there."""
    with trio.fail_after(PATIENCE):
        while True:
            told = [
                body
                for path, body in zip(legacy.paths, legacy.bodies, strict=True)
                if path.endswith(f"/{progress_id}/update") and body["status"] != "in_progress"
            ]
            if told:
                return told[-1]
            await trio.sleep(0.05)


async def test_each_job_is_told_under_its_own_id_and_the_others_under_the_daemon_s(
    daemon, hub, legacy, monkeypatch
):
    daemon.environment["MIGRATEKIT_PROGRESS_JOB_ID"] = "progress-daemon"
    await daemon.start()
    assert daemon.ask("submit", named(daemon, "backup-a", "progress-a")).returncode == 0
    monkeypatch.setenv("MIGRATEKIT_PROGRESS_JOB_ID", "progress-b")
    assert daemon.ask("submit", daemon.job("backup-b")).returncode == 0
    monkeypatch.delenv("MIGRATEKIT_PROGRESS_JOB_ID")
    assert daemon.ask("submit", daemon.job("backup-c")).returncode == 0
    for job, progress in (("a", "progress-a"), ("b", "progress-b"), ("c", "progress-daemon")):
        end = await ended(legacy, progress)
        assert (end["status"], end["percent"], end["bytes_transferred"]) == ("completed", 100, 5 * MIB + 12345)
        await hub.wait_until(of(f"backup-{job}", "completed"))
    assert "MIGRATEKIT" not in daemon.log()


async def test_a_job_without_an_id_there_is_not_told(daemon, hub, legacy):
    await daemon.start()
    assert daemon.ask("submit", daemon.job("backup-a")).returncode == 0
    await hub.wait_until(of("backup-a", "completed"))
    await daemon.end(signal.SIGTERM)
    assert not legacy.bodies


@pytest.mark.parametrize("answer", [None, b"garbage\r\n\r\n"])
async def test_the_hub_hears_all_whatever_the_legacy_endpoint_does(daemon, hub, legacy, answer):
    legacy.answer = answer
    await daemon.start()
    assert daemon.ask("submit", named(daemon, "backup-a", "p")).returncode == 0
    await hub.wait_until(of("backup-a", "completed"))
    await daemon.until(lambda: daemon.state_of("backup-a") == "completed")
    assert daemon.copied("backup-a")
    assert "the legacy progress endpoint does not take our updates, the copy goes on" in daemon.log()


async def test_the_legacy_endpoint_hears_all_while_no_hub_is_there(daemon, legacy):
    daemon.hub = NOWHERE
    await daemon.start()
    assert daemon.ask("submit", named(daemon, "backup-a", "p")).returncode == 0
    assert (await ended(legacy, "p"))["status"] == "completed"
    await daemon.until(lambda: daemon.state_of("backup-a") == "completed")


async def test_an_end_without_a_copy_is_told_there_as_well(daemon, hub, legacy):
    daemon.settings += "at_once = 1\n"
    await daemon.start()
    assert daemon.ask("submit", daemon.job("backup-a", ENDLESS)).returncode == 0
    waiting = named(daemon, "backup-b", "p")
    other = daemon.folder / "other"
    other.write_bytes(b"x" * 5000)
    waiting.write_text(waiting.read_text().replace('source = "source"', 'source = "other"'))
    assert daemon.ask("submit", waiting).returncode == 0
    other.unlink()
    assert daemon.ask("cancel", "backup-a").returncode == 0
    end = await ended(legacy, "p")
    assert end["status"] == "failed"
    assert "other' cannot be read: ENOENT" in end["error_message"]
    await hub.wait_until(of("backup-b", "failed"))
