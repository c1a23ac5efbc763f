"""Session: what a server may answer, in pieces and in any order, and what ends the connection."""

import contextlib
import re
import socket
import struct

import pytest

from clientd.disk.nbd import wire
from clientd.disk.nbd.session import Request, Session
from clientd.disk.nbd.transport import Lost, Plain
from clientd.disk.nbd.wire import Export

SIZE = 4096
FLUSHES = wire.SEND_FLUSH | wire.SEND_FUA


class Server:
    """The other end of a connection: what it is to say is said beforehand, what it was asked is read later."""

    def __init__(self, structured=True, flags=FLUSHES):
        ours, self.socket = socket.socketpair()
        for each in (ours, self.socket):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        self.session = Session(Plain(ours, 5.0), Export(2**30, flags, structured=structured))
        self.asked = 0

    def read(self, offset=0):
        """A request to read a block, begun."""
        request = Request(wire.READ, offset, SIZE, memoryview(bytearray(SIZE)))
        self.session.send(request)
        self.asked += 1
        return request, self.asked

    def says(self, *parts):
        self.socket.sendall(b"".join(parts))

    def heard(self):
        """The head of the next request, as numbers."""
        return wire.request_head.unpack(self.socket.recv(wire.request_head.size, socket.MSG_WAITALL))


@pytest.fixture
def make():
    """Makes servers that are closed with the test."""
    with contextlib.ExitStack() as opened:

        def made(**options):
            server = Server(**options)
            opened.callback(server.socket.close)
            opened.callback(server.session.close)
            return server

        yield made


@pytest.fixture
def server(make):
    return make()


def simple(cookie, data=b"", error=0):
    return wire.reply_head.pack(wire.SIMPLE_REPLY, error, cookie) + data


def chunk(cookie, kind, body=b"", done=True):
    middle = (wire.REPLY_DONE if done else 0) << 16 | kind
    head = wire.reply_head.pack(wire.STRUCTURED_REPLY, middle, cookie)
    return head + wire.chunk_length.pack(len(body)) + body


def data(cookie, offset, content, done=True):
    return chunk(cookie, wire.REPLY_OFFSET_DATA, struct.pack(">Q", offset) + content, done)


A, B = b"a" * SIZE, b"b" * SIZE


def test_a_read_comes_in_one_chunk_and_takes_its_time(server):
    request, cookie = server.read(8192)
    server.says(data(cookie, 8192, A))
    server.session.wait(request)
    assert bytes(request.view) == A
    assert request.error == 0
    assert 0 < server.session.latency < 1
    assert 0 < server.session.network < 1


def test_a_read_comes_in_pieces_with_holes_in_any_order(server):
    request, cookie = server.read(8192)
    request.view[:] = B
    server.says(
        data(cookie, 8192 + 3072, A[:1024], done=False),
        chunk(cookie, wire.REPLY_OFFSET_HOLE, wire.hole.pack(8192, 2048), done=False),
        data(cookie, 8192 + 2048, A[:1024], done=False),
        chunk(cookie, wire.REPLY_NONE),
    )
    server.session.wait(request)
    assert bytes(request.view) == bytes(2048) + A[:2048]


def test_replies_come_in_another_order_than_requests(server):
    one, first = server.read(0)
    other, second = server.read(SIZE)
    server.says(data(second, SIZE, B), data(first, 0, A))
    server.session.wait(one)
    assert other.done
    server.session.wait(other)
    assert (bytes(one.view), bytes(other.view)) == (A, B)


