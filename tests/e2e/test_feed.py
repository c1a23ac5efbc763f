"""A real hub's feed with viewers that never read beside one that does."""

import json
import socket

import trio
import trio_websocket

from tests.e2e.conftest import Hub
from tests.waits import PATIENCE

JOBS, DEAF = 20, 5
SETTINGS = "[feed]\nwrite_deadline = 5\nunsent = 4194304\n"
"""Less than one snapshot, a megabyte, for each of those who do not read."""
ASK = (
    b"GET /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def push(hub: Hub, sequence: int) -> None:
    """An update of each job; returns when all are committed."""
    for number in range(JOBS):
        hub.post(f"job-{number}", status="running", sequence=sequence, error="x" * 50_000)


def viewers(hub: Hub) -> int:
    return hub.get("/api/v1/health")["figures"]["viewers"]


async def read(connection: trio_websocket.WebSocketConnection, seen: dict[str, int]) -> None:
    while True:
        for job in json.loads(await connection.get_message()).get("jobs", ()):
            assert job["sequence"] >= seen.get(job["id"], 0)
            seen[job["id"]] = job["sequence"]


async def watch(hub: Hub, deaf: list[socket.socket]) -> None:
    """Pushes until those who do not read are cut off; the one who reads has to see every push before the next."""
    seen: dict[str, int] = {}
    url = f"ws://127.0.0.1:{hub.port}/api/v1/feed"
    async with (
        trio_websocket.open_websocket_url(url, max_message_size=2**24) as connection,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(read, connection, seen)
        sequence, most = 0, 0
        with trio.fail_after(3 * PATIENCE):
            while sequence < 3 or await trio.to_thread.run_sync(viewers, hub) > 1:
                sequence += 1
                await trio.to_thread.run_sync(push, hub, sequence)
                while len(seen) < JOBS or min(seen.values()) < sequence:
                    await trio.sleep(0.01)
                if not deaf:
                    deaf.extend(await trio.to_thread.run_sync(strike_deaf, hub.port))
                    while most < DEAF + 1:
                        most = await trio.to_thread.run_sync(viewers, hub)
        nursery.cancel_scope.cancel()


def strike_deaf(port: int) -> list[socket.socket]:
    found = []
    for _ in range(DEAF):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", port))
        one.sendall(ASK)
        found.append(one)
    return found


def test_viewers_that_never_read_are_cut_off_and_one_that_reads_sees_every_push_before_the_next(make_hub):
    hub, deaf = make_hub(SETTINGS), []
    try:
        trio.run(watch, hub, deaf)
        assert viewers(hub) == 0
        assert hub.post("job-1", status="completed", sequence=10**6)["applied"]
    finally:
        for one in deaf:
            one.close()
    assert hub.stop() == 0
    assert "handler failed" not in (hub.state / "hub.log").read_text()
