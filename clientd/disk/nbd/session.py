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

from clientd.disk.nbd import wire
from clientd.disk.nbd.transport import Bytes, Lost, Transport
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


class Request:
    """One that was sent.

    When `done`, `error` is 0, or the system's number for what went wrong, with `said`, the server's own words.
    `moves` says that it is for data: others tell nothing of how long those take.
    `states` are the (length, flags) by metadata context, of a BLOCK_STATUS.
    """

    __slots__ = (
        *("_session", "cookie", "done", "error", "length", "moves", "offset", "received", "said", "sent"),
        *("states", "view"),
    )

    def __init__(
        self, session: "Session", offset: int, length: int, view: memoryview | None, *, moves: bool
    ) -> None:
        self._session = session
        self.moves = moves
        self.offset = offset
        self.length = length
        self.view = view
        self.cookie = 0
        self.received = 0
        self.sent = 0.0
        self.done = False
        self.error = 0
        self.said = ""
        self.states: dict[int, list[tuple[int, int]]] = {}

    def wait(self) -> None:
        """Returns when it is done. Raises Lost where the connection was lost first."""
        self._session.wait(self)

    @property
    def cause(self) -> str:
        """What its error means, and what the server says of it."""
        said = f": {self.said}" if self.said else ""
        return f"{reason(OSError(self.error, os.strerror(self.error)))}{said}"


class Session:
    """A connection behind its handshake.

    `latency` is about the least time in seconds that the server lately took from request to reply, `network` the
    seconds in all that bytes were moved. `lost` says why the connection is of no use any more; None while it is.
    """

    def __init__(self, transport: Transport, export: Export) -> None:
        self.export = export
        self.latency = 0.0
        self.network = 0.0
        self.lost: str | None = None
        self._transport = transport
        self._sending = threading.Lock()
        self._state = threading.Condition()
        self._receiving = False
        self._waiting: dict[int, Request] = {}
        self._cookies = 0
        self._head = memoryview(bytearray(wire.reply_head.size))
        self._chunk = memoryview(bytearray(wire.chunk_data.size))
        self._data_chunk = wire.chunk_data.size - wire.chunk_length.size

    def request(
        self,
        kind: int,
        offset: int = 0,
        length: int = 0,
        *,
        payload: Bytes = b"",
        view: memoryview | None = None,
        flags: int = 0,
    ) -> Request:
        """Sends one. A read's data goes into `view`. Raises Lost."""
        made = Request(self, offset, length, view, moves=kind in (wire.READ, wire.WRITE))
        with self._sending:
            self._cookies += 1
            made.cookie = self._cookies
            with self._state:
                if self.lost is not None:
                    raise Lost(self.lost)
                self._waiting[made.cookie] = made
            head = wire.request_head.pack(wire.REQUEST_MAGIC, flags, kind, made.cookie, offset, length)
            began = monotonic()
            try:
                self._transport.send([head, payload] if payload else [head])
            except Lost as error:
                self._lose(str(error))
                raise
            made.sent = monotonic()
            self.network += made.sent - began
        return made

    def wait(self, request: Request) -> None:
        """Returns when the request is done, receiving meanwhile. Raises Lost."""
        with self._state:
            while not request.done:
                if self.lost is not None:
                    raise Lost(self.lost)
                if not self._receiving:
                    self._receiving = True
                    break
                self._state.wait()
            else:
                return
        try:
            while not request.done:
                if monotonic() - request.sent > self._longest_wait:
                    raise Lost(f"the server has left a request unanswered for {self._longest_wait:g} s")
                self._receive_one()
        except Lost as error:
            self._lose(str(error))
            raise
        finally:
            with self._state:
                self._receiving = False
                self._state.notify_all()

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
            while self._receiving:
                self._state.wait()
            self._transport.close()

    def _lose(self, why: str) -> None:
        with self._state:
            if self.lost is None:
                self.lost = why
                self._transport.abort()
            self._waiting.clear()
            self._state.notify_all()

    def _receive_one(self) -> None:
        """Takes one reply, or one chunk of one. Raises Lost."""
        self._transport.receive([self._head])
        magic, middle, cookie = wire.reply_head.unpack(self._head)
        arrived = monotonic()
        request = self._waiting.get(cookie)
        if request is None:
            raise Lost("the server answered a request that was never sent")
        if request.moves and not request.received:
            self._learn(arrived - request.sent)
        if magic == wire.SIMPLE_REPLY:
            if middle:
                request.error = wire.errno_of(middle)
            elif request.view is not None:
                self._fill(request, request.offset, request.length)
            done = True
        elif magic == wire.STRUCTURED_REPLY and self.export.structured:
            done = bool(middle >> 16 & wire.REPLY_DONE)
            self._receive_chunk(request, middle & 0xFFFF, last=done)
        else:
            raise Lost("the server sent what is no reply")
        self.network += monotonic() - arrived
        if done:
            self._finish(request)

    def _receive_chunk(self, request: Request, kind: int, *, last: bool) -> None:
        if kind == wire.REPLY_OFFSET_DATA and last and request.view is not None and not request.received:
            # one chunk with all of it: its length is known, so head and data come by one call
            self._transport.receive([self._chunk, request.view])
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
        if request.view is None or start < 0 or start + length > request.length:
            raise Lost("the server sent other data than was asked for")
        return request.view[start : start + length]

    def _finish(self, request: Request) -> None:
        if request.view is not None and not request.error and request.received != request.length:
            raise Lost("the server called a read done of which data is missing")
        with self._state:
            self._waiting.pop(request.cookie, None)
            request.done = True
            self._state.notify_all()

    def _learn(self, seconds: float) -> None:
        self.latency = min(seconds, max(self.latency, _LEAST_LATENCY) * _FORGETTING) if self.latency else seconds
