"""WebSocket: one viewer's connection after its upgrade. trio-websocket does handshake, ping and close.

Frames of a server are unmasked, so a frame encoded once by `text_frame` serves every viewer: `try_send` hands
it to the socket without waiting, `send` waits. Both keep clear of the frames that trio-websocket writes.
"""

import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from sendensed.net.limits import Heartbeat
from sendensed.net.pump import PeerGone
from sendensed.net.stream import Peer

NORMAL = 1000
GOING_AWAY = 1001
BROKEN = 1011
TRY_AGAIN = 1013
"""Close codes (RFC 6455, 7.4.1): done; the hub drains; a bug; the viewer was too slow."""


class Gone(Exception):
    """The websocket is closed, by either side. Whoever serves it has nothing more to do."""


def text_frame(payload: bytes) -> bytes:
    """A whole text message as the bytes of its one frame. `payload` is UTF-8."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


class WebSocket:
    """An open websocket, as `Upgrade.run` gets it. `connection` is trio-websocket's own."""

    def __init__(self, connection: WebSocketConnection, wire: "_Wire", heartbeat: Heartbeat) -> None:
        self.connection = connection
        self._wire = wire
        self._heartbeat = heartbeat

    async def receive(self) -> str | bytes:
        """The peer's next message. Raises Gone. Somebody has to call it: unread messages hide the pongs."""
        try:
            return await self.connection.get_message()
        except ConnectionClosed as error:
            raise Gone from error

    def try_send(self, frame: bytes) -> bool:
        """Sends a frame if the socket takes it now; False where it is full or busy: then nothing was sent.

        What the socket takes only in part counts as sent: a task sends the rest. Raises Gone. Never waits.
        """
        if self.connection.closed:
            raise Gone
        try:
            return self._wire.try_send(frame)
        except PeerGone as error:
            raise Gone from error

    async def send(self, frame: bytes) -> None:
        """Returns when the socket has taken the frame. Raises Gone, also after the write deadline.

        Cancelled midway it leaves half a frame, and so a websocket that is gone.
        """
        if self.connection.closed:
            raise Gone
        try:
            await self._wire.send_all(frame)
        except trio.BrokenResourceError as error:
            raise Gone from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Returns after the closing handshake, or when the close deadline has passed. Never raises."""
        with trio.move_on_after(self._heartbeat.close), suppress(ConnectionClosed, LocalProtocolError):
            await self.connection.aclose(code, reason or None)


class _Wire(trio.abc.Stream):
    """The stream as trio-websocket sees it: first the head again, then what the peer sends."""

    def __init__(self, peer: Peer, head: bytes, nursery: trio.Nursery) -> None:
        self.gone = trio.Event()
        self._peer = peer
        self._head = head
        self._nursery = nursery
        self._lock = trio.Lock()
        self._backlog = b""
        self._broken = False

    def try_send(self, frame: bytes) -> bool:
        """`WebSocket.try_send`; raises PeerGone."""
        if self._lock.locked() or self._backlog:
            return False
        if self._broken:
            raise PeerGone
        try:
            sent = self._peer.try_send(frame)
        except PeerGone:
            self.gone.set()
            raise
        if 0 < sent < len(frame):
            self._backlog = frame[sent:]
            self._nursery.start_soon(self._flush)
        return sent > 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends after what is left of an earlier frame. Raises BrokenResourceError."""
        async with self._lock:
            if self._broken:
                raise trio.BrokenResourceError
            data, self._backlog = self._backlog + bytes(data), b""
            self._broken = True
            try:
                await self._peer.send(data)
            except PeerGone as error:
                self.gone.set()
                raise trio.BrokenResourceError from error
            self._broken = False

    async def _flush(self) -> None:
        with suppress(trio.BrokenResourceError):
            await self.send_all(b"")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The head first, then what the peer sends, in pieces of what one read gives."""
        if self._head:
            head, self._head = self._head, b""
            return head
        try:
            data = await self._peer.receive()
        except PeerGone as error:
            self.gone.set()
            raise trio.BrokenResourceError from error
        if not data:
            self.gone.set()
        return data

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream below."""
        await self._peer.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Ends the websocket; the stream itself is closed by the connection's task."""
        self.gone.set()
        self._broken = True
        await trio.lowlevel.checkpoint()


async def serve(
    peer: Peer,
    head: bytes,
    run: Callable[[WebSocket], Awaitable[None]],
    heartbeat: Heartbeat,
    report: Callable[[Exception], object],
) -> None:
    """Accepts the handshake in `head`, and returns when the websocket has ended.

    `run` is cancelled when the peer has gone or has left a ping unanswered. An exception of `run` is
    reported and closes with 1011; none leaves here but Cancelled, which cuts the connection.
    """
    try:
        async with trio.open_nursery() as nursery:
            wire = _Wire(peer, head, nursery)
            request = await wrap_server_stream(nursery, wire, max_message_size=heartbeat.message)
            socket = WebSocket(await request.accept(), wire, heartbeat)
            nursery.start_soon(_beat, socket.connection, wire, heartbeat)
            await socket.close(await _attend(socket, wire, run, report))
            nursery.cancel_scope.cancel()
    except* (ConnectionClosed, LocalProtocolError):
        pass
    await peer.linger(heartbeat.close)


async def _attend(
    socket: WebSocket,
    wire: _Wire,
    run: Callable[[WebSocket], Awaitable[None]],
    report: Callable[[Exception], object],
) -> int:
    """Runs `run` until it ends or the peer is gone; returns the code to close with."""
    code = NORMAL

    async def attend() -> None:
        nonlocal code
        try:
            await run(socket)
        except Gone:
            pass
        except Exception as error:
            code = BROKEN
            report(error)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(attend)
        await wire.gone.wait()
        nursery.cancel_scope.cancel()
    return code


async def _beat(connection: WebSocketConnection, wire: _Wire, heartbeat: Heartbeat) -> None:
    """Pings; a pong that does not come means the peer is gone."""
    count = 0
    with suppress(ConnectionClosed, LocalProtocolError):
        while not wire.gone.is_set():
            await trio.sleep(heartbeat.every)
            with trio.move_on_after(heartbeat.pong) as scope:
                await connection.ping(struct.pack("!Q", count))
            count += 1
            if scope.cancelled_caught:
                wire.gone.set()
