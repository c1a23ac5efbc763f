"""Pump: reads all plain sockets of a server in one task, and spares a usual request its connection's turn.

    socket ──┐                        ┌─▶ taken: the connection's task sleeps on, the answer is sent when it comes
    socket ──┼─▶ epoll ─▶ pump: read ─┤
    socket ──┘                        └─▶ anything else: the task is woken with the bytes

To wait for one socket in Trio costs a system call and a turn of the loop, and a request costs two of each: more
than all that is done with it. So the sockets stay registered in an epoll of the pump's own (edge-triggered: once,
not once a wait), and those that have something are read one after the other.
"""

import os
import select
from collections.abc import Callable
from types import TracebackType

import trio

RECEIVE = 64 * 1024
"""Most bytes of one read."""
_MOST = 256
"""Sockets read in one turn: about 5 ms, then everybody else has his."""
_ENDING = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class PeerGone(Exception):
    """The peer cannot be reached any more: reset, closed, or too slow to take what was sent."""


Take = Callable[[bytes], bool]
"""Takes what came in, whole, and sees to its answer; False where the task has to look at it. Never waits."""


class Pump:
    """The epoll and its lines."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._lines: dict[int, Line] = {}
        self._scope = trio.CancelScope()

    def __enter__(self) -> "Pump":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def run(self) -> None:
        """Reads until it is closed. Whoever waits for a line then waits until he is cancelled."""
        with self._scope:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for number, events in self._epoll.poll(0, _MOST):
                    if (line := self._lines.get(number)) is not None:
                        line.stir(events)

    def close(self) -> None:
        """Nothing is read any more."""
        self._scope.cancel()

    def line(self, number: int) -> "Line":
        """The line of a socket, by its file descriptor. It has to be closed before the socket is."""
        line = self._lines[number] = Line(self, number)
        self._epoll.register(number, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
        return line

    def forget(self, number: int) -> None:
        """A line is closed."""
        if self._lines.pop(number, None) is not None:
            self._epoll.unregister(number)


class Line:
    """One socket. One task waits for it.

    What was taken is owed an answer; until `free` says that it was given, nothing more is read.
    """

    __slots__ = ("_data", "_ended", "_number", "_owed", "_pump", "_ready", "_take", "_task")

    def __init__(self, pump: Pump, number: int) -> None:
        self._pump = pump
        self._number = number
        self._task: trio.lowlevel.Task | None = None
        self._take: Take | None = None
        self._data: bytes | PeerGone | None = None
        self._ready = False
        self._ended = False
        self._owed = False

    @property
    def owed(self) -> bool:
        """Whether a request that was taken waits for its answer."""
        return self._owed

    async def receive(self, take: Take | None = None) -> bytes | None:
        """What came in next and was not taken, b"" at the end of input, None where `wake` was called.

        Raises PeerGone. Cancellation loses nothing: what was taken stays taken.
        """
        if self._ready and not self._owed:
            await trio.lowlevel.checkpoint()
            try:
                return self._read()
            except BlockingIOError:
                self._ready = False
        self._task, self._take = trio.lowlevel.current_task(), take

        def leave(_: object) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)
        data, self._data = self._data, None
        if isinstance(data, PeerGone):
            raise data
        return data

    def stir(self, events: int) -> None:
        """The socket has something, or has ended: reads it if somebody waits for it."""
        self._ready = True
        if events & _ENDING:
            self._ended = True
        if self._task is None or self._owed:
            return
        try:
            data = self._read()
        except BlockingIOError:
            self._ready = False
        except PeerGone as error:
            self._give(error)
        else:
            self._owed = self._take is not None
            if self._take is None or not self._take(data):
                self._owed = False
                self._give(data)

    def free(self) -> None:
        """The answer was given. The task is woken where there is more to read already."""
        self._owed = False
        if self._ready:
            self.wake()

    def wake(self) -> None:
        """Has the waiting task go on without anything read."""
        self._give(None)

    def close(self) -> None:
        """Nothing of the socket is read any more."""
        self._pump.forget(self._number)

    def _read(self) -> bytes:
        """Reads once. A short read has emptied the socket, and what comes later stirs it again."""
        try:
            data = os.read(self._number, RECEIVE)
        except BlockingIOError:
            raise
        except OSError as error:
            raise PeerGone from error
        self._ready = self._ended or len(data) == RECEIVE
        return data

    def _give(self, what: bytes | PeerGone | None) -> None:
        if self._task is not None:
            task, self._task, self._data = self._task, None, what
            trio.lowlevel.reschedule(task)
