"""Tunnel: a way to a server, as the real ones are: it swallows what is sent, or is reset after so many bytes.

clients --▶ tunnel --▶ server       requests
        ◀--        ◀--              replies
"""

import socket
import struct
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

import trio

Direction = Literal["requests", "replies"]
WAYS: tuple[Direction, Direction] = ("requests", "replies")

_RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing sends a reset."""


class Tunnel:
    """On loopback, in front of a port there or a socket's path; its own port is `near`.

    What comes in a direction named in `swallowed` is taken and goes nowhere, and so does all that follows on that
    connection, for ever: a stream with a gap does not heal. `cut` are the bytes that a connection, made while it
    stands, lets through in a direction before it is reset at both ends.
    """

    def __init__(self, server: int | Path) -> None:
        self.near = 0
        self.swallowed: set[Direction] = set()
        self.cut: dict[Direction, int] = {}
        self.lost: dict[Direction, int] = dict.fromkeys(WAYS, 0)
        self.resets = 0
        self._server = server
        self._open: dict[trio.CancelScope, tuple[trio.SocketStream, trio.SocketStream]] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until it is cancelled. Ready when it listens."""
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, self._carry, 0, host="127.0.0.1"))
            self.near = listeners[0].socket.getsockname()[1]
            task_status.started()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.near}"

    def sever(self) -> None:
        """Resets all connections that are open."""
        for whole in list(self._open):
            self._reset(whole)

    async def _carry(self, near: trio.SocketStream) -> None:
        try:
            far = await self._reach()
        except OSError:
            near.socket.close()
            return
        left = dict(self.cut)
        try:
            async with trio.open_nursery() as nursery:
                self._open[nursery.cancel_scope] = (near, far)
                for way, source, target in (("requests", near, far), ("replies", far, near)):
                    nursery.start_soon(self._pump, way, source, target, left, nursery.cancel_scope)
        finally:
            self._open.pop(nursery.cancel_scope, None)
            for stream in (near, far):
                stream.socket.close()

    async def _reach(self) -> trio.SocketStream:
        if isinstance(self._server, Path):
            return await trio.open_unix_socket(self._server)
        return await trio.open_tcp_stream("127.0.0.1", self._server)

    async def _pump(
        self,
        way: Direction,
        source: trio.SocketStream,
        target: trio.SocketStream,
        left: dict[Direction, int],
        whole: trio.CancelScope,
    ) -> None:
        dead = False
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while way not in left or left[way]:
                part = await source.receive_some(min(left.get(way, 65536), 65536))
                if not part:
                    if not dead:
                        await target.send_eof()
                    return
                dead = dead or way in self.swallowed
                if dead:
                    self.lost[way] += len(part)
                    continue
                await target.send_all(part)
                if way in left:
                    left[way] -= len(part)
            self._reset(whole)
        whole.cancel()

    def _reset(self, whole: trio.CancelScope) -> None:
        self.resets += 1
        for stream in self._open.pop(whole, ()):
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        whole.cancel()
