"""Lane: one worker's way to an NBD export, with as many requests under way as its latency is worth.

Two where the server answers at once: it works at one while the worker moves the other; more only push the data out
of the caches. Where it is far, the depth follows from Little's law: while a request of `latency` seconds is under
way, the worker could serve `latency / work` others, where `work` are the seconds that it needs for one itself.
"""

import threading
from collections.abc import Callable, Sequence

from clientd.disk.nbd import wire
from clientd.disk.nbd.session import Request, Session
from clientd.disk.nbd.transport import Lost
from clientd.disk.protocol import Pending
from clientd.errors import LASTING, DiskError

_NEAR = 2
"""Requests under way at a server that answers at once."""
_FAR = 0.003
"""Seconds of latency from which on more are worth it: a disk's or a network's, which no busy processor makes."""
_WORK = 0.001
"""Seconds that a worker needs itself for a chunk of the usual size, roughly: to receive, look at and send it."""
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
        """2 where the server answers at once, up to the settings' `requests` where it does not."""
        latency = self._link.session.latency
        return min(_NEAR if latency < _FAR else 1 + int(latency / _WORK), self._most)

    def read(self, offset: int, view: memoryview) -> Pending:
        """By READ."""
        return self._begin(wire.READ, offset, view)

    def write(self, offset: int, view: memoryview) -> Pending:
        """By WRITE, with FUA where the server cannot flush."""
        return self._begin(wire.WRITE, offset, view)

    def zero(self, offset: int, length: int) -> Pending:
        """By WRITE_ZEROES, which lets the server make a hole; by writing zeros where it cannot."""
        if not (self._zeroing and self._link.session.export.can(wire.SEND_WRITE_ZEROES)):
            return self.write_zeros(offset, length)
        zeroing = _Zeroing(
            wire.WRITE_ZEROES, offset, length, session=self._link.session, path=self._path, lane=self
        )
        zeroing.send()
        return zeroing

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

    def write_zeros(self, offset: int, length: int) -> Pending:
        """Zeros by WRITE, for a server that knows no command for them. Raises DiskError."""
        self._zeroing = False
        starts = range(offset, offset + length, len(_ZEROS))
        return Several([self.write(start, _ZEROS[: offset + length - start]) for start in starts])

    def _begin(self, kind: int, offset: int, view: memoryview) -> Pending:
        """One request, or several where the server takes no larger ones. Raises DiskError."""
        session = self._link.session
        export, length = session.export, len(view)
        if length > export.largest:
            starts = range(0, length, export.largest)
            return Several([self._begin(kind, offset + at, view[at : at + export.largest]) for at in starts])
        asked = _Asked(kind, offset, length, view, session=session, path=self._path)
        asked.send(export.write_flags if kind == wire.WRITE else 0)
        return asked


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


class _Asked(Request, kw_only=True, eq=False):
    """A request whose failures are DiskErrors."""

    session: Session
    path: str

    def send(self, flags: int = 0) -> None:
        """Raises DiskError."""
        try:
            self.session.send(self, flags)
        except Lost as error:
            raise self._failed(str(error), passing=True) from None

    def wait(self) -> None:
        """As a Pending. Zeros that the server turns out not to know are left to the caller to look at."""
        try:
            self.session.wait(self)
        except Lost as error:
            raise self._failed(str(error), passing=True) from None
        number = self.error
        if number and not (self.kind == wire.WRITE_ZEROES and number in _NO_ZEROING):
            raise self._failed(self.cause, passing=number not in LASTING)

    def _failed(self, cause: str, *, passing: bool) -> DiskError:
        return DiskError(self.path, _DOING[self.kind], self.offset, cause, passing=passing)


class _Zeroing(_Asked, kw_only=True, eq=False):
    """Zeros that were asked for by the command for them."""

    lane: NbdLane

    def wait(self) -> None:
        """Writes zeros where the server turns out not to know the command."""
        super().wait()
        if self.error:
            self.lane.write_zeros(self.offset, self.length).wait()
