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
from sendensed.net.wire import Unsent, Wire

NORMAL = 1000
GOING_AWAY = 1001
BROKEN = 1011
TRY_AGAIN = 1013
"""Close codes (RFC 6455, 7.4.1): done; the hub drains; a bug; the viewer was too slow."""
NOT_READ = "the viewer does not read"
"""Why 1013."""


_SMALL = 64 * 1024
"""Bytes of a payload that is copied behind its head, for the sake of one system call."""


class Gone(Exception):
    """The websocket is closed, by either side. Whoever serves it has nothing more to do."""


def text_frame(payload: bytes) -> bytes:
    """A whole text message as the bytes of its one frame. `payload` is UTF-8."""
    return _text_head(len(payload)) + payload


def _text_head(size: int) -> bytes:
    if size < 126:
        return bytes((0x81, size))
    return struct.pack("!BBH", 0x81, 126, size) if size < 65536 else struct.pack("!BBQ", 0x81, 127, size)


class WebSocket:
    """An open websocket, as `Upgrade.run` gets it. `connection` is trio-websocket's own."""

    def __init__(self, connection: WebSocketConnection, wire: Wire, heartbeat: Heartbeat) -> None:
        self.connection = connection
        self.is_closing = False
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

        Cancelled, it leaves the frame to be sent as far as the socket takes it.
        """
        await self._send(frame)

    async def send_text(self, payload: bytes) -> None:
        """As `send`, of a text message. The payload is not copied: many may be sent the same one."""
        if len(payload) < _SMALL:
            await self._send(text_frame(payload))
        else:
            await self._send(_text_head(len(payload)), payload)

    async def _send(self, *parts: bytes) -> None:
        if self.connection.closed:
            raise Gone
        try:
            await self._wire.send_parts(*parts)
        except trio.BrokenResourceError as error:
            raise Gone from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Returns after the closing handshake, or when the close deadline has passed. Never raises."""
        self.is_closing = True
        with trio.move_on_after(self._heartbeat.close), suppress(ConnectionClosed, LocalProtocolError):
            await self.connection.aclose(code, reason or None)


async def serve(
    peer: Peer,
    head: bytes,
    run: Callable[[WebSocket], Awaitable[None]],
    heartbeat: Heartbeat,
    report: Callable[[Exception], object],
    unsent: Unsent,
) -> None:
    """Accepts the handshake in `head`, and returns when the websocket has ended.

    `run` is cancelled when the peer has gone or has left a ping unanswered, and when it does not read: that closes
    with 1013, which it finds behind all that it was sent if it reads on within the close deadline. An exception of
    `run` is reported and closes with 1011; none leaves here but Cancelled, which cuts the connection.
    """
    wire: Wire | None = None
    try:
        async with trio.open_nursery() as nursery:
            wire = Wire(peer, head, nursery, heartbeat.write, unsent)
            request = await wrap_server_stream(nursery, wire, max_message_size=heartbeat.message)
            socket = WebSocket(await request.accept(), wire, heartbeat)
            nursery.start_soon(_beat, socket.connection, wire, heartbeat)
            code = await _attend(socket, wire, run, report)
            await socket.close(code, NOT_READ if code == TRY_AGAIN else "")
            nursery.cancel_scope.cancel()
    except* (ConnectionClosed, LocalProtocolError):
        pass
    finally:
        if wire is not None:
            wire.drop()
    await peer.linger(heartbeat.close)


async def _attend(
    socket: WebSocket,
    wire: Wire,
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

    async def look() -> None:
        nonlocal code
        await wire.stuck.wait()
        if not socket.is_closing:
            code = TRY_AGAIN
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(attend)
        nursery.start_soon(look)
        await wire.gone.wait()
        nursery.cancel_scope.cancel()
    return code


async def _beat(connection: WebSocketConnection, wire: Wire, heartbeat: Heartbeat) -> None:
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
