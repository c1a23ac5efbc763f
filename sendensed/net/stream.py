"""Stream: reads and writes of one connection. A plain socket takes an answer in one system call; a pump reads it.

Trio's `receive_some` and `send_all` checkpoint before and after each call; a request costs one wait, and that wait
is the fair place to let others run.
"""

import os

import trio

from sendensed.net.pump import RECEIVE, Line, PeerGone, Pump, Take

_DRAIN = 1024 * 1024


class Peer:
    """The two directions of a connection. One task reads, one writes.

    `line` is the socket's place at the pump, where there is one: what may take a request before the task sees it.
    """

    def __init__(self, stream: trio.abc.Stream, write_time: float, pump: Pump | None = None) -> None:
        self.stream = stream
        self._write_time = write_time
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) else None
        self.line: Line | None = None
        if self._socket is not None and pump is not None:
            self.line = pump.line(self._socket.fileno())

    def close(self) -> None:
        """Leaves the pump; the stream is still to be closed."""
        if self.line is not None:
            self.line.close()

    async def receive_or_take(self, take: Take) -> bytes | None:
        """As `receive`, and None where the line was woken; on a line without `take`'s taking it."""
        return await (self.receive() if self.line is None else self.line.receive(take))

    async def receive(self) -> bytes:
        """What came in next, b"" at the end of input. Raises PeerGone. Cancellation loses nothing."""
        if self.line is not None:
            while (data := await self.line.receive()) is None:
                pass
            return data
        try:
            return bytes(await self.stream.receive_some(RECEIVE))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise PeerGone from error

    def try_send(self, data: bytes | memoryview) -> int:
        """Hands to the socket what it takes at once; returns how many bytes. Raises PeerGone. Never waits."""
        if self._socket is None:
            return 0
        try:
            return os.write(self._socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise PeerGone from error

    async def send(self, data: bytes) -> None:
        """Returns when the socket has taken all of it; without a checkpoint where it does so at once.

        Raises PeerGone, also when that takes longer than the write time; then, and when cancelled, an
        unknown part of it was sent.
        """
        sent = self.try_send(data)
        if sent == len(data):
            return
        try:
            with trio.fail_after(self._write_time):
                await self.stream.send_all(memoryview(data)[sent:])
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, OSError) as error:
            raise PeerGone from error

    async def send_some(self, data: memoryview) -> int:
        """Returns how many bytes were taken, once some are. Raises PeerGone. There is no deadline.

        Cancelled, it has sent nothing, but over TLS an unknown part of it.
        """
        try:
            if self._socket is None:
                piece = data[:RECEIVE]
                await self.stream.send_all(piece)
                return len(piece)
            while not (sent := self.try_send(data)):
                await trio.lowlevel.wait_writable(self._socket)
            return sent
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
            raise PeerGone from error

    async def linger(self, time: float) -> None:
        """Ends our direction and discards what the peer still sends, so that no reset overtakes the answer.

        Returns when the peer has closed, after `time` seconds, or 1 MiB. Never raises but Cancelled.
        """
        with trio.move_on_after(time):
            try:
                if isinstance(self.stream, trio.abc.HalfCloseableStream):
                    await self.stream.send_eof()
                left = _DRAIN
                while left > 0 and (data := await self.receive()):
                    left -= len(data)
            except (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError):
                pass
