"""Serve: the real daemon, with real files, real signals, kill -9, and hubs on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from tests.fakes.hub import HttpHub
from tests.ports import free_port
from tests.waits import PATIENCE

MIB = 2**20
SLOW = '"1M"'
UNDER_WAY = '"400K"'
"""A rate at which a copy goes on while a slow machine runs half a dozen commands beside it."""
ENDLESS = '"10K"'
"""A rate at which a copy is under way until it is ended."""


class Daemon:
    """`clientd serve` in a directory of its own; started again it is the same daemon."""

    def __init__(self, folder, hub: str) -> None:
        self.folder = folder
        self.hub = hub
        self.state = folder / "state"
        self.socket = folder / "s"
        self.process: subprocess.Popen | None = None
        self.environment: dict[str, str] = {}
        self.settings = "final_wait = 2\nlook = 0.1\n"

    def command(self) -> list[str]:
        config = self.folder / "clientd.toml"
        config.write_text(self.settings)
        options = ["--config", config, "--state-dir", self.state, "--socket", self.socket, "--hub", self.hub]
        return [sys.executable, "-m", "clientd", "serve", *map(str, options)]

    async def start(self) -> "Daemon":
        self.launch()
        await self.until(lambda: self.ask("list").returncode == 0)
        return self

    def launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(self.command(), stderr=log, stdout=log, env=environment)

    def ask(self, *arguments) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "clientd", *map(str, arguments), "--socket", str(self.socket)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def jobs(self) -> dict[str, dict]:
        return {job["job_id"]: job for job in map(json.loads, self.ask("list", "--json").stdout.splitlines())}

    def state_of(self, job_id: str) -> str:
        return self.jobs().get(job_id, {}).get("state", "")

    def job(self, job_id: str, rate: str = "0"):
        """A job file for a copy of `source` to `copy-ID`."""
        path = self.folder / f"{job_id}.toml"
        disk = f'[[disk]]\nsource = "source"\ntarget = "copy-{job_id}"\n'
        path.write_text(f'job_id = "{job_id}"\nmax_rate = {rate}\n{disk}')
        return path

    def copied(self, job_id: str) -> bool:
        return (self.folder / f"copy-{job_id}").read_bytes() == (self.folder / "source").read_bytes()

    async def until(self, what) -> None:
        with trio.fail_after(PATIENCE):
            while not await trio.to_thread.run_sync(what):
                assert self.process.poll() is None, self.log()
                await trio.sleep(0.05)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def end(self, number: int) -> int:
        process, self.process = self.process, None
        process.send_signal(number)
        return await trio.to_thread.run_sync(lambda: process.wait(PATIENCE))


@pytest.fixture
async def hub(nursery):
    return await HttpHub.start(nursery)


@pytest.fixture
async def daemon(hub, tmp_path):
    (tmp_path / "source").write_bytes(os.urandom(5 * MIB + 12345))
    daemon = Daemon(tmp_path, hub.url)
    yield daemon
    if daemon.process is not None:
        await daemon.end(signal.SIGKILL)


def of(job_id: str, status: str, attempt: int = 1):
    return lambda update: (update.job_id, update.status, update.attempt) == (job_id, status, attempt)


async def test_jobs_are_submitted_run_at_once_listed_and_told_of(daemon, hub):
    await daemon.start()
    for job_id in ("backup-a", "repl-b"):
        said = daemon.ask("submit", daemon.job(job_id, UNDER_WAY))
        assert (said.returncode, said.stdout) == (0, f"queued: {job_id}\n")
    running = {"backup-a": "running", "repl-b": "running"}
    await daemon.until(lambda: {job_id: job["state"] for job_id, job in daemon.jobs().items()} == running)
    await daemon.until(lambda: all(job["bytes_transferred"] for job in daemon.jobs().values()))
    twice = daemon.ask("submit", daemon.folder / "backup-a.toml")
    assert twice.returncode == 1
    assert "the job 'backup-a' is running already" in twice.stderr
    await daemon.until(lambda: {job["state"] for job in daemon.jobs().values()} == {"completed"})
    assert daemon.copied("backup-a")
    assert daemon.copied("repl-b")
    await hub.wait_until(of("backup-a", "completed"))
    await hub.wait_until(of("repl-b", "completed"))
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    assert {line["job_id"] for line in lines if line["event"] == "job ended"} == {"backup-a", "repl-b"}
    job = daemon.jobs()["repl-b"]
    assert (job["percent"], job["bytes_transferred"], job["attempt"]) == (100.0, 5 * MIB + 12345, 1)
    shown = daemon.ask("list").stdout.splitlines()
    assert shown[0].split() == ["STATE", "PHASE", "DONE", "COPIED", "SPEED", "ATTEMPT", "ID", "ERROR"]
    assert "completed" in shown[1]


async def test_the_limit_holds_and_a_finished_id_is_a_new_attempt(daemon, hub):
    daemon.settings += "at_once = 1\n"
    await daemon.start()
    daemon.ask("submit", daemon.job("backup-a", ENDLESS))
    daemon.ask("submit", daemon.job("backup-b"))
    await daemon.until(lambda: daemon.state_of("backup-a") == "running")
    assert daemon.state_of("backup-b") == "queued"
    assert daemon.ask("cancel", "backup-a").returncode == 0
    await daemon.until(lambda: daemon.state_of("backup-b") == "completed")
    assert daemon.ask("submit", daemon.job("backup-b")).returncode == 0
    await hub.wait_until(of("backup-b", "completed", 2))


async def test_a_job_is_cancelled_by_its_operator_and_the_hub_hears_it(daemon, hub):
    await daemon.start()
    daemon.ask("submit", daemon.job("backup-a", ENDLESS))
    await daemon.until(lambda: daemon.state_of("backup-a") == "running")
    assert daemon.ask("cancel", "backup-a").stdout == "to be cancelled: backup-a\n"
    await daemon.until(lambda: daemon.state_of("backup-a") == "cancelled")
    await hub.wait_until(of("backup-a", "cancelled"))
    assert hub.told[-1].error == "cancelled by an operator"
    refused = daemon.ask("cancel", "backup-a")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no job 'backup-a' waits or runs" in refused.stderr


async def test_after_kill_9_a_job_goes_on_with_its_attempt_raised(daemon, hub):
    await daemon.start()
    for job_id in ("backup-a", "backup-b"):
        daemon.ask("submit", daemon.job(job_id, UNDER_WAY))
    for job_id in ("backup-a", "backup-b"):
        await hub.wait_until(
            lambda update, job_id=job_id: update.job_id == job_id and update.bytes_transferred > 0
        )
    await daemon.end(signal.SIGKILL)
    assert daemon.ask("list").returncode == 3
    await daemon.start()
    await hub.wait_until(of("backup-a", "running", 2))
    await hub.wait_until(of("backup-b", "running", 2))
    await daemon.until(lambda: {job["state"] for job in daemon.jobs().values()} == {"completed"})
    assert daemon.copied("backup-a")
    assert daemon.copied("backup-b")
    await hub.wait_until(of("backup-a", "completed", 2))
    assert not [update for update in hub.pushed if update.status == "failed"]


async def test_after_kill_9_without_resuming_the_hub_hears_that_the_job_failed(daemon, hub):
    daemon.settings += "resume = false\n"
    await daemon.start()
    daemon.ask("submit", daemon.job("backup-a", SLOW))
    await hub.wait_until(lambda update: update.bytes_transferred > 0)
    await daemon.end(signal.SIGKILL)
    await daemon.start()
    await hub.wait_until(of("backup-a", "failed", 2))
    assert hub.pushed[-1].error.startswith("interrupted: clientd ended while it ran")
    await daemon.until(lambda: daemon.state_of("backup-a") == "failed")


async def test_a_job_that_was_taken_survives_kill_9_at_once(daemon):
    daemon.settings += "at_once = 1\n"
    await daemon.start()
    for number in range(3):
        daemon.ask("submit", daemon.job(f"backup-{number}", ENDLESS))
    assert daemon.ask("cancel", "backup-1").returncode == 0
    await daemon.end(signal.SIGKILL)
    await daemon.start()
    assert {"backup-0", "backup-1", "backup-2"} == set(daemon.jobs())
    await daemon.until(lambda: daemon.state_of("backup-1") == "cancelled")


async def test_a_stop_keeps_jobs_for_the_next_start_and_cancels_none(daemon, hub):
    await daemon.start()
    daemon.ask("submit", daemon.job("backup-a", SLOW))
    await hub.wait_until(lambda update: update.bytes_transferred > MIB)
    assert await daemon.end(signal.SIGTERM) == 0
    assert not daemon.socket.exists()
    assert {update.status for update in hub.pushed} == {"running"}
    await daemon.start()
    await daemon.until(lambda: daemon.state_of("backup-a") == "completed")
    assert daemon.jobs()["backup-a"]["attempt"] == 2
    assert daemon.copied("backup-a")
    assert "interrupted job" not in daemon.log()


async def test_job_files_are_taken_from_the_folder_or_refused_with_a_reason(daemon, hub):
    await daemon.start()
    folder = daemon.state / "jobs"
    text = daemon.job("backup-a").read_text().replace('"source"', f'"{daemon.folder}/source"')
    (folder / ".a").write_text(text.replace('"copy-', f'"{daemon.folder}/copy-'))
    (folder / ".b").write_text("job_id = 5")
    (folder / ".a").rename(folder / "a.toml")
    (folder / ".b").rename(folder / "b.toml")
    await daemon.until(lambda: daemon.state_of("backup-a") == "completed")
    await daemon.until(lambda: (folder / "refused/b.toml.reason").exists())
    assert "job_id: must be text, not a whole number" in (folder / "refused/b.toml.reason").read_text()
    assert (folder / "taken/a.toml").exists()
    assert daemon.copied("backup-a")


async def test_a_hub_that_is_away_gets_every_end_when_it_is_back(daemon, hub, nursery):
    port = free_port()
    daemon.hub = f"http://127.0.0.1:{port}"
    await daemon.start()
    for number in range(3):
        daemon.ask("submit", daemon.job(f"backup-{number}"))
    await daemon.until(lambda: [job["state"] for job in daemon.jobs().values()] == ["completed"] * 3)
    back = HttpHub()
    await nursery.start(partial(trio.serve_tcp, back._serve, port, host="127.0.0.1"))
    for number in range(3):
        await back.wait_until(of(f"backup-{number}", "completed"))


async def test_a_second_daemon_on_the_same_state_does_not_start(daemon):
    await daemon.start()
    other = [part if part != str(daemon.socket) else f"{part}2" for part in daemon.command()]
    said = await trio.run_process(other, capture_stderr=True, check=False)
    assert said.returncode == 2
    assert b"another clientd serves the state directory" in said.stderr
    said = await trio.run_process(daemon.command(), capture_stderr=True, check=False)
    assert said.returncode == 2
    assert daemon.ask("list").returncode == 0


@asynccontextmanager
async def supervised(daemon):
    """The daemon as systemd starts it, and what it has said."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(daemon.folder / "notify"))
        supervisor.settimeout(PATIENCE)
        daemon.environment = {"NOTIFY_SOCKET": str(daemon.folder / "notify"), "WATCHDOG_USEC": "600000"}

        async def hear(word: str) -> str:
            """The first datagram that has the word in it."""

            def listen() -> str:
                while word not in (said := supervisor.recv(1000).decode()):
                    pass
                return said

            return await trio.to_thread.run_sync(listen)

        yield hear


