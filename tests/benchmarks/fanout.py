"""Fan-out: the hub's CPU for each frame delivered to a viewer, beside a plain task per viewer of trio-websocket,
and beside `broadcast()` of the websockets library on asyncio.

Viewers are real websockets over loopback, read by a process of their own, which takes the time from publish to
receipt. All ways send the same frames. The last lines have 10 % of the viewers never read.

    python -m tests.benchmarks.fanout --viewers 100 1000
"""

import argparse
import asyncio
import json
import re
import selectors
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime

import trio
from msgspec.structs import replace
from websockets.asyncio.server import ServerConnection, broadcast, serve

from sendensed.actors import viewer
from sendensed.actors.fanout import Fanout, changes
from sendensed.actors.hearing import Hearing
from sendensed.clock import Clock
from sendensed.config import Config
from sendensed.core.board import Board
from sendensed.core.model import Job
from sendensed.core.view import Filter
from sendensed.net.feed import _Socket
from sendensed.net.http import Upgrade
from sendensed.net.pump import Pump
from sendensed.net.server import Server
from sendensed.net.ws import WebSocket, text_frame

ROUNDS, PACE = 60, 0.1
HELLO = (
    b"GET /feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SETTINGS = replace(Config().feed, heartbeat=3_600.0)
"""No ticks meanwhile: the others have none."""


class Nothing:
    """A reader of an empty store."""

    async def refresh(self) -> None: ...

    async def left(self, since: int) -> list[Job]:
        return []

    async def look_up(self, job_ids: list[str]) -> list[Job]:
        return []


def a_job(revision: int) -> Job:
    said = f"{time.monotonic():.6f}"
    return Job(
        "job", "backup", datetime(2026, 11, 23, tzinfo=UTC), vm_name=said, status="running", revision=revision
    )


class Hub:
    """A websocket server that spreads by `way`."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.fanout = Fanout(Board(1), SETTINGS.pace, text_frame)
        self.hearing = Hearing(Clock(datetime.now(UTC)))
        self.sockets: list[WebSocket] = []

    async def handle(self, request: object) -> Upgrade:
        return Upgrade(self.watch)

    async def watch(self, socket: WebSocket) -> None:
        if self.way == "one frame":
            said = (self.fanout, Filter(), None, self.hearing, "hub", SETTINGS, Nothing())
            await viewer.run(_Socket(socket), *said)
        else:
            self.sockets.append(socket)
            while True:
                await socket.receive()

    @property
    def viewers(self) -> int:
        return self.fanout.viewers + len(self.sockets)

    def publish(self, nursery: trio.Nursery, revision: int) -> None:
        if self.way == "one frame":
            self.fanout.publish([a_job(revision)])
            return
        [entry] = self.fanout.board.publish([a_job(revision)]).values()
        message = changes(1, [entry]).decode()
        for one in self.sockets:
            nursery.start_soon(one.connection.send_message, message)


async def measure(way: str, viewers: int, stuck: int) -> dict[str, object]:
    hub = Hub(way)
    pump = Pump()
    server = Server(hub.handle, wall=lambda: datetime.now(UTC), make_id=lambda: "id", pump=pump)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, server.serve_connection, [listener])
        process = readers(listener.socket.getsockname()[1], viewers, stuck)
        with trio.fail_after(60):
            while hub.viewers < viewers:
                await trio.sleep(0.1)
        await trio.sleep(1)
        began = time.process_time()
        for revision in range(1, ROUNDS + 1):
            hub.publish(nursery, revision)
            await trio.sleep(PACE)
        spent = time.process_time() - began
        nursery.cancel_scope.cancel()
    return figures_of(way, process, spent, viewers, stuck)


async def measure_broadcast(viewers: int, stuck: int) -> dict[str, object]:
    """The same by the websockets library: a server without compression, and one `broadcast` for each round."""
    board, watching = Board(1), set()

    async def watch(connection: ServerConnection) -> None:
        watching.add(connection)
        await connection.wait_closed()

    options = {"compression": None, "ping_interval": None, "close_timeout": 1}
    async with serve(watch, "127.0.0.1", 0, **options) as server:
        process = readers(server.sockets[0].getsockname()[1], viewers, stuck)
        async with asyncio.timeout(60):
            while len(watching) < viewers:
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        began = time.process_time()
        for revision in range(1, ROUNDS + 1):
            [entry] = board.publish([a_job(revision)]).values()
            broadcast(watching, changes(1, [entry]).decode())
            await asyncio.sleep(PACE)
        spent = time.process_time() - began
        for connection in watching:
            connection.transport.abort()
    return figures_of("websockets' broadcast", process, spent, viewers, stuck)


def readers(port: int, viewers: int, stuck: int) -> subprocess.Popen[str]:
    """The process of the viewers."""
    command = [sys.executable, "-m", "tests.benchmarks.fanout", "--read", str(port), str(viewers), str(stuck)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def figures_of(
    way: str, process: subprocess.Popen[str], spent: float, viewers: int, stuck: int
) -> dict[str, object]:
    figures = json.loads(process.communicate(timeout=30)[0])
    return {
        "way": way,
        "viewers": viewers,
        "never_read": stuck,
        "delivered": figures["count"],
        "cpu_us_per_delivery": round(spent * 1e6 / figures["count"], 1),
        "p50_ms": round(figures["p50"] * 1000, 1),
        "p99_ms": round(figures["p99"] * 1000, 1),
    }


def read(port: int, viewers: int, stuck: int) -> None:
    """The viewers: all but the stuck ones read until the hub is gone."""
    watching, times, kept = selectors.DefaultSelector(), [], []
    stamp = re.compile(rb'"vm_name":"([\d.]+)"')
    for number in range(viewers):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(HELLO)
        if number < stuck:
            kept.append(one)
        else:
            one.setblocking(False)
            watching.register(one, selectors.EVENT_READ)
    while watching.get_map():
        for key, _ in watching.select():
            try:
                data = key.fileobj.recv(65536)
            except OSError:
                data = b""
            now = time.monotonic()
            times.extend(now - float(at) for at in stamp.findall(data))
            if not data:
                watching.unregister(key.fileobj)
                key.fileobj.close()
    times.sort()
    print(json.dumps({"count": len(times), "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--read", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(*options.read)
        return
    for viewers in options.viewers:
        ours = trio.run(measure, "one frame", viewers, 0)
        plain = trio.run(measure, "a task each", viewers, 0)
        library = asyncio.run(measure_broadcast(viewers, 0))
        for figures in (ours, plain, library):
            print(json.dumps(figures), flush=True)
        ratios = [other["cpu_us_per_delivery"] / ours["cpu_us_per_delivery"] for other in (plain, library)]
        print(f"{viewers} viewers: a task each {ratios[0]:.2f}x, broadcast {ratios[1]:.2f}x the CPU of one frame")
    print(json.dumps(trio.run(measure, "one frame", 200, 20)), flush=True)
    print(json.dumps(asyncio.run(measure_broadcast(200, 20))), flush=True)


if __name__ == "__main__":
    main()
