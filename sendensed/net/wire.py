"""Wire: the stream under a websocket: what its socket has not taken yet, and what all of them have not.

    frame ──▶ the socket, as far as it takes it now
                 └ rest ──▶ queue ──▶ flush: as the peer reads
                                        └ none of it for the write time: stuck

Frames are never copied: one that many peers wait for is kept once. The bytes of all frames waited for are bounded,
and whoever holds the most for himself is cut first.
"""

from collections import deque

import trio

from sendensed.net.pump import PeerGone
from sendensed.net.stream import Peer


class Unsent:
    """The frames that some socket has not taken whole, of all websockets: `limit` bytes of them, or one frame."""

    def __init__(self, limit: int) -> None:
        self.bytes = 0
        self._limit = limit
        self._frames: dict[int, tuple[bytes, set[Wire]]] = {}

    def hold(self, frame: bytes, wire: "Wire") -> None:
        """A wire waits for room for this frame. Where that is too much, those who hold the most alone are cut."""
        kept = self._frames.get(id(frame))
        if kept is None:
            kept = self._frames[id(frame)] = (frame, set())
            self.bytes += len(frame)
        kept[1].add(wire)
        while self.bytes > self._limit and len(self._frames) > 1:
            others = (one for one in self._frames.values() if one[0] is not frame)
            _, dearest = max(others, key=lambda one: len(one[0]) / len(one[1]))
            for held_up in list(dearest):
                held_up.drop()

    def release(self, frame: bytes, wire: "Wire") -> None:
        """The wire is done with the frame."""
        kept = self._frames.get(id(frame))
        if kept is not None:
            kept[1].discard(wire)
            if not kept[1]:
                del self._frames[id(frame)]
                self.bytes -= len(frame)


class _Part:
    """A frame, or a piece of one, what is left of it, and who waits until that is sent."""

    __slots__ = ("left", "sent", "whole")

    def __init__(self, whole: bytes, start: int) -> None:
        self.whole = whole
        self.left = memoryview(whole)[start:]
        self.sent = trio.Event()


class Wire(trio.abc.Stream):
    """The stream as trio-websocket sees it: first the head of the request again, then what the peer sends.

    `gone` is set when the peer is, `stuck` when it has taken nothing for `patience` seconds of what waits
    for it. What was to be sent stays in order and whole, also where its sender is cancelled.
    """

    def __init__(self, peer: Peer, head: bytes, nursery: trio.Nursery, patience: float, unsent: Unsent) -> None:
        self.gone = trio.Event()
        self.stuck = trio.Event()
        self._peer = peer
        self._head = head
        self._nursery = nursery
        self._patience = patience
        self._unsent = unsent
        self._queue: deque[_Part] = deque()
        self._ended = False
        self._moved_at = 0.0
        self._is_watched = False

    def try_send(self, frame: bytes) -> bool:
        """Sends the frame if the socket takes some of it now, the rest by and by; else False. Raises PeerGone."""
        if self._queue:
            return False
        sent = self._try(frame)
        if 0 < sent < len(frame):
            self._wait_for(_Part(frame, sent))
        return sent > 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Returns when the socket has taken it, after what waits already. Raises BrokenResourceError."""
        await self.send_parts(bytes(data))

    async def send_parts(self, *parts: bytes) -> None:
        """As `send_all`, of several parts that nothing comes between. Cancelled, it leaves them to be sent."""
        last = None
        for part in parts:
            try:
                sent = 0 if self._queue else self._try(part)
            except PeerGone as error:
                raise trio.BrokenResourceError from error
            if sent < len(part):
                last = _Part(part, sent)
                self._wait_for(last)
        if last is not None:
            await last.sent.wait()
        if self._ended:
            raise trio.BrokenResourceError

    def drop(self) -> None:
        """Ends the wire: what waits is not sent any more, and the peer counts as gone."""
        self._ended = True
        self.gone.set()
        for part in self._queue:
            part.sent.set()
            self._unsent.release(part.whole, self)
        self._queue.clear()

    def _try(self, frame: bytes) -> int:
        """How many bytes the socket took at once. Raises PeerGone."""
        if self._ended:
            raise PeerGone
        try:
            return self._peer.try_send(frame)
        except PeerGone:
            self.drop()
            raise

    def _wait_for(self, part: _Part) -> None:
        self._queue.append(part)
        if len(self._queue) == 1:
            self._moved_at = trio.current_time()
            self._nursery.start_soon(self._flush)
            if not self._is_watched:
                self._is_watched = True
                self._nursery.start_soon(self._watch)
        self._unsent.hold(part.whole, self)

    async def _flush(self) -> None:
        """Sends what waits, as the peer reads it."""
        try:
            while self._queue:
                part = self._queue[0]
                part.left = part.left[await self._peer.send_some(part.left) :]
                self._moved_at = trio.current_time()
                if not part.left and self._queue:
                    self._queue.popleft()
                    part.sent.set()
                    self._unsent.release(part.whole, self)
        except PeerGone:
            self.drop()

    async def _watch(self) -> None:
        """Sees whether the peer takes any of what waits."""
        while self._queue:
            due = self._moved_at + self._patience
            await trio.sleep_until(due)
            if self._queue and trio.current_time() >= self._moved_at + self._patience:
                self.stuck.set()
                return
        self._is_watched = False

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
        self.drop()
        await trio.lowlevel.checkpoint()
