"""Disk: an NBD export as a disk, and its lanes.

Where the server says that connections see each other's writes (MULTI_CONN) every lane has a connection of its own,
else all share one: a second connection to such a server could see old data, or hang for ever.
"""

import errno
import threading
from collections.abc import Iterable, Iterator

import structlog

from clientd.advice import BITMAP, LOST, REMOTE
from clientd.config import NbdSettings
from clientd.core.address import Address
from clientd.core.extents import Extent
from clientd.disk.nbd import handshake, transport, wire
from clientd.disk.nbd.handshake import Refused
from clientd.disk.nbd.lane import Link, NbdLane
from clientd.disk.nbd.session import Request, Session
from clientd.disk.nbd.transport import Lost
from clientd.errors import DiskError

log = structlog.get_logger()

_ALLOCATION = "base:allocation"
_BITMAP = "qemu:dirty-bitmap:"
_MOST_ASKED = 2**32 - 2**20
"""Bytes that one question about extents can span: a 32-bit length, less what alignment could need."""


class NbdDisk:
    """An export. `writable` says that it is a target."""

    def __init__(self, address: Address, settings: NbdSettings, *, writable: bool, bitmap: str = "") -> None:
        """Connects. Raises DiskError."""
        self._address = address
        self._settings = settings
        self._writable = writable
        self._bitmap = _BITMAP + bitmap if bitmap else ""
        self._size: int | None = None
        self._lock = threading.Lock()
        self._links = [Link(self._dial)]
        self._main_is_used = False
        self._network = 0.0
        self._fresh = False
        try:
            self._open()
        except DiskError:
            self.close()
            raise

    def _open(self) -> None:
        export = self._export
        self._size = export.size
        if self._writable and export.can(wire.READ_ONLY):
            raise DiskError(
                self.path, "opening", None, "the server exports it read-only", advice=REMOTE[errno.EROFS]
            )
        if self._writable:
            self._fresh = self._reads_as_zeros()
        else:
            self._probe()

    def _probe(self) -> None:
        """Learns how far a source's server is, by reading its first block and its last one: the quicker answer
        counts, so that a processor that was busy for a moment is not taken for distance.

        What is wrong there is the copy's to find. Raises DiskError where the connection is lost, and no other can
        be made.
        """
        session, length = self._links[0].session, max(self.block, wire.SECTOR)
        last = self.size // length * length - length
        try:
            asked = [
                Request(wire.READ, at, length, memoryview(bytearray(length))) for at in {0, last} if last >= 0
            ]
            for each in asked:
                session.send(each)
            for each in asked:
                session.wait(each)
        except Lost:
            self._links[0].renew()

    @property
    def path(self) -> str:
        """Its address, without secrets."""
        return self._address.name

    @property
    def size(self) -> int:
        """As the handshake told."""
        return self._export.size

    @property
    def block(self) -> int:
        """As the handshake told, 1 where it did not."""
        return self._export.block

    @property
    def fresh(self) -> bool:
        """The server says of all of a target that it reads as zeros."""
        return self._fresh

    @property
    def identity(self) -> str:
        """Address and size."""
        return f"{self.path} size={self.size}"

    @property
    def version(self) -> None:
        """An export does not tell whether its content has changed."""

    @property
    def _export(self) -> wire.Export:
        return self._links[0].session.export

    @property
    def request(self) -> int:
        """As the settings have it for the way to the server, within what the handshake told."""
        settings, export = self._settings, self._export
        local = bool(self._address.socket) and not export.sized
        near = settings.local_request if local else settings.request
        return min(settings.far_request if self.far else near, export.largest)

    @property
    def far(self) -> bool:
        """By the latency that was seen last."""
        return self._links[0].session.latency >= self._settings.far

    @property
    def network(self) -> float:
        """Of all its connections."""
        return self._network + sum(link.session.network for link in list(self._links))

    @property
    def said(self) -> str:
        """Nothing: there is no server of its own."""
        return ""

    def lane(self) -> NbdLane:
        """The first has the connection that there is; others have one of their own where the server allows it."""
        with self._lock:
            main = not self._main_is_used or not self._export.can(wire.CAN_MULTI_CONN)
            self._main_is_used = True
        link = self._links[0] if main else self._another_link()
        export, settings = self._export, self._settings
        return NbdLane(
            link,
            self.path,
            writable=self._writable,
            local=bool(self._address.socket),
            suited=export.largest if self.far else export.suited(settings.request),
            settings=settings,
            release=self._release,
        )

    def _another_link(self) -> Link:
        try:
            link = Link(self._dial)
        except DiskError as error:
            log.warning("no further connection, sharing one", disk=self.path, reason=error.cause)
            return self._links[0]
        link.session.latency = self._links[0].session.latency
        with self._lock:
            self._links.append(link)
        return link

    def _release(self, link: Link) -> None:
        """Of a lane that is closed. The first connection stays."""
        with self._lock:
            if link is self._links[0]:
                self._main_is_used = False
                return
            self._links.remove(link)
            self._network += link.session.network
        link.close()

    def extents(self, offset: int, length: int) -> Iterator[Extent]:
        """By `base:allocation`; all data where the server does not tell, or not any more."""
        if _ALLOCATION not in self._export.contexts:
            return iter([Extent(offset, length)] if length else [])
        return self._allocation(offset, offset + length)

    def changed(self, offset: int, length: int) -> Iterable[Extent] | None:
        """By the dirty bitmap it was opened with. Raises DiskError where that cannot be read to its end."""
        if not self._bitmap or self._bitmap not in self._export.contexts:
            return None
        return self._dirty(offset, offset + length)

    def measure(self) -> int:
        """The size as of now can only be told by a new connection; it is that of the export meanwhile."""
        return self.size

    def settle(self, offset: int, length: int) -> None:
        """The server has no such hint."""

    def flush(self) -> None:
        """By FLUSH; where the server has none, writes have been FUA, or it keeps nothing back."""
        if not self._export.can(wire.SEND_FLUSH):
            return
        session = self._links[0].session
        try:
            with session.patience(self._settings.flush_patience):
                request = session.ask(wire.FLUSH)
        except Lost as error:
            raise DiskError(self.path, "flushing", None, str(error), advice=LOST, passing=True) from None
        if request.error:
            raise DiskError(self.path, "flushing", None, request.cause, advice=request.advice)

    def forget(self) -> None:
        """What the server caches is its own."""

    def renew(self) -> None:
        """A new connection in place of the lost one. Raises DiskError."""
        self._links[0].renew()

    def close(self) -> None:
        """Says goodbye on every connection."""
        for link in self._links:
            link.close()

    def _dial(self) -> Session:
        """A new connection to the same export. Raises DiskError."""
        opening = "opening" if self._size is None else "connecting to"
        address, settings = self._address, self._settings
        try:
            connected = transport.connect(address, settings.connect_patience)
        except OSError as error:
            raise DiskError(self.path, opening, None, transport.refusal(error), passing=True) from None
        queries = [_ALLOCATION, self._bitmap] if self._bitmap else [_ALLOCATION]
        try:
            moving, export = handshake.negotiate(connected, address, queries, settings.connect_patience)
            moving.patience = settings.patience
            if self._size not in (None, export.size):
                raise Refused(f"it has {export.size} bytes now, though it had {self._size} when the copy began")
        except Lost as error:
            connected.close()
            raise DiskError(self.path, opening, None, str(error), advice=LOST, passing=True) from None
        except Refused as error:
            connected.close()
            raise DiskError(self.path, opening, None, str(error)) from None
        return Session(moving, export)

    def _reads_as_zeros(self) -> bool:
        if _ALLOCATION not in self._export.contexts:
            return False
        return all(extent.zero for extent in self.extents(0, self.size))

    def _allocation(self, start: int, stop: int) -> Iterator[Extent]:
        try:
            for offset, length, flags in self._states(_ALLOCATION, start, stop):
                yield Extent(offset, length, zero=bool(flags & wire.STATE_ZERO))
                start = offset + length
        except _Untold as error:
            log.warning("extents are not told, all is data", disk=self.path, offset=start, reason=str(error))
            yield Extent(start, stop - start)

    def _dirty(self, start: int, stop: int) -> Iterator[Extent]:
        try:
            for offset, length, flags in self._states(self._bitmap, start, stop):
                if flags & wire.STATE_DIRTY:
                    yield Extent(offset, length)
        except _Untold as error:
            raise DiskError(
                self.path, "reading the dirty bitmap of", error.offset, str(error), advice=BITMAP
            ) from None

    def _states(self, context: str, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """(offset, length, flags), one behind the other. The server may tell less or more than it is asked for."""
        session, number = self._links[0].session, self._export.contexts[context]
        while start < stop:
            try:
                request = session.ask(wire.BLOCK_STATUS, start, min(stop - start, _MOST_ASKED))
            except Lost as error:
                raise _Untold(str(error), start) from None
            if request.error or not request.states.get(number):
                raise _Untold(request.cause if request.error else "it tells nothing", start)
            before = start
            for length, flags in request.states[number]:
                length = min(length, stop - start)
                if length:
                    yield start, length, flags
                    start += length
            if start == before:
                raise _Untold("it tells of extents without length", start)


class _Untold(Exception):
    """The server does not tell the extents from `offset` on."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset
