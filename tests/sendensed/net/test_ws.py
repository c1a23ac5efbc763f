"""WebSocket: a viewer's connection on the hub's own port, in memory, on a clock that jumps."""

from contextlib import asynccontextmanager

import pytest
import trio
import trio_websocket
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from trio.testing import lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from sendensed.net import ws
from sendensed.net.http import Response, Upgrade
from tests.sendensed.net.rig import Client, connected, make_server

ASK = (
    b"GET /feed HTTP/1.1\r\nHost: hub\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def feed(run, **options):
    """A server whose every address is a websocket served by `run`."""

    async def handler(request):
        return Upgrade(run)

    return make_server(handler, **options)


async def echo(socket):
    while True:
        message = await socket.receive()
        await socket.send(ws.text_frame(message.encode() if isinstance(message, str) else b"bytes"))


async def wait(socket):
    """As a feed without news: reads, and never says a word."""
    while True:
        await socket.receive()


@asynccontextmanager
async def viewing(server):
    """A websocket client of this server; at the end the server's task must end by itself."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_connection, theirs)
        viewer = await trio_websocket.wrap_client_stream(nursery, ours, "hub", "/feed")
        yield viewer
        await viewer.aclose()
        await ours.aclose()
    assert server.connections == 0


def masked(opcode, payload, final=True):
    """A client's frame, its mask all zeros."""
    return bytes([0x80 * final | opcode, 0x80 | len(payload)]) + bytes(4) + payload


async def upgrade(client):
    """Asks for the websocket; returns the head of the answer."""
    await client.send(ASK)
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += await client.stream.receive_some(1)
    return data


async def test_messages_go_both_ways_after_the_upgrade(autojump_clock):
    async with viewing(feed(echo)) as viewer:
        for text in ("hello", "x" * 300, "", "ä€😀"):
            await viewer.send_message(text)
            assert await viewer.get_message() == text


async def test_requests_come_before_a_websocket_on_the_same_connection(autojump_clock):
    async def handler(request):
        return Upgrade(echo) if request.upgrade else Response(200, b"{}")

    async with connected(make_server(handler)) as client:
        assert (await client.ask(b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n")).status == 200
        head = await upgrade(client)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        await client.send(masked(1, b"hi"))
        assert await client.stream.receive_some() == b"\x81\x02hi"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"Version: 13", b"Version: 8"), 426),
        ((b"Sec-WebSocket-Version: 13\r\n", b""), 426),
        ((b"Connection: keep-alive, Upgrade", b"Connection: keep-alive"), 426),
        ((b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n"), 426),
        ((b"GET", b"POST"), 426),
        ((b"dGhlIHNhbXBsZSBub25jZQ==", b"c2hvcnQ="), 400),
        ((b"dGhlIHNhbXBsZSBub25jZQ==", b"not base64 at all!"), 400),
        ((b"dGhlIHNhbXBsZSBub25jZQ==", b"\xff"), 400),
        ((b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""), 400),
        ((b"\r\n\r\n", b"\r\n\r\n" + masked(1, b"early")), 400),
    ],
)
async def test_what_is_no_websocket_handshake_is_refused(autojump_clock, change, status):
    async with connected(feed(echo)) as client:
        answer = await client.ask(ASK.replace(*change))
        assert answer.status == status


@pytest.mark.parametrize(
    "change",
    [
        (b"Host: hub", b"Host: a..b"),
        (b"Host: hub", b"Host: xn--\r\nSec-WebSocket-Protocol: \xff,\xfe"),
        (b"Host: hub", b"Host: hub\r\nSec-WebSocket-Extensions: permessage-deflate; \xff=1"),
        (b"/feed", b"/%ff%00?a=%zz"),
        (b"Host: hub", b"Host: hub\r\nContent-Length: 0\r\nTransfer: chunked"),
    ],
)
async def test_odd_fields_beside_a_handshake_do_no_harm(autojump_clock, change):
    async with connected(feed(echo)) as client:
        await client.send(ASK.replace(*change))
        assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_a_handler_may_refuse_a_handshake_and_the_connection_ends(autojump_clock):
    async def handler(request):
        return Response(401)

    async with connected(make_server(handler)) as client:
        answer = await client.ask(ASK + ASK)
        assert answer.status == 401
        assert answer.headers["connection"] == "close"
        assert await client.ended()


async def test_the_websocket_closes_normally_when_its_run_ends(autojump_clock):
    async def brief(socket):
        await socket.send(ws.text_frame(b"bye"))

    async with viewing(feed(brief)) as viewer:
        assert await viewer.get_message() == "bye"
        with pytest.raises(trio_websocket.ConnectionClosed):
            await viewer.get_message()
        assert viewer.closed.code == 1000


async def test_run_may_close_with_a_code_and_a_reason(autojump_clock):
    async def drained(socket):
        await socket.close(ws.TRY_AGAIN, "too slow")
        with pytest.raises(ws.Gone):
            await socket.send(ws.text_frame(b"more"))
        with pytest.raises(ws.Gone):
            socket.try_send(ws.text_frame(b"more"))
        with pytest.raises(ws.Gone):
            await socket.receive()

    async with viewing(feed(drained)) as viewer:
        with pytest.raises(trio_websocket.ConnectionClosed):
            await viewer.get_message()
        assert (viewer.closed.code, viewer.closed.reason) == (1013, "too slow")


async def test_a_bug_in_run_is_logged_and_closes_with_1011(autojump_clock):
    async def broken(socket):
        async with trio.open_nursery():
            raise RuntimeError("secret")

    with capture_logs() as logs:
        async with viewing(feed(broken)) as viewer:
            with pytest.raises(trio_websocket.ConnectionClosed):
                await viewer.get_message()
            assert (viewer.closed.code, viewer.closed.reason) == (1011, None)
    assert [entry["id"] for entry in logs] == ["bug-1"]


async def test_run_is_cancelled_when_the_peer_closes_the_websocket(autojump_clock):
    ended = trio.Event()

    async def deaf(socket):
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with viewing(feed(deaf)) as viewer:
        await viewer.aclose()
        await ended.wait()
        assert trio.current_time() == 0


async def test_run_is_cancelled_when_the_peer_just_goes_away(autojump_clock):
    ended = trio.Event()

    async def deaf(socket):
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    server = feed(deaf)
    with capture_logs() as logs:
        async with connected(server) as client:
            await upgrade(client)
            await client.stream.aclose()
            await ended.wait()
    assert logs == []
    assert server.connections == 0


async def test_a_peer_that_answers_pings_is_pinged_every_20_s_and_stays(autojump_clock):
    async with connected(feed(wait)) as client:
        await upgrade(client)
        for n in range(1, 50):
            ping = await client.stream.receive_some()
            assert ping[:2] == b"\x89\x08"
            assert trio.current_time() == pytest.approx(20 * n)
            await client.send(masked(10, ping[2:]))


async def test_a_peer_that_leaves_a_ping_unanswered_is_gone_after_40_s_and_its_close_is_bounded(autojump_clock):
    server = feed(wait)
    async with connected(server) as client:
        await upgrade(client)
        data = b""
        while piece := await client.stream.receive_some():
            data += piece
        assert data.startswith(b"\x89\x08")
        assert trio.current_time() <= 51
        await trio.sleep(10)
        assert server.connections == 0


async def test_a_message_over_4_kib_closes_with_1009(autojump_clock):
    async with viewing(feed(wait)) as viewer:
        await viewer.send_message("x" * 4096)
        await viewer.send_message("x" * 4097)
        with pytest.raises(trio_websocket.ConnectionClosed):
            await viewer.get_message()
        assert viewer.closed.code == 1009


async def test_a_viewer_that_does_not_read_is_cut_off_10_s_after_the_socket_is_full(autojump_clock):
    gone_at = None

    async def chatty(socket):
        nonlocal gone_at
        try:
            await socket.send(ws.text_frame(b"x" * 1000))
        finally:
            gone_at = trio.current_time()

    ours, theirs = lockstep_stream_pair()
    server = feed(chatty)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_connection, theirs)
        await upgrade(Client(ours))
        while server.connections:
            await trio.sleep(1)
        assert gone_at == pytest.approx(10, abs=0.1)
    await ours.aclose()


