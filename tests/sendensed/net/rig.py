"""Rig: a server on in-memory streams, and a client that reads whole answers."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httptools
import trio
from trio.testing import memory_stream_pair

from sendensed.net.http import Request, Response
from sendensed.net.pump import Pump
from sendensed.net.server import Server

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class Answer:
    """One answer as a client sees it."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """The client's end of a connection."""

    def __init__(self, stream):
        self.stream = stream
        self._answers = []
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._body = {}, bytearray()

    async def send(self, data):
        await self.stream.send_all(data)

    async def ask(self, data):
        await self.send(data)
        return await self.answer()

    async def answer(self):
        """The next answer; None where the connection ended before it."""
        while not self._answers:
            data = await self.stream.receive_some(65536)
            if not data:
                return None
            self._parser.feed_data(data)
        return self._answers.pop(0)

    async def ended(self):
        """Whether the server has closed without another byte."""
        return not self._answers and await self.stream.receive_some(65536) == b""

    def on_header(self, name, value):
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body):
        self._body += body

    def on_message_complete(self):
        self._answers.append(Answer(self._parser.get_status_code(), self._headers, bytes(self._body)))
        self._headers, self._body = {}, bytearray()


class Handler:
    """Answers every request with what it got; keeps the requests."""

    def __init__(self):
        self.requests = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, f"{request.method} {request.path}".encode(), "text/plain")


def make_server(handler, **options):
    return Server(handler, wall=lambda: NOON, make_id=lambda: "bug-1", **{"pump": Pump(), **options})


@asynccontextmanager
async def connected(server):
    """A client of this server. At the end its stream is closed, and the server's task must end by itself."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_connection, theirs)
        yield Client(ours)
        await ours.aclose()


@asynccontextmanager
async def listening(server):
    """The port of this server on the loopback."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.pump.run)
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, server.serve_connection, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()
