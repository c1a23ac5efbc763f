"""Connection: what a peer gets for good and bad manners, and when; all in memory, on a clock that jumps."""

import sys

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from schemas.fault import Invalid
from sendensed.net.http import Response, Upgrade, fault, refuse
from sendensed.net.limits import Limits
from sendensed.net.ws import WebSocket
from tests.sendensed.net.rig import Client, Handler, connected, make_server

GET = b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\n"


async def test_pipelined_requests_are_answered_in_order(autojump_clock):
    handler = Handler()
    async with connected(make_server(handler)) as client:
        await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: hub\r\n\r\n" % n for n in range(50)))
        assert [(await client.answer()).body for _ in range(50)] == [b"GET /%d" % n for n in range(50)]


@pytest.mark.parametrize("more", [b"", GET])
async def test_an_answer_that_is_held_back_keeps_nothing_of_its_request_and_its_place_in_the_order(
    autojump_clock, more
):
    bodies = []

    async def handler(request):
        if request.method == "GET":
            return Response(200, b"next")
        bodies.append(request.body)
        return Response(503, b"later", pause=5.0, close=not more)

    async with connected(make_server(handler)) as client:
        await client.send(POST + b"{}" + more)
        await wait_all_tasks_blocked()
        await trio.sleep(1)
        held = sys.getrefcount(bodies[0])
        assert held == 2  # by our list and by the call itself
        answer = await client.answer()
        assert (answer.status, trio.current_time()) == (503, pytest.approx(5))
        assert (answer.headers.get("connection") == "close") == (not more)
        if more:
            assert (await client.answer()).body == b"next"
        else:
            assert await client.ended()


async def test_a_silent_connection_is_closed_without_a_word_after_10_s(autojump_clock):
    async with connected(make_server(Handler())) as client:
        assert await client.ended()
        assert trio.current_time() == pytest.approx(10)


async def test_an_idle_connection_is_closed_without_a_word_75_s_after_its_last_answer(autojump_clock):
    async with connected(make_server(Handler())) as client:
        for pause in (3, 74, 20, 74.5, 61):
            await trio.sleep(pause if trio.current_time() else 0)
            assert (await client.ask(GET)).status == 200
        last = trio.current_time()
        assert await client.ended()
        assert trio.current_time() - last == pytest.approx(75)


@pytest.mark.parametrize("idle", [1, 30, 74, 75, 100, 600])
async def test_the_idle_time_is_exact_whatever_it_is(autojump_clock, idle):
    async with connected(make_server(Handler(), limits=Limits(idle=idle))) as client:
        for _ in range(3):
            assert (await client.ask(GET)).status == 200
            await trio.sleep(idle - 0.5)
        assert (await client.ask(GET)).status == 200
        last = trio.current_time()
        assert await client.ended()
        assert trio.current_time() - last == pytest.approx(idle)


async def test_empty_lines_do_not_keep_an_idle_connection_open(autojump_clock):
    async with connected(make_server(Handler())) as client:
        await client.ask(GET)
        for _ in range(7):
            await trio.sleep(10)
            await client.send(b"\r\n")
        assert await client.ended()
        assert trio.current_time() == pytest.approx(75)


@pytest.mark.parametrize(
    ("start", "byte", "part"), [(b"", b"G", b"head"), (GET[:-2] + b"X: ", b"y", b"head"), (POST, b" ", b"body")]
)
async def test_a_request_of_one_byte_a_second_ends_with_408_after_10_s(autojump_clock, start, byte, part):
    handler = Handler()
    start = start.replace(b": 2", b": 99")
    async with connected(make_server(handler)) as client, trio.open_nursery() as nursery:

        async def trickle():
            await client.send(start)
            while True:
                await client.send(byte if start else GET[: int(trio.current_time()) + 1][-1:])
                await trio.sleep(1)

        nursery.start_soon(trickle)
        answer = await client.answer()
        assert answer.status == 408
        assert part in answer.body
        assert answer.headers["connection"] == "close"
        assert trio.current_time() == pytest.approx(10)
        nursery.cancel_scope.cancel()
    assert handler.requests == []


async def test_the_second_of_two_pipelined_requests_has_its_own_10_s(autojump_clock):
    async with connected(make_server(Handler())) as client:
        await client.ask(GET)
        await trio.sleep(60)
        await client.send(GET + GET[:10])
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 408
        assert trio.current_time() == pytest.approx(70)


async def test_a_handler_may_take_59_s_even_after_a_long_silence(autojump_clock):
    async def slow(request):
        await trio.sleep(59)
        return Response()

    async with connected(make_server(slow)) as client:
        for pause in (0, 74, 14, 74):
            await trio.sleep(pause)
            assert (await client.ask(GET)).status == 200


async def test_a_handler_that_is_stuck_is_cut_off_with_503_after_60_to_75_s(autojump_clock):
    async def stuck(request):
        await trio.sleep_forever()

    async with connected(make_server(stuck)) as client:
        answer = await client.ask(GET + GET)
        assert answer.status == 503
        assert 60 <= trio.current_time() <= 75
        assert await client.answer() is None


