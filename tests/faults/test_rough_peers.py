"""A real hub and peers of no manners, hundreds at a time: they cost others nothing, and leave no row behind."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from sendensed.store import bridge
from tests.faults.run import running_hub
from tests.sendensed.net.test_parser import CHUNKED, HOST, NEXT, REFUSED, post
from tests.waits import PATIENCE

SLOW = 300
"""Sockets that trickle; half of them a head, half of them a body."""
HEAD = b"POST /api/v1/telemetry/backup/slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LARGE = {
    "a body over 256 KiB": (413, post(b"Content-Length: 262145\r\n", b"[")),
    "chunks over 256 KiB": (413, post(CHUNKED, b"40001\r\n" + b" " * 262145 + b"\r\n0\r\n\r\n")),
    "a target over 8 KiB": (414, b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "65 fields": (431, b"GET /a HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 64 + b"\r\n"),
    "a head over 16 KiB": (431, b"GET /a HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 16384 + b"\r\n\r\n"),
}
BODIES = {
    "nothing": b"",
    "half an object": b'{"status":',
    "a list": b"[]",
    "two objects": b"{}{}",
    "NaN": b'{"progress_percent":NaN}',
    "infinity by size": b'{"bytes_transferred":1e400}',
    "over int64": b'{"bytes_transferred":9223372036854775808}',
    "negative bytes": b'{"bytes_transferred":-1}',
    "NUL": b'{"vm_name":"a\\u0000b"}',
    "half a surrogate pair": b'{"error":"\\ud800"}',
    "no UTF-8": b'{"error":"\xff"}',
    "nested deeply": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "an unknown state": b'{"status":"done"}',
    "another job": b'{"job_id":"other"}',
    "a disk twice": b'{"disks":[{"disk_index":0},{"disk_index":0}]}',
    "257 disks": b'{"disks":[' + b",".join(b'{"disk_index":%d}' % n for n in range(257)) + b"]}",
}


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield peer


def to_the_end(peer: socket.socket) -> bytes:
    read = b""
    while piece := peer.recv(65536):
        read += piece
    return read


def statuses(read: bytes) -> list[int]:
    """Those of the answers in these bytes."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", read)]


async def rows(dsn: str) -> int:
    async with bridge.open_pool(dsn, max_size=1, connect_timeout=PATIENCE) as pool:
        return await pool.fetchval("SELECT count(*) FROM backup_jobs")


async def test_each_request_that_could_hide_another_gets_one_refusal_from_a_real_hub_and_leaves_no_row():
    async with running_hub("") as hub:
        told = await trio.to_thread.run_sync(send_refused, hub.port)
        assert await rows(hub.database) == 0
        assert (await trio.to_thread.run_sync(lambda: hub.post("good", status="running")))["applied"]
        log = (hub.state / "hub.log").read_text()
    assert {name: seen for name, (seen, wanted) in told.items() if seen != wanted} == {}
    assert "handler failed" not in log


def send_refused(port: int) -> dict[str, tuple[list[int], list[int]]]:
    """Of each case the statuses that came, whole and in two pieces, and those that should."""
    told = {}
    usual = {name: case for name, case in REFUSED.items() if case[0] not in (413, 414, 431)}
    for name, (status, data) in {**usual, **LARGE}.items():
        for pieces in ([data + NEXT], [data[: len(data) // 2], data[len(data) // 2 :] + NEXT]):
            with connected(port) as peer:
                for piece in pieces:
                    peer.sendall(piece)
                peer.shutdown(socket.SHUT_WR)
                told[f"{name} in {len(pieces)}"] = (statuses(to_the_end(peer)), [status])
    return told


async def test_each_body_outside_the_contract_is_400_on_a_connection_that_goes_on_and_leaves_no_row():
    async with running_hub("") as hub:
        told = await trio.to_thread.run_sync(send_bodies, hub.port)
        assert await rows(hub.database) == 1
        assert (await trio.to_thread.run_sync(hub.job, "good"))["job"]["sequence"] == len(BODIES)
    assert told == [400, 200] * len(BODIES)


def send_bodies(port: int) -> list[int]:
    """All over one connection, a good one after each bad one; the statuses."""
    head = "POST /api/v1/telemetry/backup/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    told = []
    with connected(port) as peer:
        for number, body in enumerate(BODIES.values(), start=1):
            good = b'{"status":"running","sequence":%d}' % number
            for job_id, content in (("bad", body), ("good", good)):
                told.append(status_of(peer, (head % (job_id, len(content))).encode() + content))
    return told


def status_of(peer: socket.socket, request: bytes) -> int:
    """That of the answer; asked again where the hub gets no time of the machine."""
    for _ in range(100):
        peer.sendall(request)
        if (status := next_status(peer)) != 503:
            break
        time.sleep(0.2)
    return status


def next_status(peer: socket.socket) -> int:
    read = b""
    while True:
        piece = peer.recv(65536)
        if not piece:
            raise AssertionError(f"the hub hung up after {read!r}")
        read += piece
        head, end, body = read.partition(b"\r\n\r\n")
        if end and len(body) == int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]):
            return int(read[9:12])


@pytest.mark.parametrize("part", ["heads", "bodies"])
async def test_hundreds_that_trickle_are_told_408_while_every_update_of_others_is_acknowledged(part: str):
    async with running_hub("") as hub:
        ended, good = threading.Event(), []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, push_until, hub.port, ended, good)
            trickled = await trio.to_thread.run_sync(trickle, hub.port, part)
            ended.set()
        assert await rows(hub.database) == 1
        assert (await trio.to_thread.run_sync(hub.job, "good"))["job"]["sequence"] == len(good)
    assert trickled == [[408]] * SLOW
    assert set(good) == {200}
    assert len(good) > 20


def trickle(port: int, part: str) -> list[list[int]]:
    """What each of them was told in the end; until then they send a byte now and then, and never all of it."""
    start = HEAD + b"X: " if part == "heads" else HEAD + b"Content-Length: 100000\r\n\r\n"
    peers = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(SLOW)]
    told: dict[socket.socket, bytes] = {}
    try:
        for peer in peers:
            peer.sendall(start)
            peer.setblocking(False)
        while len(told) < len(peers):
            for peer in peers:
                if peer not in told:
                    try:
                        told[peer] = peer.recv(65536)
                    except BlockingIOError:
                        peer.send(b" ")
            threading.Event().wait(0.1)
    finally:
        for peer in peers:
            peer.close()
    return [statuses(told[peer]) for peer in peers]


def push_until(port: int, ended: threading.Event, good: list[int]) -> None:
    """Updates of one job, one after the other, as long as the others trickle; their statuses."""
    head = "POST /api/v1/telemetry/backup/good HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    with connected(port) as peer:
        while not ended.wait(0.02):
            content = b'{"status":"running","sequence":%d}' % (len(good) + 1)
            good.append(status_of(peer, (head % len(content)).encode() + content))
