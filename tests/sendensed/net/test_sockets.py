"""Sockets: the layer on the loopback, with curl and with peers of no manners."""

import json
import socket
import struct
from contextlib import AsyncExitStack

import pytest
import trio
import trio_websocket
from trio.testing import wait_all_tasks_blocked

from sendensed.net import ws
from sendensed.net.http import Request, Response, Upgrade
from sendensed.net.limits import Heartbeat
from tests.sendensed.net.rig import Client, Handler, listening, make_server
from tests.waits import PATIENCE

GET = b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n"
ASK = (
    b"GET /feed HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
BIG = 16 * 1024 * 1024


async def echo_size(request: Request) -> Response:
    return Response(200, json.dumps({"method": request.method, "bytes": len(request.body)}).encode())


async def curl(port, *arguments, data=b""):
    command = ["curl", "-sS", "-i", "--max-time", "60", *arguments, f"http://127.0.0.1:{port}/api/x%2Fy"]
    return (await trio.run_process(command, stdin=data, capture_stdout=True)).stdout


async def test_curl_posts_json_and_gets_its_answer():
    async with listening(make_server(echo_size)) as port:
        output = await curl(port, "-H", "Content-Type: application/json", "-d", '{"status": "running"}')
        assert output.startswith(b"HTTP/1.1 200 OK\r\n")
        assert output.endswith(b'{"method": "POST", "bytes": 21}')


async def test_curl_waits_for_100_continue_before_a_large_body():
    async with listening(make_server(echo_size)) as port:
        arguments = ("-H", "Content-Type: application/json", "-H", "Expect: 100-continue", "--data-binary", "@-")
        output = await curl(port, "--expect100-timeout", "50", *arguments, data=b" " * 200_000)
        assert output.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert output.endswith(b'{"method": "POST", "bytes": 200000}')


async def test_curl_sees_the_413_though_it_is_still_sending():
    async with listening(make_server(echo_size)) as port:
        for how in (["-H", "Expect:"], ["-H", "Expect:", "-H", "Transfer-Encoding: chunked"], []):
            arguments = ("-H", "Content-Type: application/json", *how, "--data-binary", "@-")
            output = await curl(port, *arguments, data=b" " * 900_000)
            assert b"HTTP/1.1 413 " in output
            assert b"Connection: close" in output


async def test_curl_speaks_http_1_0_and_head_and_offers_http_2():
    async with listening(make_server(echo_size)) as port:
        assert b"Connection: close" in await curl(port, "--http1.0")
        assert b"Content-Length: 30" in await curl(port, "--head")
        output = await curl(port, "--http2", "-H", "Content-Type: application/json", "-d", "{}")
        assert output.endswith(b'{"method": "POST", "bytes": 2}')


async def test_a_peer_that_sends_its_request_and_its_end_at_once_is_answered():
    async with listening(make_server(Handler())) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(GET)
        await stream.send_eof()
        client = Client(stream)
        assert (await client.answer()).body == b"GET /a"
        assert await client.ended()


async def test_an_answer_larger_than_the_socket_holds_arrives_whole():
    async def big(request):
        return Response(200, bytes(BIG))

    async with listening(make_server(big)) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        client = Client(stream)
        for _ in range(2):
            assert len((await client.ask(GET)).body) == BIG


async def test_a_reset_at_any_byte_of_a_request_ends_that_connection_and_nothing_else():
    handler = Handler()
    server = make_server(handler)
    data = b"POST /a HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\n{}"
    async with listening(server) as port:
        for size in range(len(data)):
            with socket.create_connection(("127.0.0.1", port)) as peer:
                peer.sendall(data[:size])
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            assert (await Client(stream).ask(data)).status == 200
    assert len(handler.requests) == 1


async def test_a_peer_that_never_reads_is_cut_off_after_10_s(mock_clock):
    answered = trio.Event()

    async def big(request):
        answered.set()
        return Response(200, bytes(BIG))

    server = make_server(big)
    async with listening(server) as port:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(GET)
            await answered.wait()
            await wait_all_tasks_blocked()
            mock_clock.jump(9.9)
            await wait_all_tasks_blocked()
            assert server.connections == 1
            mock_clock.jump(0.2)
            await wait_all_tasks_blocked()
            assert server.connections == 0


async def test_frames_that_a_full_socket_took_arrive_whole_and_in_order_and_the_others_not_at_all():
    taken, full = [], trio.Event()

    async def run(viewer):
        frames = (b"%06d" % n + b"x" * 50_000 for n in range(10_000))
        for frame in frames:
            if not viewer.try_send(ws.text_frame(frame)):
                break
            taken.append(frame.decode())
        for _ in range(3):
            assert not viewer.try_send(ws.text_frame(b"never"))
            await trio.lowlevel.checkpoint()
        full.set()
        await viewer.send(ws.text_frame(b"last"))
        with pytest.raises(ws.Gone):
            await viewer.receive()

    async def handler(request):
        return Upgrade(run)

    async with (
        listening(make_server(handler)) as port,
        trio_websocket.open_websocket("127.0.0.1", port, "/", use_ssl=False) as viewer,
    ):
        await full.wait()
        got = [await viewer.get_message() for _ in taken]
        assert got == taken
        assert len(got) > 2
        assert await viewer.get_message() == "last"


async def test_what_a_full_socket_took_in_part_arrives_without_another_call():
    taken = []

    async def run(viewer):
        while viewer.try_send(ws.text_frame(b"x" * 50_000)):
            taken.append(50_000)
        with pytest.raises(ws.Gone):
            await viewer.receive()

    async def handler(request):
        return Upgrade(run)

    async with (
        listening(make_server(handler)) as port,
        trio_websocket.open_websocket("127.0.0.1", port, "/", use_ssl=False) as viewer,
    ):
        first = await viewer.get_message()
        assert [len(first), *[len(await viewer.get_message()) for _ in taken[1:]]] == taken


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of each frame of a server, which must all be whole."""
    found = []
    while data:
        size, start = data[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start])
        assert len(data) >= start + size
        found.append((data[0] & 15, data[start : start + size]))
        data = data[start + size :]
    return found


def read_to_the_close(peer: socket.socket) -> bytes:
    """What comes until the hub says why it closes, without the handshake."""
    read = b""
    while not read.endswith(ws.NOT_READ.encode()) and (piece := peer.recv(65536)):
        read += piece
    return read.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("way", ["directly", "waiting"])
async def test_a_viewer_that_did_not_read_finds_whole_frames_and_then_1013(way):
    taken, told = [], trio.Event()

    async def run(viewer):
        try:
            while viewer.try_send(ws.text_frame(b"x" * 50_000)):
                taken.append(50_000)
            if way == "waiting":
                taken.append(7)
                await viewer.send_text(b"waiting")
            await trio.sleep_forever()
        finally:
            told.set()

    async def handler(request):
        return Upgrade(run)

    server = make_server(handler, heartbeat=Heartbeat(write=0.2, close=30))
    async with listening(server) as port:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(ASK)
            await told.wait()
            frames = frames_of(await trio.to_thread.run_sync(read_to_the_close, peer))
        *texts, (opcode, close) = frames
        assert [len(payload) for _, payload in texts] == taken
        assert (opcode, close[:2]) == (8, struct.pack("!H", 1013))
        assert server.unsent.bytes == 0


async def test_the_frames_that_slow_viewers_wait_for_are_bounded_and_cost_nobody_else_anything():
    size, limit = 8 * 2**20, 40 * 2**20
    shared = ws.text_frame(b"s" * size)
    sockets, most, news = [], 0, b"n" * 1000

    async def run(viewer):
        sockets.append(viewer)
        await viewer.receive()

    async def handler(request):
        return Upgrade(run)

    server = make_server(handler, heartbeat=Heartbeat(unsent=limit, write=PATIENCE))
    async with listening(server) as port, AsyncExitStack() as peers:
        for _ in range(40):
            peers.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(ASK)
        with trio.fail_after(PATIENCE):
            while len(sockets) < 40:
                await trio.sleep(0.01)
        alone, together = sockets[:20], sockets[20:]
        open_reader = trio_websocket.open_websocket("127.0.0.1", port, "/", use_ssl=False)
        reader = await peers.enter_async_context(open_reader)
        with trio.fail_after(PATIENCE):
            while len(sockets) < 41:
                await trio.sleep(0.01)
        for number, (one, other) in enumerate(zip(alone, together, strict=True)):
            one.try_send(ws.text_frame(b"%07d" % number + b"x" * size))
            other.try_send(shared)
            most = max(most, server.unsent.bytes)
            assert sockets[40].try_send(ws.text_frame(news))
            assert await reader.get_message() == news.decode()
        assert size < most <= limit
        gone = [one for one in sockets if is_gone(one)]
        assert set(gone) <= set(alone)
        assert len(gone) > 10
        await reader.aclose()
    assert server.unsent.bytes == 0


def is_gone(viewer: ws.WebSocket) -> bool:
    try:
        viewer.try_send(ws.text_frame(b"x"))
    except ws.Gone:
        return True
    return False


async def test_a_viewer_whose_connection_was_reset_is_gone_at_the_next_frame():
    peers, gone = [], trio.Event()

    async def run(viewer):
        peers[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peers[0].close()
        with pytest.raises(ws.Gone):
            viewer.try_send(ws.text_frame(b"x"))
        gone.set()

    async def handler(request):
        return Upgrade(run)

    async with listening(make_server(handler)) as port:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peers.append(peer)
            peer.sendall(ASK)
            with trio.fail_after(PATIENCE):
                await gone.wait()