def test_a_server_without_structured_replies_sends_simple_ones(make):
    server = make(structured=False)
    request, cookie = server.read()
    server.says(simple(cookie, A))
    server.session.wait(request)
    assert bytes(request.view) == A


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda cookie: simple(cookie, error=5), "EIO"),
        (lambda cookie: simple(cookie, error=999), "EINVAL"),
        (lambda cookie: chunk(cookie, wire.REPLY_ERROR + 1, struct.pack(">IH", 28, 3) + b"why"), "ENOSPC.*: why"),
        (
            lambda cookie: (
                data(cookie, 0, A[:100], done=False)
                + chunk(cookie, wire.REPLY_ERROR + 2, struct.pack(">IHQ", 5, 0, 100), done=False)
                + chunk(cookie, wire.REPLY_NONE)
            ),
            "EIO",
        ),
    ],
)
def test_an_error_is_of_its_request_and_the_connection_goes_on(server, answer, cause):
    request, cookie = server.read()
    server.says(answer(cookie))
    server.session.wait(request)
    assert re.search(cause, request.cause)
    following, cookie = server.read()
    server.says(data(cookie, 0, B))
    server.session.wait(following)
    assert bytes(following.view) == B


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda cookie: simple(cookie + 1, A), "answered a request that was never sent"),
        (lambda cookie: b"HTTP/1.1 200 OK " + bytes(16), "a request that was never sent"),
        (lambda cookie: wire.reply_head.pack(7, 0, cookie), "sent what is no reply"),
        (lambda cookie: chunk(cookie, wire.REPLY_NONE), "done of which data is missing"),
        (lambda cookie: data(cookie, 0, A[:100], done=False) + chunk(cookie, 0), "done of which data is missing"),
        (lambda cookie: data(cookie, 1, A), "other data than was asked for"),
        (lambda cookie: data(cookie, SIZE, A, done=False), "other data than was asked for"),
        (lambda cookie: data(cookie, 0, A + A, done=False), "other data than was asked for"),
        (lambda cookie: chunk(cookie, 77), "a chunk of type 77 that makes no sense here"),
        (lambda cookie: chunk(cookie, wire.REPLY_OFFSET_HOLE, b"short"), "type 2 that makes no sense here"),
        (
            lambda cookie: chunk(cookie, wire.REPLY_NONE)[: -wire.chunk_length.size] + b"\xff" * 4,
            "a chunk that is too long",
        ),
        (lambda cookie: data(cookie, 0, A)[:100], "closed the connection"),
    ],
)
def test_what_makes_no_sense_ends_the_connection_and_all_that_is_under_way(server, answer, why):
    request, cookie = server.read()
    server.says(answer(cookie))
    server.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(Lost, match=why):
        server.session.wait(request)
    assert why in server.session.lost
    with pytest.raises(Lost, match=why):
        server.session.wait(request)
    with pytest.raises(Lost, match=why):
        server.read()


def test_a_structured_reply_that_was_not_agreed_on_is_no_reply(make):
    server = make(structured=False)
    request, cookie = server.read()
    server.says(data(cookie, 0, A))
    with pytest.raises(Lost, match="sent what is no reply"):
        server.session.wait(request)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(wire.SEND_FUA, wire.FLAG_FUA), (FLUSHES, 0), (0, 0)],
)
def test_what_changes_the_disk_is_durable_by_itself_where_the_server_cannot_flush(make, flags, expected):
    server = make(flags=flags)
    sent = []
    for kind in (wire.READ, wire.WRITE, wire.WRITE_ZEROES, wire.BLOCK_STATUS):
        view = memoryview(A) if kind == wire.WRITE else memoryview(b"")
        server.session.send(Request(kind, 512, SIZE, view))
        sent.append(server.heard())
        if kind == wire.WRITE:
            assert server.socket.recv(SIZE, socket.MSG_WAITALL) == A
    kinds = (wire.READ, wire.WRITE, wire.WRITE_ZEROES, wire.BLOCK_STATUS)
    fua = (0, expected, expected, 0)
    assert sent == [
        (wire.REQUEST_MAGIC, flag, kind, cookie, 512, SIZE)
        for cookie, (kind, flag) in enumerate(zip(kinds, fua, strict=True), 1)
    ]


def test_the_latency_believed_is_the_least_and_rises_slowly(server):
    for late in (0.05, 0.0, 0.05):
        request, cookie = server.read()
        request.sent -= late
        server.says(data(cookie, 0, A))
        server.session.wait(request)
        if late and cookie == 1:
            assert server.session.latency >= 0.05
    assert 0 < server.session.latency < 0.05


def test_what_tells_nothing_of_data_does_not_count_as_latency(server):
    request = Request(wire.FLUSH)
    server.session.send(request)
    server.says(simple(1))
    server.session.wait(request)
    assert server.session.latency == 0.0
    assert request.error == 0
