"""Pump: usual requests are taken as they come in and answered later; all others find their task."""

from contextlib import asynccontextmanager

import pytest
import trio

from schemas.fault import Invalid
from sendensed.net.http import Response
from sendensed.net.limits import Limits
from sendensed.net.pump import Pump
from tests.sendensed.net.rig import Client, Handler, listening, make_server
from tests.waits import PATIENCE

HEAD = b"POST /push HTTP/1.1\r\nHost: hub\r\nContent-Length: 4\r\n\r\n"
BIG = 16 * 1024 * 1024


class Desk:
    """Takes what is pushed; the test answers it, or has it refused."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answer = []
        self.error: Exception | None = None
        self.is_open = True

    def quick(self, request):
        return self.take if request.path == "/push" else None

    def take(self, body, answered) -> bool:
        if self.error is not None:
            raise self.error
        if self.is_open:
            self.bodies.append(body)
            self.answer.append(answered)
        return self.is_open

    def tell(self, body: bytes) -> None:
        self.answer.pop(0)(Response(200, body, "text/plain"))


class House:
    """A server with a desk, and one client whose head it knows."""

    def __init__(self, **options) -> None:
        self.desk, self.handler = Desk(), Handler()
        self.server = make_server(self.handler, quick=self.desk.quick, **options)

    @asynccontextmanager
    async def visited(self):
        async with listening(self.server) as self.port, self.client() as client:
            assert (await client.ask(HEAD + b"last")).body == b"POST /push"
            yield client

    @asynccontextmanager
    async def client(self):
        """One more client."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            yield Client(stream)

    async def taken(self) -> None:
        """Returns once a request waits for its answer."""
        with trio.fail_after(PATIENCE):
            while not self.desk.answer:
                await trio.sleep(0.001)

    async def empty(self) -> None:
        """Returns once no connection is left."""
        with trio.fail_after(PATIENCE):
            while self.server.connections:
                await trio.sleep(0.001)


async def test_a_request_with_a_known_head_is_taken_and_answered_when_the_answer_comes():
    house = House()
    async with house.visited() as client:
        for body in (b"this", b"that"):
            await client.send(HEAD + body)
            await house.taken()
            house.desk.tell(b"got " + body)
            assert (await client.answer()).body == b"got " + body
        assert house.desk.bodies == [b"this", b"that"]
        assert len(house.handler.requests) == 1


async def test_a_head_is_known_on_every_connection():
    house = House()
    async with house.visited(), house.client() as other:
        await other.send(HEAD + b"same")
        await house.taken()
        house.desk.tell(b"good")
        assert (await other.answer()).body == b"good"