async def test_a_bug_is_answered_with_the_id_that_is_in_the_log_and_nothing_of_its_cause(autojump_clock):
    async def broken(request):
        raise RuntimeError("SELECT secret")

    async with connected(make_server(broken)) as client:
        with capture_logs() as logs:
            answer = await client.ask(GET)
        assert answer.status == 500
        assert answer.body == b'{"error":{"code":"internal","message":"internal error bug-1"}}'
        [entry] = logs
        assert entry["id"] == "bug-1"
        assert str(entry["exc_info"]) == "SELECT secret"
        assert (await client.ask(GET)).status == 500


async def test_an_invalid_request_is_answered_400_and_the_connection_goes_on(autojump_clock):
    async def picky(request):
        raise Invalid("too loud", "volume")

    async with connected(make_server(picky)) as client:
        for _ in range(2):
            answer = await client.ask(GET)
            assert answer.status == 400
            assert answer.body == b'{"error":{"code":"invalid","message":"too loud","field":"volume"}}'
            assert "connection" not in answer.headers


async def test_a_handler_may_raise_a_refusal(autojump_clock):
    async def strict(request):
        raise refuse(403, "no", "not you")

    async with connected(make_server(strict)) as client:
        assert (await client.ask(GET)).status == 403
        assert await client.ended()


async def test_a_field_with_a_line_break_is_a_bug_not_a_second_answer(autojump_clock):
    async def injected(request):
        return Response(headers=(("X-Name", "a\r\n\r\nHTTP/1.1 200 OK"),))

    async with connected(make_server(injected)) as client:
        with capture_logs():
            assert (await client.ask(GET)).status == 500


async def test_head_is_answered_with_the_length_and_without_the_body(autojump_clock):
    async with connected(make_server(Handler())) as client:
        await client.send(GET.replace(b"GET", b"HEAD"))
        data = await client.stream.receive_some()
        assert data.endswith(b"\r\n\r\n")
        assert b"Content-Length: 7\r\n" in data


async def test_every_answer_has_the_date_of_the_wall_clock(autojump_clock):
    async with connected(make_server(Handler())) as client:
        assert (await client.ask(GET)).headers["date"] == "Mon, 23 Nov 2026 12:00:00 GMT"


