"""Session: requests and replies on one connection, shared by any number of threads.

        thread A   request ──▶ ┐                      ┌ ──▶ done
        thread B   request ──▶ ┼ sending   receiving ─┼ ──▶ done        replies come in any order
        thread C      wait ──▶ ┘ (a lock)  (a leader) └ ──▶ done

There is no thread of its own: of those who wait, one leads, receives whatever comes and hands it out, until its
own request is done; then another one leads. Payload goes from the socket straight to where the reader wants it.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from clientd.disk.nbd import wire
from clientd.disk.nbd.transport import Lost, Transport
from clientd.disk.nbd.wire import Export
from clientd.disk.pace import monotonic
from clientd.errors import printable, reason

_LONGEST_CHUNK = 16 * 1024 * 1024
"""Bytes of a chunk that is no data: lists of extents and words about errors."""
_FORGETTING = 1.1
"""By how much the least latency seen grows with each request, so that a link that became slow is seen as such."""
_LEAST_LATENCY = 1e-6
_LONGEST_WAIT = 10
"""Patiences from a request to its reply while the server answers others."""
_pack, _unpack = wire.request_head.pack, wire.reply_head.unpack


class Request(msgspec.Struct, eq=False):
    """One request. `view` is what a write sends, or where the data of a read goes.

    When `done`, `error` is 0, or the system's number for what went wrong, with `said`, the server's own words.
    `states` are the (length, flags) by metadata context, of a BLOCK_STATUS.
    """

    kind: int
    offset: int = 0
    length: int = 0
    view: memoryview | None = None
    cookie: int = 0
    received: int = 0
    sent: float = 0.0
    done: bool = False
    error: int = 0
    said: str = ""
    states: dict[int, list[tuple[int, int]]] = {}

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
        self._state = threading.Lock()
        self._change = threading.Condition(self._state)
        self._sleepers = 0
        self._receiving = False
        self._waiting: dict[int, Request] = {}
        self._cookies = 0
        self._head = memoryview(bytearray(wire.reply_head.size))
        self._chunk = memoryview(bytearray(wire.chunk_data.size))
        self._data_chunk = wire.chunk_data.size - wire.chunk_length.size

    def send(self, request: Request, flags: int = 0) -> None:
        """Sends it. What it needs of the caller stays as it is until it has been waited for. Raises Lost."""
        with self._sending:
            if self.lost is not None:
                raise Lost(self.lost)
            self._cookies = request.cookie = cookie = self._cookies + 1
            self._waiting[cookie] = request
            kind = request.kind
            head = _pack(wire.REQUEST_MAGIC, flags, kind, cookie, request.offset, request.length)
            began = monotonic()
            try:
                self._transport.send((head, request.view) if kind == wire.WRITE and request.view else (head,))
            except Lost as error:
                self._lose(str(error))
                raise
            request.sent = monotonic()
            self.network += request.sent - began

    def ask(self, kind: int, offset: int = 0, length: int = 0) -> Request:
        """Sends a request without data and waits for it. Raises Lost."""
        request = Request(kind, offset, length)
        self.send(request)
        self.wait(request)
        return request

    def wait(self, request: Request) -> None:
        """Returns when the request is done, receiving meanwhile. Raises Lost."""
        with self._state:
            if self._receiving:
                self._sleep(lambda: not self._receiving or request.done)
            if request.done:
                return
            if self.lost is not None:
                raise Lost(self.lost)
            self._receiving = True
        try:
            while not self._receive_one(request):
                if monotonic() - request.sent > self._longest_wait:
                    raise Lost(f"the server has left a request unanswered for {self._longest_wait:g} s")
        except Lost as error:
            self._lose(str(error))
            raise
        finally:
            with self._state:
                self._receiving = False
                if self._sleepers:
                    self._change.notify_all()

    def _sleep(self, until: Callable[[], bool]) -> None:
        """With `_state` held. It is counted before it looks, so whoever changes something later wakes it."""
        self._sleepers += 1
        self._change.wait_for(until)
        self._sleepers -= 1

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
        with self._state:
            idle = not self._waiting and self.lost is None
        if idle:
            try:
                disconnect = wire.request_head.pack(wire.REQUEST_MAGIC, 0, wire.DISC, 0, 0, 0)
                with self._sending:
                    self._transport.send([disconnect])
            except Lost:
                pass
        self._lose("the connection was closed")
        with self._sending, self._state:
            self._sleep(lambda: not self._receiving)
            self._transport.close()

    def _lose(self, why: str) -> None:
        with self._state:
            if self.lost is None:
                self.lost = why
                self._transport.abort()
            self._waiting.clear()
            self._change.notify_all()

    def _receive_one(self, wanted: Request) -> bool:
        """Takes one reply, or one chunk of one; returns whether `wanted` is done. Raises Lost."""
        self._transport.receive((self._head,))
        magic, middle, cookie = _unpack(self._head)
        arrived = monotonic()
        request = self._waiting.get(cookie)
        if request is None:
            raise Lost("the server answered a request that was never sent")
        if request.kind <= wire.WRITE and not request.received:  # others tell nothing of how long data takes
            latency = arrived - request.sent
            if latency > self.latency > 0:
                latency = min(latency, max(self.latency, _LEAST_LATENCY) * _FORGETTING)
            self.latency = latency
        if magic == wire.STRUCTURED_REPLY and self.export.structured:
            done = bool(middle >> 16 & wire.REPLY_DONE)
            self._receive_chunk(request, middle & 0xFFFF, last=done)
        elif magic == wire.SIMPLE_REPLY:
            done = True
            if middle:
                request.error = wire.errno_of(middle)
            elif request.kind == wire.READ:
                self._fill(request, request.offset, request.length)
        else:
            raise Lost("the server sent what is no reply")
        self.network += monotonic() - arrived
        if done:
            if request.kind == wire.READ and request.received != request.length and not request.error:
                raise Lost("the server called a read done of which data is missing")
            self._waiting.pop(cookie, None)
            request.done = True
            if request is not wanted and self._sleepers:
                with self._state:
                    self._change.notify_all()
        return wanted.done

    def _receive_chunk(self, request: Request, kind: int, *, last: bool) -> None:
        if kind == wire.REPLY_OFFSET_DATA and last and request.kind == wire.READ and not request.received:
            # one chunk with all of it: its length is known, so head and data come by one call
            self._transport.receive((self._chunk, request.view) if request.view else (self._chunk,))
            length, offset = wire.chunk_data.unpack(self._chunk)
            if (length, offset) != (self._data_chunk + request.length, request.offset):
                raise Lost("the server sent other data than was asked for")
            request.received = request.length
            return
        with self._chunk[: wire.chunk_length.size] as head:
            self._transport.receive([head])
            (length,) = wire.chunk_length.unpack(head)
        if kind == wire.REPLY_OFFSET_DATA and length > self._data_chunk:
            with self._chunk[: self._data_chunk] as head:
                self._transport.receive([head])
                offset = int.from_bytes(head, "big")
            self._fill(request, offset, length - self._data_chunk)
            return
        if length > _LONGEST_CHUNK:
            raise Lost("the server sent a chunk that is too long")
        data = bytearray(length)
        if length:
            self._transport.receive([memoryview(data)])
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
        with self._part(request, offset, length) as part:
            self._transport.receive([part])
        request.received += length

    def _part(self, request: Request, offset: int, length: int) -> memoryview:
        start = offset - request.offset
        if request.kind != wire.READ or request.view is None or start < 0 or start + length > request.length:
            raise Lost("the server sent other data than was asked for")
        return request.view[start : start + length]
