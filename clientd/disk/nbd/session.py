"""Session: requests and replies on one connection, shared by any number of threads.

        thread A   request ──▶ ┐                      ┌ ──▶ done
        thread B   request ──▶ ┼ sending   receiving ─┼ ──▶ done        replies come in any order
        thread C      wait ──▶ ┘ (a lock)  (a leader) └ ──▶ done

There is no thread of its own: of those who wait, one leads, receives whatever comes and hands it out, until its
own request is done; then another one leads. Payload goes from the socket straight to where the reader wants it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from clientd.advice import REMOTE
from clientd.disk.nbd import wire
from clientd.disk.nbd.transport import Lost, Transport
from clientd.disk.nbd.wire import Export
from clientd.disk.pace import monotonic
from clientd.errors import printable, reason

_LONGEST_CHUNK = 16 * 1024 * 1024
"""Bytes of a chunk that is no data: lists of extents and words about errors."""
_FORGETTING = 1.001
"""By how much the least latency seen grows with each request, so that a link that became slow is seen as such; no
more, or the waiting that we ourselves cause would be taken for distance."""
_LONGEST_WAIT = 10
"""Patiences from a request to its reply while the server answers others."""
_pack, _unpack, _unpack_data = wire.request_head.pack, wire.reply_head.unpack, wire.chunk_data.unpack
_REQUEST, _REPLY, _CHUNK = wire.request_head.size, wire.reply_head.size, wire.chunk_data.size
_OFFSET = _CHUNK - wire.chunk_length.size
"""Bytes that stand before the data in a chunk's length."""
_MAGIC, _SIMPLE = wire.REQUEST_MAGIC, wire.SIMPLE_REPLY
_READ, _WRITE = wire.READ, wire.WRITE
_NOTHING = memoryview(b"")
_WHOLE = wire.REPLY_DONE << 16 | wire.REPLY_OFFSET_DATA
"""Flags and type of a structured reply's only or last chunk, with data."""


class Request(msgspec.Struct, eq=False):
    """One request. `view` is what a write sends, or where the data of a read goes.

    When `done`, `error` is 0, or the system's number for what went wrong, with `said`, the server's own words.
    `states` are the (length, flags) by metadata context, of a BLOCK_STATUS.
    """

    kind: int
    offset: int = 0
    length: int = 0
    view: memoryview = _NOTHING
    received: int = 0
    sent: float = 0.0
    done: bool = False
    error: int = 0
    said: str = ""
    states: dict[int, list[tuple[int, int]]] = {}

    @property
    def advice(self) -> str:
        """What to do about its error; '' where nothing is known."""
        return REMOTE.get(self.error, "")

    @property
    def cause(self) -> str:
        """What its error means, and what the server says of it."""
        said = f": {self.said}" if self.said else ""
        return f"{reason(OSError(self.error, os.strerror(self.error)))}{said}"


