"""Several hubs as processes on one PostgreSQL, under load, killed at random moments."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from sendensed.cli.feed import Watched, follow
from sendensed.environment import SystemEnvironment
from tests.e2e.conftest import Hub, children, eventually
from tests.waits import PATIENCE

SETTINGS = """
[reaper]
stall_after = 4
fail_after = 10
period = 1
beat = 0.5
gap = 3
"""
SENDERS, JOBS, KILLS = 12, 3, 8


@pytest.fixture
def hubs(make_hub):
    """A parent with three workers."""
    hub = make_hub(SETTINGS + "\n[feed]\nheartbeat = 1\n", workers=3)
    yield hub
    if hub.process is not None:
        assert hub.stop() == 0


async def post(hub: Hub, job_id: str, **said: object) -> dict | None:
    """One update over a connection of its own; None where there was no answer, or 503."""
    body = json.dumps(said).encode()
    head = f"POST /api/v1/telemetry/backup/{job_id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = b""
    try:
        with trio.fail_after(10):
            async with await trio.open_tcp_stream("127.0.0.1", hub.port) as stream:
                await stream.send_all(head.encode() + body)
                async for part in stream:
                    answer += part
    except (OSError, trio.BrokenResourceError, trio.TooSlowError):
        return None
    if not answer.startswith(b"HTTP/1.1 200"):
        assert not answer or answer.startswith(b"HTTP/1.1 503"), answer
        return None
    return json.loads(answer.partition(b"\r\n\r\n")[2])


async def send(hub: Hub, job_id: str, stop: trio.Event, acknowledged: dict[str, int]) -> None:
    """A sender: the same update again until it is acknowledged, then the next; at the end the end."""
    sequence = 0
    while True:
        sequence += 1
        status = "completed" if stop.is_set() else "running"
        while await post(hub, job_id, status=status, sequence=sequence, bytes_transferred=sequence) is None:
            await trio.sleep(0.1)
        acknowledged[job_id] = sequence
        if status == "completed":
            return
        await trio.sleep(0.05)


async def kill_some(hub: Hub, chance: random.Random) -> int:
    killed = 0
    while killed < KILLS:
        await trio.sleep(0.5 + chance.random())
        alive = children(hub.process.pid)
        if len(alive) > 1:
            os.kill(chance.choice(alive), signal.SIGKILL)
            killed += 1
    return killed


async def play(hub: Hub, watched: Watched, seen: dict[str, str]) -> dict[str, int]:
    """Load and kills; returns what was acknowledged last of every job, once the viewer has seen every end."""
    stop, acknowledged = trio.Event(), {}
    names = [f"job-{sender}-{number}" for sender in range(SENDERS) for number in range(JOBS)]

    def on_news(news):
        seen.update((job.id, job.status) for job in news)

    async def spoken(job_id: str) -> None:
        while await post(hub, job_id, status="running", sequence=1) is None:
            await trio.sleep(0.1)

    async with trio.open_nursery() as viewing:
        viewing.start_soon(follow, hub.url, [], watched, SystemEnvironment(), on_news)
        async with trio.open_nursery() as sending:
            for name in names:
                sending.start_soon(send, hub, name, stop, acknowledged)
            for number in range(4):
                sending.start_soon(spoken, f"silent-{number}")
            await kill_some(hub, random.Random(7))
            with trio.fail_after(PATIENCE):
                while any(seen.get(f"silent-{number}") != "failed" for number in range(4)):
                    await trio.sleep(0.1)
            stop.set()
        with trio.fail_after(PATIENCE):
            while any(seen.get(name) != "completed" for name in names):
                await trio.sleep(0.1)
        viewing.cancel_scope.cancel()
    return acknowledged


# trio-websocket leaves the socket of a connection that was reset under it to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_three_hubs_killed_at_random_under_load_lose_nothing_and_judge_once_and_viewers_see_every_end(hubs):
    seen: dict[str, str] = {}
    acknowledged = trio.run(play, hubs, Watched(), seen)
    assert len(acknowledged) == SENDERS * JOBS
    for job_id, sequence in acknowledged.items():
        detail = hubs.job(job_id)
        assert (detail["job"]["status"], detail["job"]["sequence"]) == ("completed", sequence)
        assert "failed" not in [event["status"] for event in detail["events"]]
    for number in range(4):
        events = hubs.job(f"silent-{number}")["events"]
        assert [event["status"] for event in events if event["said_by"] == "reaper"] == ["stalled", "failed"]


def test_a_worker_that_dies_is_started_again_and_a_stopped_parent_leaves_none(hubs):
    first = eventually("three serve", lambda: len(found := children(hubs.process.pid)) == 3 and found)
    os.kill(first[0], signal.SIGKILL)
    later = eventually(
        "three serve again",
        lambda: len(found := children(hubs.process.pid)) == 3 and first[0] not in found and found,
    )
    assert hubs.post("job", status="running", sequence=1)["applied"]
    assert hubs.stop() == 0
    assert not [number for number in later if Path(f"/proc/{number}").exists()]
    assert hubs.database_processes() == []


def test_workers_whose_parent_was_killed_stop_by_themselves(hubs):
    alive = eventually("three serve", lambda: len(found := children(hubs.process.pid)) == 3 and found)
    hubs.stop(signal.SIGKILL)
    eventually("none is left", lambda: not any(running(number) for number in alive))
    hubs.start()  # takes over the database that was left running
    assert hubs.post("job", status="running", sequence=1)["applied"]
    serving = [line for line in (hubs.state / "hub.log").read_text().splitlines() if '"serving"' in line]
    assert [json.loads(line)["database"].partition(" at ")[0] for line in serving] == 2 * ["embedded PostgreSQL"]


def running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_number_of_workers_that_cannot_be_is_refused():
    command = [sys.executable, "-m", "sendensed", "serve", "--open", "--listen", "127.0.0.1:0"]
    nobody = subprocess.run(
        [*command, "--workers", "99"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert nobody.returncode == 2
    assert "--workers: give a number from 1 to 32" in nobody.stderr