async def test_cancellation_from_outside_cuts_a_websocket(autojump_clock):
    server = feed(wait)
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_connection, theirs)
        await upgrade(Client(ours))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert server.connections == 0
    await ours.aclose()


async def test_a_drain_leaves_websockets_to_those_who_run_them(autojump_clock):
    server = feed(echo)
    async with viewing(server) as viewer:
        await viewer.send_message("a")
        assert await viewer.get_message() == "a"
        server.drain()
        await viewer.send_message("b")
        assert await viewer.get_message() == "b"


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
async def test_a_text_frame_is_one_whole_message_of_any_size(autojump_clock, size):
    async def send(socket):
        await socket.send(ws.text_frame(b"x" * size))

    async with viewing(feed(send)) as viewer:
        assert await viewer.get_message() == "x" * size


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.builds(masked, st.integers(0, 15), st.binary(max_size=125), st.booleans()),
            st.sampled_from([b"\x81", b"\x88\x82\0\0\0\0\x03\xe8", b"\x81\xfe\x20\x00" + bytes(5000)]),
        ),
        max_size=6,
    )
)
def test_no_bytes_of_a_peer_raise_or_leave_a_task_behind(pieces):
    async def main():
        server = feed(echo)
        ours, theirs = memory_stream_pair()
        with capture_logs() as logs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.serve_connection, theirs)
                client = Client(ours)
                await upgrade(client)
                try:
                    for piece in pieces:
                        await client.send(piece)
                    await ours.send_eof()
                except trio.BrokenResourceError:
                    pass
                while await ours.receive_some():
                    pass
                await ours.aclose()
        assert logs == []
        assert server.connections == 0

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
