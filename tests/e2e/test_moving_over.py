"""A viewer whose worker is killed moves over to another one and goes on from where it was."""

import json
import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_client_stream

from tests.e2e.conftest import Hub, children, eventually
from tests.e2e.test_workers import post
from tests.waits import PATIENCE

JOBS, MOVES = 6, 5


class Watcher:
    """A viewer. Lost, it comes back with `since` once it is let; whatever goes back for it fails the test."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sequence: int | None = None
        self._positions: dict[str, tuple[int, int]] = {}
        self.states: dict[str, str] = {}
        self.hubs: list[str] = []
        self.frames: Counter[str] = Counter()
        self.port = 0
        self.live = trio.Event()
        self.let = trio.Event()

    async def run(self) -> None:
        while True:
            await self.let.wait()
            try:
                await self._read()
            except* (OSError, trio.BrokenResourceError, ConnectionClosed, HandshakeError):
                if self.live.is_set():
                    self.live = trio.Event()

    async def _read(self) -> None:
        where = "/api/v1/feed" + ("" if self._sequence is None else f"?since={self._sequence}")
        stream = await trio.open_tcp_stream("127.0.0.1", self._hub.port)
        self.port = stream.socket.getsockname()[1]
        async with stream, trio.open_nursery() as nursery:
            socket = await wrap_client_stream(nursery, stream, "localhost", where)
            while True:
                self._take(json.loads(await socket.get_message()))

    def _take(self, frame: dict) -> None:
        self.frames[frame["type"]] += 1
        if frame["type"] == "hello":
            self.hubs.append(frame["hub"])
        if "jobs" not in frame:
            return
        assert self._sequence is None or frame["sequence"] >= self._sequence
        self._sequence = frame["sequence"]
        for job in frame["jobs"]:
            position = (job["sequence"], job["revision"])
            assert position >= self._positions.get(job["id"], position)
            self._positions[job["id"]], self.states[job["id"]] = position, job["status"]
        self.live.set()


def links_of(number: int) -> set[str]:
    """What a process has open, without what it closes meanwhile."""
    found = set()
    with suppress(OSError):
        for one in Path(f"/proc/{number}/fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(one))
    return found


def worker_of(hub: Hub, port: int) -> int:
    """The process that has the other end of the connection from this local port."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        here, there = (int(words[place].partition(":")[2], 16) for place in (1, 2))
        if (here, there) == (hub.port, port):
            link = f"socket:[{words[9]}]"
            for number in children(hub.process.pid):
                if link in links_of(number):
                    return number
    raise AssertionError(f"no worker has a connection from port {port}")


async def say(hub: Hub, name: str, status: str, sequence: int) -> None:
    """Returns when it is acknowledged."""
    while await post(hub, name, status=status, sequence=sequence, bytes_transferred=sequence) is None:
        await trio.sleep(0.05)


async def play(hub: Hub, watcher: Watcher) -> None:
    """Each time the viewer's worker dies, one job has just ended and another one ends before it is back."""
    names = [f"{when}-{move}" for move in range(MOVES) for when in ("before", "while")]
    for name in [*names, *(f"on-{number}" for number in range(JOBS))]:
        await say(hub, name, "running", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watcher.run)
        watcher.let.set()
        for move in range(MOVES):
            with trio.fail_after(PATIENCE):
                await watcher.live.wait()
            watcher.let = trio.Event()
            number = worker_of(hub, watcher.port)
            await say(hub, f"before-{move}", "completed", 2)
            os.kill(number, signal.SIGKILL)
            await say(hub, f"while-{move}", "failed", 2)
            for job in range(JOBS):
                await say(hub, f"on-{job}", "running", 2 + move)
            with trio.fail_after(PATIENCE):
                while watcher.live.is_set():
                    await trio.sleep(0.01)
            watcher.let.set()
        ended = {f"before-{move}": "completed" for move in range(MOVES)}
        ended |= {f"while-{move}": "failed" for move in range(MOVES)}
        with trio.fail_after(PATIENCE):
            while not ended.items() <= watcher.states.items():
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


def test_a_viewer_whose_worker_is_killed_moves_to_another_and_misses_no_end_and_sees_nothing_go_back(make_hub):
    hub = make_hub("[feed]\nheartbeat = 1\n", workers=3)
    eventually("three serve", lambda: len(children(hub.process.pid)) == 3)
    watcher = Watcher(hub)
    trio.run(play, hub, watcher)
    assert len(watcher.hubs) == MOVES + 1
    assert len(set(watcher.hubs)) > 1
    assert (watcher.frames["snapshot"], watcher.frames["resync"]) == (1, 0)
    assert hub.stop() == 0
