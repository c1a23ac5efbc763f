"""Lane: one worker's way to an NBD export, with as many requests under way as its latency is worth.

The depth follows from Little's law: while a request of `latency` seconds is under way, the worker could serve
`latency / work` others, where `work` are the seconds that it needs for one itself. A server that answers at once
is best asked one thing at a time, since more only pushes the data out of the caches.
"""

import threading
from collections.abc import Callable, Sequence

from clientd.disk.nbd import wire
from clientd.disk.nbd.session import Request, Session
from clientd.disk.nbd.transport import Lost
from clientd.disk.protocol import Pending
from clientd.errors import LASTING, DiskError

_SLOW = 0.001
"""Seconds of latency from which on more requests under way are worth it: a disk's or a network's, no CPU's."""
_LEAST_DEEP = 4
_WORK = 0.001
"""Seconds that a worker needs itself for a chunk of the usual size, roughly: to receive, look at and send it."""
_ZEROS = memoryview(bytes(1024 * 1024))
_NO_ZEROING = frozenset({22, 95})
"""EINVAL, ENOTSUP: a server that advertises zeroing and then does not know it."""


class Link:
    """One connection that can be made anew, for the lanes that use it. `session` is the present one."""

    def __init__(self, dial: Callable[[], Session]) -> None:
        """`dial` makes a connection. Raises DiskError."""
        self._dial = dial
        self._lock = threading.Lock()
        self.session = dial()

    def renew(self) -> None:
        """A new connection in place of a lost one, made once for all who ask. Raises DiskError."""
        with self._lock:
            if self.session.lost is not None:
                self.session.close()
                self.session = self._dial()

    def close(self) -> None:
        """Of the present session."""
        self.session.close()


class NbdLane:
    """Requests to the export. One larger than the server takes becomes several."""

    def __init__(
        self, link: Link, path: str, *, writable: bool, most: int, release: Callable[[Link], None]
    ) -> None:
        """`release` is called with the link when the lane is closed."""
        self._link = link
        self._release = release
        self._path = path
        self._writable = writable
        self._most = most
        self._zeroing = True

    @property
    def depth(self) -> int:
        """1 where the server answers at once, up to the settings' `requests` where it does not."""
        latency = self._link.session.latency
        return 1 if latency < _SLOW else min(max(_LEAST_DEEP, 1 + int(latency / _WORK)), self._most)

    def read(self, offset: int, view: memoryview) -> Pending:
        """By READ."""
        export = self._link.session.export
        return self._begin("reading", wire.READ, _parts(offset, view, export.largest))

    def write(self, offset: int, view: memoryview) -> Pending:
        """By WRITE, with FUA where the server cannot flush."""
        export = self._link.session.export
        fua = wire.FLAG_FUA if export.can(wire.SEND_FUA) and not export.can(wire.SEND_FLUSH) else 0
        return self._begin("writing", wire.WRITE, _parts(offset, view, export.largest), fua)

    def zero(self, offset: int, length: int) -> Pending:
        """By WRITE_ZEROES, which lets the server make a hole; by writing zeros where it cannot."""
        if not (self._zeroing and self._link.session.export.can(wire.SEND_WRITE_ZEROES)):
            return self._write_zeros(offset, length)
        return _Zeroing(self, offset, length)

    def restore(self) -> None:
        """Connects anew to a source. A target that was lost may have lost what it had: only `Disk.renew` helps."""
        lost = self._link.session.lost
        if lost is None:
            return
        if self._writable:
            raise DiskError(self._path, "writing", None, lost, passing=True)
        self._link.renew()

    def close(self) -> None:
        """Gives its connection back."""
        self._release(self._link)

    def _write_zeros(self, offset: int, length: int) -> Pending:
        starts = range(offset, offset + length, len(_ZEROS))
        return Several([self.write(start, _ZEROS[: offset + length - start]) for start in starts])

    def _begin(self, doing: str, kind: int, parts: Sequence[tuple[int, memoryview]], flags: int = 0) -> Pending:
        session = self._link.session
        begun = []
        for offset, part in parts:
            try:
                if kind == wire.READ:
                    request = session.request(kind, offset, len(part), view=part)
                else:
                    request = session.request(kind, offset, len(part), payload=part, flags=flags)
            except Lost as error:
                raise DiskError(self._path, doing, offset, str(error), passing=True) from None
            begun.append(_Asked(request, self._path, doing))
        return begun[0] if len(begun) == 1 else Several(begun)

    def ask_zeroes(self, offset: int, length: int) -> Request:
        """A request for zeros, by the command for it. Raises DiskError."""
        try:
            return self._link.session.request(wire.WRITE_ZEROES, offset, length)
        except Lost as error:
            raise DiskError(self._path, "zeroing", offset, str(error), passing=True) from None

    def end_zeroes(self, request: Request) -> None:
        """Waits for it; writes zeros where the server turns out not to know the command. Raises DiskError."""
        _Asked(request, self._path, "zeroing", forgiven=_NO_ZEROING).wait()
        if request.error:
            self._zeroing = False
            self._write_zeros(request.offset, request.length).wait()


class Several:
    """Requests that count as one."""

    def __init__(self, pendings: Sequence[Pending]) -> None:
        self._pendings = pendings

    def wait(self) -> None:
        """For all of them, whatever happens. Raises the first DiskError."""
        first: DiskError | None = None
        for pending in self._pendings:
            try:
                pending.wait()
            except DiskError as error:
                first = first or error
        if first is not None:
            raise first


class _Zeroing:
    """Zeros that were asked for by the command for them."""

    def __init__(self, lane: NbdLane, offset: int, length: int) -> None:
        self._lane = lane
        self._request = lane.ask_zeroes(offset, length)

    def wait(self) -> None:
        self._lane.end_zeroes(self._request)


class _Asked:
    """A request that was sent. Errors that are `forgiven` are left to the caller to look at."""

    def __init__(self, request: Request, path: str, doing: str, forgiven: frozenset[int] = frozenset()) -> None:
        self._request = request
        self._path = path
        self._doing = doing
        self._forgiven = forgiven

    def wait(self) -> None:
        request = self._request
        try:
            request.wait()
        except Lost as error:
            raise DiskError(self._path, self._doing, request.offset, str(error), passing=True) from None
        number = request.error
        if number and number not in self._forgiven:
            raise DiskError(self._path, self._doing, request.offset, request.cause, passing=number not in LASTING)


def _parts(offset: int, view: memoryview, largest: int) -> list[tuple[int, memoryview]]:
    if len(view) <= largest:
        return [(offset, view)]
    return [(offset + at, view[at : at + largest]) for at in range(0, len(view), largest)]