async def test_systemd_hears_when_it_is_ready_what_it_does_that_it_lives_and_stops(daemon):
    async with supervised(daemon) as hear:
        await daemon.start()
        assert await hear("READY") == "READY=1"
        daemon.ask("submit", daemon.job("backup-a", ENDLESS))
        assert await hear("1 running") == "WATCHDOG=1\nSTATUS=1 running, 0 waiting"
        for _ in range(3):
            await hear("WATCHDOG=1")
        await daemon.end(signal.SIGTERM)
        assert await hear("STOPPING") == "STOPPING=1"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("at_once = 0", "is wrong: at_once: must be a whole number of at least 1: correct it there"),
        ("hub = 'nowhere'", "the hub's address 'nowhere'"),
        ("token_file = '/none'", "the token file '/none' cannot be read"),
        ("folder = '/dev/null/x'", "the folder '/dev/null/x' cannot be used"),
        ("state_dir = '/dev/null/x'", "the state directory '/dev/null/x' cannot be used"),
    ],
)
def test_a_daemon_that_cannot_begin_as_it_is_told_says_why_and_exits_2(tmp_path, settings, sentence):
    (tmp_path / "c.toml").write_text(settings)
    command = [sys.executable, "-m", "clientd", "serve", "--config", str(tmp_path / "c.toml"), "--socket"]
    command.append(str(tmp_path / "s"))
    if "state_dir" not in settings:
        command += ["--state-dir", str(tmp_path / "state")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert said.returncode == 2, said.stderr
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr


def test_a_queue_that_cannot_be_read_is_said_with_exit_1(tmp_path):
    (tmp_path / "state/queue.db").mkdir(parents=True)
    command = [sys.executable, "-m", "clientd", "serve", "--state-dir", str(tmp_path / "state"), "--socket"]
    said = subprocess.run(
        [*command, str(tmp_path / "s")], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert said.returncode == 1
    assert "the queue cannot be read" in said.stderr
    assert "Traceback" not in said.stderr