async def test_what_the_taker_does_not_want_goes_to_the_handler_and_so_does_what_is_not_whole():
    house = House()
    async with house.visited() as client:
        house.desk.is_open = False
        assert (await client.ask(HEAD + b"this")).body == b"POST /push"
        house.desk.is_open = True
        await client.send(HEAD + b"th")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (await client.ask(b"at")).body == b"POST /push"
        assert (await client.ask(b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n")).body == b"GET /a"
        assert [request.body for request in house.handler.requests] == [b"last", b"this", b"that", b""]
        assert house.desk.bodies == []


async def test_requests_that_come_before_the_answer_are_answered_after_it_in_their_order():
    house = House()
    async with house.visited() as client:
        await client.send(HEAD + b"this")
        await house.taken()
        await client.send(HEAD + b"more" + b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert len(house.handler.requests) == 1
        house.desk.tell(b"first")
        assert [(await client.answer()).body for _ in range(3)] == [b"first", b"POST /push", b"GET /a"]


async def test_a_peer_that_has_said_its_end_still_gets_its_answer():
    house = House()
    async with house.visited() as client:
        await client.send(HEAD + b"this")
        await client.stream.send_eof()
        await house.taken()
        house.desk.tell(b"and good bye")
        assert (await client.answer()).body == b"and good bye"
        assert await client.ended()


async def test_an_answer_to_a_peer_that_has_gone_ends_its_connection_and_nothing_else():
    house = House()
    async with house.visited() as client:
        await client.send(HEAD + b"this")
        await house.taken()
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        house.desk.tell(bytes(BIG))
        await house.empty()


async def test_an_answer_larger_than_the_socket_holds_arrives_whole_and_the_next_request_is_taken():
    house = House()
    async with house.visited() as client:
        await client.send(HEAD + b"this")
        await house.taken()
        house.desk.tell(bytes(BIG))
        assert (await client.answer()).body == bytes(BIG)
        await client.send(HEAD + b"that")
        await house.taken()
        house.desk.tell(b"good")
        assert (await client.answer()).body == b"good"


async def test_an_answer_to_what_was_taken_may_be_held_back_and_what_comes_meanwhile_is_answered_after_it():
    house = House()
    async with house.visited() as client:
        await client.send(HEAD + b"this")
        await house.taken()
        began = trio.current_time()
        house.desk.answer.pop(0)(Response(200, b"late", pause=0.2))
        await client.send(b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n")
        assert (await client.answer()).body == b"late"
        assert trio.current_time() - began >= 0.2
        assert (await client.answer()).body == b"GET /a"
        await client.send(HEAD + b"that")
        await house.taken()
        house.desk.tell(b"good")
        assert (await client.answer()).body == b"good"


async def test_a_draining_server_answers_what_it_has_taken_and_closes():
    house = House()
    async with house.visited() as client, house.client() as idle:
        await idle.ask(b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n")
        await client.send(HEAD + b"this")
        await house.taken()
        house.server.drain()
        assert await idle.ended()
        house.desk.tell(b"the last")
        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"the last", "close")
        assert await client.ended()


async def test_a_body_outside_the_contract_is_400_and_a_bug_is_500_with_its_id():
    house = House()
    async with house.visited() as client:
        house.desk.error = Invalid("status: no", "status")
        answer = await client.ask(HEAD + b"this")
        assert (answer.status, b"status: no" in answer.body) == (400, True)
        house.desk.error = ValueError("a bug")
        answer = await client.ask(HEAD + b"this")
        assert (answer.status, b"bug-1" in answer.body) == (500, True)
        house.desk.error = None
        await client.send(HEAD + b"this")
        await house.taken()
        house.desk.tell(b"good")
        assert (await client.answer()).body == b"good"


async def test_who_waits_for_his_answer_is_not_idle_and_idle_he_is_from_then_on(mock_clock):
    house = House(limits=Limits(idle=20, answer=60))
    async with house.visited() as client:
        await client.send(HEAD + b"this")
        while not house.desk.answer:
            await trio.testing.wait_all_tasks_blocked(0.001)
        mock_clock.jump(50)
        await trio.testing.wait_all_tasks_blocked(0.01)
        house.desk.tell(b"good")
        assert (await client.answer()).body == b"good"
        mock_clock.jump(19)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert house.server.connections == 1
        mock_clock.jump(2)
        assert await client.ended()


async def test_an_answer_that_comes_as_a_deadline_passes_arrives_whole(mock_clock):
    house = House(limits=Limits(idle=20, answer=60))
    async with house.visited() as client:
        for wakes_first in (True, False):
            await client.send(HEAD + b"this")
            while not house.desk.answer:
                await trio.testing.wait_all_tasks_blocked(0.001)
            mock_clock.jump(30)  # the scope of the wait is over, the wait is not
            if wakes_first:
                await trio.lowlevel.checkpoint()
            house.desk.tell(bytes(BIG))
            assert (await client.answer()).body == bytes(BIG)


async def test_an_answer_that_comes_after_its_connection_was_cut_is_dropped():
    house = House()
    async with house.visited() as client:
        await client.send(HEAD + b"this")
        await house.taken()
    house.desk.tell(b"too late")
    assert house.server.connections == 0


@pytest.mark.parametrize("size", [1, 5, len(HEAD), len(HEAD) + 3])
async def test_a_request_in_two_pieces_is_one_request(size: int):
    house = House()
    async with house.visited() as client:
        await client.send((HEAD + b"this")[:size])
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (await client.ask((HEAD + b"this")[size:])).body == b"POST /push"


async def test_a_closed_pump_reads_no_more():
    pump = Pump()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        with pump:
            await trio.testing.wait_all_tasks_blocked()