class Session:
    """A connection behind its handshake.

    `latency` is about the least time in seconds that the server lately took from request to reply with data,
    `network` the seconds in all that bytes were moved. `lost` says why the connection is of no use any more; None
    while it is.
    """

    def __init__(self, transport: Transport, export: Export) -> None:
        self.export = export
        self.latency = 0.0
        self.network = 0.0
        self.lost: str | None = None
        self._transport = transport
        self._sending = threading.Lock()
        self._leading = threading.Lock()
        self._change = threading.Condition()
        self._sleepers = 0
        self._waiting: dict[int, Request] = {}
        self._cookies = 0
        changing = (_WRITE, wire.WRITE_ZEROES)
        self._flags = [export.write_flags if kind in changing else 0 for kind in range(wire.BLOCK_STATUS + 1)]
        self._structured = wire.STRUCTURED_REPLY if export.structured else None
        self._head = memoryview(bytearray(_REPLY))
        self._chunk = memoryview(bytearray(_CHUNK))

    def send(self, request: Request) -> None:
        """Sends it. A view that is read into is left alone until it has been waited for. Raises Lost."""
        with self._sending:
            if self.lost is not None:
                raise Lost(self.lost)
            self._cookies = cookie = self._cookies + 1
            self._waiting[cookie] = request
            kind, length = request.kind, request.length
            head = _pack(_MAGIC, self._flags[kind], kind, cookie, request.offset, length)
            request.sent = began = monotonic()
            try:
                if kind == _WRITE:
                    self._transport.send((head, request.view), _REQUEST + length)
                    request.sent = sent = monotonic()
                    self.network += sent - began
                else:
                    self._transport.send((head,), _REQUEST)
            except Lost as error:
                self._lose(str(error))
                raise

    def ask(self, kind: int, offset: int = 0, length: int = 0, view: memoryview = _NOTHING) -> Request:
        """Sends a request and waits for it. Raises Lost."""
        request = Request(kind, offset, length, view)
        self.send(request)
        self.wait(request)
        return request

    def wait(self, request: Request) -> None:
        """Returns when the request is done, receiving meanwhile. Raises Lost."""
        while not request.done:
            if self._leading.acquire(blocking=False):
                try:
                    self._lead(request)
                except Lost as error:
                    self._lose(str(error))
                    raise
                finally:
                    self._leading.release()
                    if self._sleepers:
                        self._wake()
            else:
                self._sleep(request)

    def _lead(self, request: Request) -> None:
        """Receives until the request is done."""
        if self.lost is not None:
            raise Lost(self.lost)
        self._receive_one()
        while not request.done:
            if monotonic() - request.sent > self._longest_wait:
                raise Lost(f"the server has left a request unanswered for {self._longest_wait:g} s")
            self._receive_one()

    def _sleep(self, request: Request) -> None:
        """Until it is done, or nobody leads. A sleeper is counted before it looks, so no change escapes it."""
        with self._change:
            self._sleepers += 1
            self._change.wait_for(lambda: request.done or not self._leading.locked())
            self._sleepers -= 1

    def _wake(self) -> None:
        with self._change:
            self._change.notify_all()

    @property
    def _longest_wait(self) -> float:
        return _LONGEST_WAIT * self._transport.patience

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """So long may the server be silent meanwhile."""
        before = self._transport.patience
        self._transport.patience = seconds
        try:
            yield
        finally:
            self._transport.patience = before

    def close(self) -> None:
        """Closes the connection, with a goodbye where nothing is under way. Calls under way end with Lost."""
        if not self._waiting and self.lost is None:
            try:
                disconnect = _pack(_MAGIC, 0, wire.DISC, 0, 0, 0)
                with self._sending:
                    self._transport.send([disconnect], _REQUEST)
            except Lost:
                pass
        self._lose("the connection was closed")
        with self._sending, self._leading:
            self._transport.close()

    def _lose(self, why: str) -> None:
        """Whoever leads fails soon, and so does all that is not done."""
        with self._change:
            if self.lost is None:
                self.lost = why
                self._transport.abort()

    def _receive_one(self) -> None:
        """Takes one reply, or one chunk of one. Raises Lost."""
        head = self._head
        self._transport.receive((head,), _REPLY)
        magic, middle, cookie = _unpack(head)
        request = self._waiting.get(cookie)
        if request is None:
            raise Lost("the server answered a request that was never sent")
        kind, came = request.kind, monotonic()
        if kind <= _WRITE and not request.received:  # others tell nothing of how long data takes
            known, latency = self.latency, came - request.sent
            self.latency = latency if latency < known or not known else known * _FORGETTING
        if magic == self._structured:
            if middle == _WHOLE and kind == _READ and not request.received:
                self._receive_whole(request, came)
            else:
                self._receive_chunk(request, middle & 0xFFFF)
                if not middle >> 16 & wire.REPLY_DONE:
                    return
                if kind == _READ and request.received != request.length and not request.error:
                    raise Lost("the server called a read done of which data is missing")
        elif magic == _SIMPLE:
            if middle:
                request.error = wire.errno_of(middle)
            elif kind == _READ:
                self._fill(request, request.offset, request.length)
        else:
            raise Lost("the server sent what is no reply")
        del self._waiting[cookie]
        request.done = True
        if self._sleepers:
            self._wake()

    def _receive_whole(self, request: Request, began: float) -> None:
        """One chunk with all of a read: its length is known, so the chunk's head and the data come by one call."""
        chunk, length = self._chunk, request.length
        self._transport.receive((chunk, request.view), _CHUNK + length)
        self.network += monotonic() - began
        if _unpack_data(chunk) != (_OFFSET + length, request.offset):
            raise Lost("the server sent other data than was asked for")

    def _receive_chunk(self, request: Request, kind: int) -> None:
        with self._chunk[: wire.chunk_length.size] as head:
            self._transport.receive((head,), wire.chunk_length.size)
            (length,) = wire.chunk_length.unpack(head)
        if kind == wire.REPLY_OFFSET_DATA and length > _OFFSET:
            with self._chunk[:_OFFSET] as head:
                self._transport.receive((head,), _OFFSET)
                offset = int.from_bytes(head, "big")
            self._fill(request, offset, length - _OFFSET)
            return
        if length > _LONGEST_CHUNK:
            raise Lost("the server sent a chunk that is too long")
        data = bytearray(length)
        if length:
            self._transport.receive((memoryview(data),), length)
        self._take(request, kind, bytes(data))

    def _take(self, request: Request, kind: int, data: bytes) -> None:
        if kind == wire.REPLY_NONE and not data:
            return
        if kind == wire.REPLY_OFFSET_HOLE and len(data) == wire.hole.size:
            offset, length = wire.hole.unpack(data)
            with self._part(request, offset, length) as part:
                part[:] = bytes(length)
            request.received += length
        elif kind == wire.REPLY_BLOCK_STATUS and len(data) > wire.u32.size and len(data) % 8 == wire.u32.size:
            (context,) = wire.u32.unpack_from(data)
            request.states[context] = list(wire.state.iter_unpack(data[wire.u32.size :]))
        elif kind & wire.REPLY_ERROR and len(data) >= wire.u32.size + wire.u16.size:
            request.error = wire.errno_of(wire.u32.unpack_from(data)[0]) or request.error
            (length,) = wire.u16.unpack_from(data, wire.u32.size)
            request.said = printable(data[6 : 6 + length].decode(errors="replace"))
        else:
            raise Lost(f"the server sent a chunk of type {kind} that makes no sense here")

    def _fill(self, request: Request, offset: int, length: int) -> None:
        began = monotonic()
        with self._part(request, offset, length) as part:
            self._transport.receive((part,), length)
        self.network += monotonic() - began
        request.received += length

    def _part(self, request: Request, offset: int, length: int) -> memoryview:
        start = offset - request.offset
        if request.kind != _READ or start < 0 or start + length > request.length:
            raise Lost("the server sent other data than was asked for")
        return request.view[start : start + length]
