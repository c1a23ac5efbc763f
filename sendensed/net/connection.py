"""Connection: one connection over its life: read a request, answer it, read the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import trio

from schemas.fault import Invalid
from sendensed.net import handshake, ws
from sendensed.net.http import Refused, Request, Response, Upgrade, encode, fault
from sendensed.net.parser import BODY, HEAD, IDLE, Parser
from sendensed.net.pump import PeerGone

if TYPE_CHECKING:
    from sendensed.net.server import Server
    from sendensed.net.stream import Peer

_SLACK = 15.0
"""By how much a deadline is set later than needed, so that a busy connection seldom has to move it."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Ending(msgspec.Struct, frozen=True):
    """Why a conversation ended: for good, or with a websocket to go on with."""

    upgrade: Upgrade | None = None
    request: Request | None = None


_DONE = _Ending()


class Connection:
    """One connection. The deadline of its waits is kept lazily.

    To enter a scope for each read and each answer would cost as much as parsing them. So one scope
    spans many requests: `_due` is when the present wait for the peer really ends; the scope's
    deadline is never later than that during a wait, but may be earlier (the wait then goes on in a
    new scope), and never less than `limits.answer` away when a handler starts.
    """

    def __init__(self, server: Server, peer: Peer) -> None:
        self._server = server
        self._peer = peer
        self._line = peer.line
        self._parser = Parser(server.limits, server.body_limit, server.heads)
        self._scope = trio.CancelScope()
        self._times = {
            IDLE: server.limits.idle,
            HEAD: server.limits.head_time,
            BODY: server.limits.body_time,
        }
        self._phase = IDLE
        self._due = trio.current_time() + server.limits.head_time
        self._reading = False
        self._answering = False
        self._answered = False
        self._woken = False
        self._ends = False
        self._left = b""
        self._pause = 0.0
        self._over = False

    def wake(self) -> None:
        """Ends the wait for a next request, if that is what the connection is doing."""
        if self._reading and self._parser.phase == IDLE and not (self._line is not None and self._line.owed):
            self._woken = True
            self._scope.cancel()

    async def serve(self) -> None:
        """Returns when the connection has ended; the stream is still to be closed. Raises PeerGone."""
        ending: _Ending | None = None
        while ending is None:
            self._woken = False
            deadline = max(self._due, trio.current_time() + 1)
            with trio.CancelScope(deadline=deadline) as self._scope:
                ending = await self._converse()
            if self._scope.cancelled_caught:
                ending = await self._overdue()
        if ending.upgrade is not None and ending.request is not None:
            await ws.serve(
                self._peer,
                handshake.rewrite(ending.request),
                ending.upgrade.run,
                self._server.heartbeat,
                self._server.report,
                self._server.unsent,
            )

    async def _converse(self) -> _Ending | None:
        """Reads and answers; returns None where that has to go on in a new scope."""
        now = trio.current_time()
        while True:
            if now >= self._scope.deadline or self._woken:
                return None
            if self._left or self._ends:
                if not await self._finish(now):
                    return _DONE
                now = trio.current_time()
            try:
                request = self._parser.next()
            except Refused as refused:
                await self._refuse(refused.response)
                return _DONE
            if request is None:
                if not await self._read(now):
                    return _DONE
            else:
                ending = await self._respond(request, now)
                if ending is not None:
                    return ending
                request = None  # its body is not kept until the next one
                if self._parser.pending:
                    await trio.lowlevel.checkpoint()
            now = trio.current_time()

    async def _read(self, now: float) -> bool:
        """Waits for more of the peer; False where there is nothing to wait for any more."""
        phase = self._parser.phase
        if self._answered or phase != self._phase:
            self._answered = False
            self._phase = phase
            self._due = now + self._times[phase]
        if self._scope.deadline > self._due:
            self._scope.deadline = self._due
        if phase == IDLE:
            if self._server.draining:
                return False
        elif self._parser.continues():
            await self._peer.send(_CONTINUE)
        self._reading = True
        data = await self._peer.receive_or_take(self._take)
        self._reading = False
        if data is None:
            return True
        self._parser.receive(data)
        return bool(data)

    def _take(self, data: bytes) -> bool:
        """Has a usual request answered while the task waits on; False where the task has to look at it."""
        found = self._parser.taker(data)
        if found is None or self._server.draining:
            return False
        take, body = found
        self._due = trio.current_time() + self._server.limits.answer
        try:
            return take(body, self._tell)
        except Invalid as error:
            self._tell(_invalid(error))
        except Exception as error:
            self._tell(self._bug(error, "POST", ""))
        return True

    def _tell(self, response: Response) -> None:
        """Sends the answer to what was taken, as far as the socket takes it now; the task sends the rest."""
        if self._over:
            return
        now = trio.current_time()
        self._due = now + self._server.limits.idle
        if self._scope.deadline > self._due:
            self._scope.deadline = self._due
        self._ends = response.close or self._server.draining
        if self._ends:
            data = encode(response, self._server.date(now), body=True, end=b"close")
        else:
            data = self._server.said(response, now)
        try:
            sent = 0 if response.pause else self._peer.try_send(data)
        except PeerGone:
            sent = 0  # the task meets it too
        self._left, self._pause = data[sent:], response.pause
        if self._line is not None:
            self._line.free()
            if self._ends or self._left:
                self._line.wake()

    async def _finish(self, now: float) -> bool:
        """Sends what is left of an answer: the socket had no room for it, or it is held back. False where the
        connection ends with it.
        """
        until = now + self._pause + self._server.limits.write
        if self._scope.deadline < until:
            self._scope.deadline = until + _SLACK
        await trio.sleep(self._pause)
        left, self._left, self._pause = self._left, b"", 0.0
        if left:
            await self._peer.send(left)
        if self._ends and self._parser.pending:
            await self._peer.linger(self._server.limits.linger)
        return not self._ends

    async def _respond(self, request: Request, now: float) -> _Ending | None:
        """Has the request answered; returns how the connection ends, or None where it goes on."""
        if self._scope.deadline < now + self._server.limits.answer:
            self._scope.deadline = now + self._server.limits.answer + _SLACK
        self._answering = True
        response = await self._answer(request)
        self._answering = False
        self._answered = True
        if isinstance(response, Upgrade):
            problem = handshake.problem(request, early=self._parser.pending)
            if problem is None:
                return _Ending(response, request)
            response = problem
        close = response.close or not request.keep_alive or request.upgrade or self._server.draining
        said = self._encode(request, response, close)
        if response.pause:
            self._left, self._pause, self._ends = said, response.pause, close
            return None
        await self._peer.send(said)
        if not close:
            return None
        if self._parser.pending:
            await self._peer.linger(self._server.limits.linger)
        return _DONE

    async def _answer(self, request: Request) -> Response | Upgrade:
        try:
            return await self._server.handler(request)
        except Invalid as error:
            return _invalid(error)
        except Refused as refused:
            return refused.response
        except Exception as error:
            return self._bug(error, request.method, request.path)

    def _encode(self, request: Request, response: Response, close: bool) -> bytes:
        date = self._server.date(trio.current_time())
        end = b"close" if close else b"keep-alive" if request.version == "1.0" else b""
        body = request.method != "HEAD"
        try:
            return encode(response, date, body=body, end=end)
        except ValueError as error:
            return encode(self._bug(error, request.method, request.path), date, body=body, end=end)

    def _bug(self, error: Exception, method: str, path: str) -> Response:
        bug = self._server.report(error, method=method, path=path[:200])
        return fault(500, "internal", f"internal error {bug}")

    async def _overdue(self) -> _Ending | None:
        """What the end of a wait means: None where it was not the end yet."""
        waits = self._reading and not self._woken
        owed = self._line is not None and self._line.owed
        if waits and trio.current_time() < self._due:
            return None
        if self._answering or owed:
            self._over = True  # an answer that comes yet comes too late
            if self._line is not None:
                self._line.free()
            limit = self._server.limits.answer
            said = f"the hub has not come to an answer within {limit:g} s; ask again later"
            wait = (("Retry-After", str(self._server.retry_after())),)
            await self._refuse(fault(503, "overdue", said, headers=wait))
        elif waits and self._parser.phase != IDLE:
            part = "body" if self._parser.phase == BODY else "head"
            await self._refuse(fault(408, "too_slow", f"the {part} of the request took too long"))
        return _DONE

    async def _refuse(self, response: Response) -> None:
        """Sends the last answer of this connection, and sees that the peer can read it."""
        date = self._server.date(trio.current_time())
        await self._peer.send(encode(response, date, body=self._parser.method != "HEAD", end=b"close"))
        await self._peer.linger(self._server.limits.linger)


def _invalid(error: Invalid) -> Response:
    return fault(400, error.code, error.message, error.field)
