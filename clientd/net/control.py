"""Control: the daemon's unix socket, for its owner alone: a line of JSON for a line of JSON."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import structlog
import trio

from clientd.config import ServeSettings
from clientd.core import control, jobfile
from clientd.core.control import Answer, Cancel, Fault, JobView, ListJobs, Submit
from clientd.core.order import Order
from clientd.core.queue import Entry, Refused
from clientd.errors import SpoolUnavailable, UsageError, printable, reason

log = structlog.get_logger()

_PART = 64 * 1024
_BUSY = Fault("busy", "too many commands talk to clientd at once: try again")
_LONGEST_PATH = 107
"""Of a unix socket, by the kernel's word."""


class Jobs(Protocol):
    """The queue, as it is asked. Raises Refused, UsageError or SpoolUnavailable."""

    async def submit(self, order: Order, origin: str = "") -> Entry:
        """The entry, durably in the queue."""
        ...

    async def cancel(self, job_id: str) -> JobView:
        """The job, whose end is now certain."""
        ...

    def listed(self) -> list[JobView]:
        """All jobs."""
        ...


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[trio.SocketListener]:
    """A listener at the path, for its owner alone; the path is free again afterwards.

    Raises UsageError where another daemon answers there, or there can be no socket. What a daemon that was killed
    has left is taken away.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise UsageError(f"{_name(path)} is longer than {_LONGEST_PATH} bytes: name a shorter one with --socket")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(path)
        listening = _bind(path)
    except OSError as error:
        raise UsageError(f"{_name(path)} cannot be opened: {reason(error)}: name another with --socket") from None
    inode = _inode(path)
    try:
        async with trio.SocketListener(listening) as listener:
            yield listener
    finally:
        if _inode(path) == inode:
            os.unlink(path)


class Server:
    """Talks to whoever connects, a few at a time."""

    def __init__(self, jobs: Jobs, settings: ServeSettings) -> None:
        self._jobs = jobs
        self._settings = settings
        self._clients = 0

    async def run(self, listener: trio.SocketListener) -> None:
        """Until it is cancelled."""
        await trio.serve_listeners(self._talk, [listener])

    async def _talk(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        try:
            async with stream:
                if self._clients > self._settings.clients:
                    await self._say(stream, Answer(error=_BUSY))
                else:
                    await self._converse(stream)
        except (trio.BrokenResourceError, trio.TooSlowError):  # it went away, or takes nothing
            pass
        finally:
            self._clients -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        unread = bytearray()
        while True:
            try:
                line = await self._line(stream, unread)
                if line is None:
                    return
                request = control.request(line)
            except Refused as error:
                await self._say(stream, Answer(error=Fault(error.code, printable(str(error)))))
                return  # what follows could be anything
            await self._say(stream, await self._answer(request))

    async def _line(self, stream: trio.SocketStream, unread: bytearray) -> bytes | None:
        """The next line; None at the end. Raises Refused for one that is too long, too slow or not ended."""
        with trio.move_on_after(self._settings.request_wait):
            while b"\n" not in unread:
                if len(unread) > control.LONGEST:
                    raise Refused("too_long", f"a request has at most {control.LONGEST} bytes: send a smaller one")
                part = await stream.receive_some(_PART)
                if not part and unread:
                    raise Refused(
                        "malformed", "the request ends without a line's end: send one JSON object a line"
                    )
                if not part:
                    return None
                unread += part
            line, _, rest = bytes(unread).partition(b"\n")
            unread[:] = rest
            return line
        raise Refused(
            "too_slow", f"no whole request came within {self._settings.request_wait:g} s: send it at once"
        )

    async def _answer(self, request: control.Request) -> Answer:
        try:
            match request:
                case Submit():
                    return Answer(jobs=(control.view(await self._jobs.submit(request.order), None),))
                case Cancel():
                    return Answer(jobs=(await self._jobs.cancel(request.job_id),))
                case ListJobs():
                    return Answer(jobs=tuple(self._jobs.listed()))
        except Refused as error:
            return Answer(error=Fault(error.code, printable(str(error))))
        except jobfile.Wrong as error:
            return Answer(error=Fault("wrong", f"the job is wrong: {printable(str(error))}"))
        except UsageError as error:
            return Answer(error=Fault("refused", str(error)))
        except SpoolUnavailable as error:
            sentence = f"the queue cannot be kept now ({error}): look at clientd's state directory, and try again"
            return Answer(error=Fault("unavailable", sentence))

    async def _say(self, stream: trio.SocketStream, answer: Answer) -> None:
        with trio.fail_after(self._settings.request_wait):
            await stream.send_all(control.encode(answer) + b"\n")


def _bind(path: Path) -> trio.socket.SocketType:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        listening.bind(os.fspath(path))
        listening.listen()
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return trio.socket.from_stdlib_socket(listening)


def _clear(path: Path) -> None:
    """Takes away the socket of a daemon that was killed. Raises UsageError where one answers, OSError."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"{_name(path)} is there already and no socket: name another with --socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as trying:
        code = trying.connect_ex(os.fspath(path))
    if code in (0, errno.EAGAIN, errno.EINPROGRESS):
        raise UsageError(f"another clientd serves at {_name(path)}: stop it, or name another with --socket")
    if code != errno.ECONNREFUSED:
        raise OSError(code, os.strerror(code))
    path.unlink()


def _inode(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return path.lstat().st_ino
    return None


def _name(path: Path) -> str:
    return f"the socket '{printable(str(path))}'"
