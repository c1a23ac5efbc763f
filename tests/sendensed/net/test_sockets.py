"""Sockets: the layer on the loopback, with curl and with peers of no manners."""

import json
import socket
import struct

import pytest
import trio
import trio_websocket
from trio.testing import wait_all_tasks_blocked

from sendensed.net import ws
from sendensed.net.http import Request, Response, Upgrade
from tests.sendensed.net.rig import Client, Handler, listening, make_server

GET = b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n"
ASK = (
    b"GET /feed HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
BIG = 16 * 1024 * 1024


async def echo_size(request: Request) -> Response:
    return Response(200, json.dumps({"method": request.method, "bytes": len(request.body)}).encode())


async def curl(port, *arguments, data=b""):
    command = ["curl", "-sS", "-i", "--max-time", "10", *arguments, f"http://127.0.0.1:{port}/api/x%2Fy"]
    return (await trio.run_process(command, stdin=data, capture_stdout=True)).stdout


async def test_curl_posts_json_and_gets_its_answer():
    async with listening(make_server(echo_size)) as port:
        output = await curl(port, "-H", "Content-Type: application/json", "-d", '{"status": "running"}')
        assert output.startswith(b"HTTP/1.1 200 OK\r\n")
        assert output.endswith(b'{"method": "POST", "bytes": 21}')


async def test_curl_waits_for_100_continue_before_a_large_body():
    async with listening(make_server(echo_size)) as port:
        arguments = ("-H", "Content-Type: application/json", "-H", "Expect: 100-continue", "--data-binary", "@-")
        output = await curl(port, "--expect100-timeout", "9", *arguments, data=b" " * 200_000)
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
            with trio.fail_after(10):
                await gone.wait()
