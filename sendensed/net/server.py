"""Server: connections in, a handler's answers out. One task a connection, for `trio.serve_listeners`."""

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime

import structlog
import trio

from sendensed.net.connection import Connection
from sendensed.net.http import Handler, Quick, Response, encode, fault
from sendensed.net.known import KnownHeads
from sendensed.net.limits import Heartbeat, Limits
from sendensed.net.pump import PeerGone, Pump
from sendensed.net.stream import Peer
from sendensed.net.wire import Unsent

log = structlog.get_logger(__name__)

_TURNED_AWAY = 256
"""Connections over the limit that are told so at one time; the others are closed without a word."""


class Server:
    """What all connections share: the handler, the limits, the clock of the Date field, the drain.

    `wall` is the wall clock in UTC, `make_id` names a bug in the log and in the 500 that tells of it,
    `body_limit` gives the largest body for a path (by default the limits' own for every path). `pump`, if there is
    one, reads the sockets, and `quick` then answers the requests that it knows without a turn of their task.
    `retry_after` are the seconds after which those come back whom the server itself turns away.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        wall: Callable[[], datetime],
        make_id: Callable[[], str],
        limits: Limits | None = None,
        heartbeat: Heartbeat | None = None,
        body_limit: Callable[[str], int] | None = None,
        pump: Pump | None = None,
        quick: Quick | None = None,
        retry_after: Callable[[], int] = lambda: 2,
    ) -> None:
        self.handler = handler
        self.limits = limits = limits or Limits()
        self.heartbeat = heartbeat or Heartbeat()
        self.body_limit = body_limit or (lambda path: limits.body)
        self.heads = KnownHeads(quick) if quick else KnownHeads()
        self.unsent = Unsent(self.heartbeat.unsent)
        self.retry_after = retry_after
        self.draining = False
        self.pump = pump
        self._said: tuple[Response, bytes, bytes] | None = None
        self._wall = wall
        self._make_id = make_id
        self._connections: set[Connection] = set()
        self._turned_away = 0
        self._date = b""
        self._date_until = float("-inf")

    @property
    def connections(self) -> int:
        """Connections open now, websockets among them."""
        return len(self._connections)

    async def serve_connection(self, stream: trio.abc.Stream) -> None:
        """Serves one connection until it ends, and closes it.

        Raises nothing that a peer could cause. Cancellation cuts the connection.
        """
        try:
            if len(self._connections) >= self.limits.connections:
                await self._turn_away(Peer(stream, self.limits.write))
                return
            peer = Peer(stream, self.limits.write, self.pump)
            connection = Connection(self, peer)
            self._connections.add(connection)
            try:
                await connection.serve()
            finally:
                self._connections.discard(connection)
                peer.close()
        except PeerGone:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    def drain(self) -> None:
        """From now on connections end after the answer under way, idle ones at once.

        Websockets are left to those who run them. Whoever accepts connections stops by himself.
        """
        self.draining = True
        for connection in self._connections:
            connection.wake()

    def date(self, now: float) -> bytes:
        """The Date field's value; `now` is trio's clock. At most one second old."""
        if now >= self._date_until:
            self._date = format_datetime(self._wall(), usegmt=True).encode()
            self._date_until = now + 1
        return self._date

    def said(self, response: Response, now: float) -> bytes:
        """The answer's bytes, after which the connection goes on: made once for all who get the same in a row."""
        date, said = self.date(now), self._said
        if said is None or said[0] is not response or said[1] is not date:
            said = self._said = (response, date, encode(response, date, body=True, end=b""))
        return said[2]

    def report(self, error: Exception, **where: str) -> str:
        """Logs a bug; returns the id that stands in the log."""
        bug = self._make_id()
        log.error("handler failed", id=bug, exc_info=error, **where)
        return bug

    async def _turn_away(self, peer: Peer) -> None:
        if self._turned_away >= _TURNED_AWAY:
            return
        self._turned_away += 1
        try:
            said = f"the hub holds {self.limits.connections} connections and takes no more now; come back later"
            busy = fault(503, "busy", said, headers=(("Retry-After", str(self.retry_after())),))
            await peer.send(encode(busy, self.date(trio.current_time()), body=True, end=b"close"))
            await peer.linger(self.limits.linger)
        finally:
            self._turned_away -= 1