async def test_http_1_0_is_closed_unless_it_asks_to_stay(autojump_clock):
    async with connected(make_server(Handler())) as client:
        answer = await client.ask(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer.headers["connection"] == "keep-alive"
        answer = await client.ask(b"GET /a HTTP/1.0\r\n\r\n")
        assert answer.headers["connection"] == "close"
        assert await client.ended()


async def test_a_handler_may_close_the_connection(autojump_clock):
    async def last(request):
        return fault(401, "no_token", "who are you", close=True)

    async with connected(make_server(last)) as client:
        assert (await client.ask(GET)).status == 401
        assert await client.ended()


async def test_100_continue_comes_before_the_body_is_sent(autojump_clock):
    async with connected(make_server(Handler())) as client:
        await client.send(GET + POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert (await client.answer()).status == 200
        assert await client.stream.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"{}")).status == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") + b"{", 408),
        (POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") + b"{}", 200),
        (POST.replace(b": 2\r\n\r\n", b": 999999\r\nExpect: 100-continue\r\n\r\n"), 413),
        (POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nContent-Encoding: gzip\r\n\r\n"), 415),
        (GET.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"), 200),
        (b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{", 408),
    ],
)
async def test_100_continue_is_not_sent_where_the_body_came_along_or_is_refused(autojump_clock, data, status):
    async with connected(make_server(Handler())) as client:
        await client.send(data)
        assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 %d " % status)


async def test_after_a_refusal_the_connection_ends_and_nothing_more_is_handled(autojump_clock):
    handler = Handler()
    async with connected(make_server(handler)) as client:
        await client.send(GET + b"GET /b HTTP/1.1\nHost: hub\r\n\r\n" + GET)
        assert (await client.answer()).status == 200
        answer = await client.answer()
        assert answer.status == 400
        assert answer.headers["connection"] == "close"
        await client.send(GET)
        assert await client.ended()
    assert len(handler.requests) == 1


async def test_a_peer_that_has_closed_its_sending_side_is_still_answered(autojump_clock):
    async with connected(make_server(Handler())) as client:
        await client.send(GET)
        await client.stream.send_eof()
        assert (await client.answer()).status == 200
        assert await client.ended()


async def test_half_a_request_before_the_end_is_not_handled(autojump_clock):
    handler = Handler()
    async with connected(make_server(handler)) as client:
        await client.send(POST + b"{")
        await client.stream.send_eof()
        assert await client.ended()
    assert handler.requests == []


async def test_a_peer_that_goes_away_before_its_answer_is_no_error(autojump_clock):
    async def slow(request):
        await trio.sleep(5)
        return Response()

    with capture_logs() as logs:
        async with connected(make_server(slow)) as client:
            await client.send(GET)
            await wait_all_tasks_blocked()
    assert logs == []


async def test_a_peer_that_does_not_read_its_answer_is_cut_off_after_10_s(autojump_clock):
    ours, theirs = lockstep_stream_pair()
    server = make_server(Handler())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_connection, theirs)
        await ours.send_all(GET)
        await wait_all_tasks_blocked()
        start = trio.current_time()
        while server.connections:
            await trio.sleep(0.1)
        assert trio.current_time() - start <= 10.2
    await ours.aclose()


async def test_draining_closes_idle_connections_at_once_and_others_after_their_answer(autojump_clock):
    async def slow(request):
        await trio.sleep(3)
        return Response()

    server = make_server(slow)
    async with (
        connected(server) as fresh,
        connected(server) as idle,
        connected(server) as busy,
        connected(server) as half,
    ):
        await idle.ask(GET)
        await busy.send(GET + GET)
        await half.send(GET[:10])
        await wait_all_tasks_blocked()
        start = trio.current_time()
        server.drain()
        assert await fresh.ended()
        assert await idle.ended()
        assert trio.current_time() == start
        assert (await busy.answer()).headers["connection"] == "close"
        assert await busy.answer() is None
        answer = await half.ask(GET[10:])
        assert answer.status == 200
        assert answer.headers["connection"] == "close"


async def test_a_connection_that_comes_after_the_drain_began_is_closed_at_once(autojump_clock):
    server = make_server(Handler())
    server.drain()
    async with connected(server) as client:
        assert await client.ended()
        assert trio.current_time() == 0


async def test_a_request_that_comes_in_as_the_drain_begins_is_answered(autojump_clock):
    server = make_server(Handler())
    async with connected(server) as client:
        await client.ask(GET)
        await wait_all_tasks_blocked()
        await client.send(GET)
        server.drain()
        answer = await client.answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("data", [GET, GET + GET, POST + b"{}"])
async def test_a_request_whose_bytes_are_there_when_the_idle_time_ends_is_answered_in_full(autojump_clock, data):
    async def slow(request):
        await trio.sleep(3)
        return Response()

    async with connected(make_server(slow)) as client:
        await client.ask(GET)
        await trio.sleep(74.5)
        await client.send(data)
        autojump_clock.jump(1)  # before the server's task has run
        assert (await client.answer()).status == 200
        assert (await client.ask(GET)).status == 200


async def test_half_a_request_that_is_there_when_the_idle_time_ends_has_its_10_s(autojump_clock):
    async with connected(make_server(Handler())) as client:
        await client.ask(GET)
        await trio.sleep(74.5)
        await client.send(GET[:9])
        autojump_clock.jump(1)
        await trio.sleep(9)
        assert (await client.ask(GET[9:])).status == 200


async def test_a_connection_over_the_limit_gets_503_and_the_others_live_on(autojump_clock):
    server = make_server(Handler(), limits=Limits(connections=1))
    async with connected(server) as first:
        await first.ask(GET)
        async with connected(server) as second:
            answer = await second.answer()
            assert answer.status == 503
            assert answer.headers["retry-after"] == "2"
        assert (await first.ask(GET)).status == 200
    async with connected(server) as third:
        assert (await third.ask(GET)).status == 200


async def test_beyond_256_turned_away_at_a_time_connections_are_closed_without_a_word(autojump_clock):
    server = make_server(Handler(), limits=Limits(connections=0))
    async with trio.open_nursery() as nursery:
        clients = []
        for _ in range(257):
            ours, theirs = memory_stream_pair()
            nursery.start_soon(server.serve_connection, theirs)
            await wait_all_tasks_blocked()
            clients.append(Client(ours))
        assert await clients[-1].ended()
        assert (await clients[0].answer()).status == 503
        for client in clients:
            await client.stream.aclose()


async def test_cancellation_from_outside_cuts_the_connection_in_a_wait_and_in_a_handler(autojump_clock):
    async def stuck(request):
        await trio.sleep_forever()

    server = make_server(stuck)
    for data in (b"", GET):
        ours, theirs = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve_connection, theirs)
            await ours.send_all(data)
            await wait_all_tasks_blocked()
            assert server.connections == 1
            nursery.cancel_scope.cancel()
        assert server.connections == 0
        assert await ours.receive_some() == b""
        await ours.aclose()


async def test_a_request_that_did_not_ask_for_a_websocket_is_answered_426_and_goes_on(autojump_clock):
    async def feed(request):
        return Upgrade(WebSocket.receive)

    async with connected(make_server(feed)) as client:
        await client.send(GET + GET)
        for _ in range(2):
            answer = await client.answer()
            assert answer.status == 426
            assert answer.headers["upgrade"] == "websocket"
