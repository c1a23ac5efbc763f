"""Lane: one worker's way to an NBD export, with as much under way as its latency is worth.

Two or three requests where the server answers at once, more only if they are small: it works at one while the
worker moves the other, and more data is only pushed out of the caches. Where it is far, Little's law tells: while
a request takes `latency` seconds, the worker could move `latency * rate` bytes of others.
"""

import threading
from collections.abc import Callable
from typing import Self

from clientd.advice import LOST
from clientd.config import NbdSettings
from clientd.disk.nbd import wire
from clientd.disk.nbd.session import Request, Session
from clientd.disk.nbd.transport import Lost
from clientd.disk.protocol import Pending
from clientd.disk.several import Several
from clientd.errors import LASTING, DiskError

_NEAR_BYTES = 1024 * 1024
"""Bytes up to which the requests at a server that answers at once may be more."""
_RATE = 1.5e9
"""Bytes a second that a worker moves at most, roughly: it receives, looks at and sends them. With two thirds of it
two workers wait for a server that is 5 ms away; with twice as much, more is read than anybody works at yet."""
_ZEROS = memoryview(bytes(1024 * 1024))
_NO_ZEROING = frozenset({22, 95})
"""EINVAL, ENOTSUP: a server that advertises zeroing and then does not know it."""
_DOING = {wire.READ: "reading", wire.WRITE: "writing", wire.WRITE_ZEROES: "zeroing"}


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
    """Requests to the export. One larger than suits the server becomes several."""

    def __init__(
        self,
        link: Link,
        path: str,
        *,
        writable: bool,
        local: bool,
        suited: int,
        settings: NbdSettings,
        release: Callable[[Link], None],
    ) -> None:
        """`local` says that it is a unix socket. No request has more than `suited` bytes. `release` is called with
        the link when the lane is closed."""
        self._link = link
        self._release = release
        self._path = path
        self._writable = writable
        self._far = settings.far
        self._near = settings.local_requests if local else settings.near_requests
        self._most, self._window = settings.requests, settings.window
        self._suited = suited
        self._zeroing = True

    def room(self, requests: int, size: int) -> bool:
        """By the latency that was seen last, and within the settings. A server that has answered nothing yet may
        be far: to wait for its first answer before more is sent would cost a whole latency."""
        if requests < self._near:
            return True
        latency = self._link.session.latency or self._far
        if latency < self._far:
            return size < _NEAR_BYTES and requests < self._most
        return requests < self._most and size < min(latency * _RATE, self._window)

    def read(self, offset: int, view: memoryview) -> Pending:
        """By READ."""
        return self._begin(wire.READ, offset, view)

    def write(self, offset: int, view: memoryview) -> Pending:
        """By WRITE."""
        return self._begin(wire.WRITE, offset, view)

    def zero(self, offset: int, length: int) -> Pending:
        """By WRITE_ZEROES, which lets the server make a hole; by writing zeros where it cannot."""
        if not (self._zeroing and self._link.session.export.can(wire.SEND_WRITE_ZEROES)):
            return self.write_zeros(offset, length)
        return _Zeroing(
            wire.WRITE_ZEROES, offset, length, session=self._link.session, path=self._path, lane=self
        ).begin()

    def restore(self) -> None:
        """Connects anew to a source. A target that was lost may have lost what it had: only `Disk.renew` helps."""
        lost = self._link.session.lost
        if lost is None:
            return
        if self._writable:
            raise DiskError(self._path, "writing", None, lost, advice=LOST, passing=True)
        self._link.renew()

    def close(self) -> None:
        """Gives its connection back."""
        self._release(self._link)

    def write_zeros(self, offset: int, length: int) -> Pending:
        """Zeros by WRITE, for a server that knows no command for them. Raises DiskError."""
        self._zeroing = False
        starts = range(offset, offset + length, len(_ZEROS))
        return Several([self.write(start, _ZEROS[: offset + length - start]) for start in starts])

    def _begin(self, kind: int, offset: int, view: memoryview) -> Pending:
        """One request, or several where the server takes, or wants, no larger ones. Raises DiskError."""
        session = self._link.session
        length, largest = len(view), min(self._suited, session.export.largest)
        if length > largest:
            starts = range(0, length, largest)
            return Several([self._begin(kind, offset + at, view[at : at + largest]) for at in starts])
        return _Asked(kind, offset, length, view, session=session, path=self._path).begin()


class _Asked(Request, kw_only=True, eq=False):
    """A request whose failures are DiskErrors."""

    session: Session
    path: str

    def begin(self) -> Self:
        """Sends it. Raises DiskError."""
        try:
            self.session.send(self)
        except Lost as error:
            raise self._failed(str(error), LOST, passing=True) from None
        return self

    def wait(self) -> None:
        """As a Pending. Zeros that the server turns out not to know are left to the caller to look at."""
        try:
            self.session.wait(self)
        except Lost as error:
            raise self._failed(str(error), LOST, passing=True) from None
        if self.error and not (self.kind == wire.WRITE_ZEROES and self.error in _NO_ZEROING):
            raise self._failed(self.cause, self.advice, passing=self.error not in LASTING)

    def _failed(self, cause: str, advice: str, *, passing: bool) -> DiskError:
        return DiskError(self.path, _DOING[self.kind], self.offset, cause, advice=advice, passing=passing)


class _Zeroing(_Asked, kw_only=True, eq=False):
    """Zeros that were asked for by the command for them."""

    lane: NbdLane

    def wait(self) -> None:
        """Writes zeros where the server turns out not to know the command."""
        super().wait()
        if self.error:
            self.lane.write_zeros(self.offset, self.length).wait()
