"""Transport: bytes to and from an NBD server, over a unix or TCP socket, plain or TLS. Every call has a deadline.

The plain way blocks in the kernel, which keeps the deadline itself (SO_RCVTIMEO, SO_SNDTIMEO), so that a whole
chunk comes by one call. TLS may be read and written by two threads at once, which OpenSSL does not allow for one
connection: there every call on it is short and under a lock, and waiting is done outside.
"""

import errno
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from clientd.core.address import Address, Tls
from clientd.disk.nbd.resolve import resolve
from clientd.disk.pace import monotonic
from clientd.errors import reason

Bytes = bytes | bytearray | memoryview

_TIMEVAL = struct.Struct("ll")
_WAITALL = socket.MSG_WAITALL
_LEAST = 0.5
"""Seconds for connecting where resolving took nearly all of the time."""
_MESSAGE = 10
"""Patiences that one message may take in all where bytes do come, but slowly."""
_SOCKET_BUFFER = 4 * 1024 * 1024
"""Bytes asked of the kernel for a unix socket's buffer; it gives what the system allows."""


class Lost(Exception):
    """The connection is of no use any more: drop it, perhaps make another one. The text says why."""


class Transport(Protocol):
    """One thread may send while another one receives. Each call raises Lost.

    `size` are the bytes of all buffers or views together: who calls knows them, and so none are counted.
    `patience` is how many seconds may pass without a byte moving.
    """

    patience: float

    def send(self, buffers: Sequence[Bytes], size: int) -> None:
        """All of them, in order."""
        ...

    def receive(self, views: Sequence[memoryview], size: int) -> None:
        """Fills all of them, in order."""
        ...

    def abort(self) -> None:
        """Calls under way on other threads fail soon, and so does every later one."""
        ...

    def close(self) -> None:
        """Nothing is under way any more."""
        ...


def connect(address: Address, patience: float) -> socket.socket:
    """A socket connected to the server, within `patience` seconds, resolving included. Raises OSError."""
    if address.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(patience)
            for side in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                made.setsockopt(socket.SOL_SOCKET, side, _SOCKET_BUFFER)
            made.connect(address.socket)
        except OSError:
            made.close()
            raise
        return made
    made = _connect(address.host, address.port, patience)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made


def _connect(host: str, port: int, patience: float) -> socket.socket:
    """To the first of the host's addresses that takes it, each having its share of the time that is left."""
    until = monotonic() + patience
    found = resolve(host, port, patience)
    failed: OSError | None = None
    for left, (family, kind, number, _, place) in zip(range(len(found), 0, -1), found, strict=True):
        made = socket.socket(family, kind, number)
        try:
            made.settimeout(max(until - monotonic(), _LEAST) / left)
            made.connect(place)
            return made
        except OSError as error:
            made.close()
            failed = error
    raise failed or OSError(f"the name '{host}' has no address")


class Plain:
    """Over the bare socket."""

    def __init__(self, connected: socket.socket, patience: float) -> None:
        connected.settimeout(None)
        self.socket = connected
        self.patience = patience

    @property
    def patience(self) -> float:
        """Kept by the kernel."""
        return self._patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._patience = seconds
        limit = _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1e6))
        with suppress(OSError):  # of a socket that is closed already, nobody waits
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def send(self, buffers: Sequence[Bytes], size: int) -> None:
        """By one call, where the kernel takes it all."""
        try:
            count = self.socket.sendmsg(buffers)
        except OSError as error:
            raise _lost(error, self._patience) from None
        if count != size:
            _move(_behind(buffers, count), self.socket.sendmsg, self._patience)

    def receive(self, views: Sequence[memoryview], size: int) -> None:
        """By one call, where all of it comes in time."""
        try:
            count = self.socket.recvmsg_into(views, 0, _WAITALL)[0]
        except OSError as error:
            raise _lost(error, self._patience) from None
        if count != size:
            _move(_behind(views, count), self._receive, self._patience)

    def _receive(self, views: Sequence[Bytes]) -> int:
        count = self.socket.recvmsg_into(views, 0, _WAITALL)[0]
        if count == 0:
            raise Lost("the server closed the connection")
        return count

    def abort(self) -> None:
        """By shutting the socket down."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()


class Secure:
    """Over TLS."""

    def __init__(self, connected: socket.socket, tls: Tls, patience: float) -> None:
        """Does the TLS handshake. Raises Lost where that fails, for one when the server cannot prove itself."""
        connected.settimeout(patience)
        try:
            self.socket = _context(tls).wrap_socket(connected, server_hostname=tls.hostname)
        except ssl.SSLCertVerificationError as error:
            raise Lost(f"its certificate is not to be trusted ({error.verify_message})") from None
        except OSError as error:
            raise Lost(f"no TLS connection ({_said(error)})") from None
        self.socket.setblocking(False)
        self.patience = patience
        self._lock = threading.Lock()

    def send(self, buffers: Sequence[Bytes], size: int) -> None:
        """One record after the other."""
        for each in filter(len, buffers):
            _move([each], lambda views: self._now(self.socket.send, views[0]), self.patience)

    def receive(self, views: Sequence[memoryview], size: int) -> None:
        """One record after the other."""
        for view in views:
            _move([view], lambda views: self._receive(views[0]), self.patience)

    def _receive(self, view: Bytes) -> int:
        count = self._now(self.socket.recv_into, view)
        if count == 0:
            raise Lost("the server closed the connection")
        return count

    def _now(self, call: Callable[[Bytes], int], view: Bytes) -> int:
        """The call as soon as it goes through. Raises TimeoutError."""
        while True:
            try:
                with self._lock:
                    return call(view)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)

    def _wait(self, wanted: int) -> None:
        waiting = select.poll()
        waiting.register(self.socket, wanted)
        if not waiting.poll(self.patience * 1000):
            raise TimeoutError

    def abort(self) -> None:
        """By shutting the socket down."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()


def _move(buffers: Sequence[Bytes], some: Callable[[Sequence[Bytes]], int], patience: float) -> None:
    """Calls `some` until all bytes of the buffers are moved. Raises Lost."""
    until = monotonic() + _MESSAGE * patience
    try:
        while (count := some(buffers)) != sum(map(len, buffers)):
            if monotonic() > until:
                raise Lost(f"a message took over {_MESSAGE * patience:g} s")
            buffers = _behind(buffers, count)
    except OSError as error:
        raise _lost(error, patience) from None


def _behind(buffers: Sequence[Bytes], count: int) -> Sequence[Bytes]:
    """What is left of them behind the first `count` bytes."""
    while count >= len(buffers[0]):
        count -= len(buffers[0])
        buffers = buffers[1:]
    return [memoryview(buffers[0])[count:], *buffers[1:]]


def _lost(error: OSError, patience: float) -> Lost:
    """The kernel says of a deadline that is over that it would have to wait."""
    if isinstance(error, BlockingIOError | TimeoutError):
        return Lost(f"the server did not answer for {patience:g} s")
    return Lost(_said(error))


def _context(tls: Tls) -> ssl.SSLContext:
    if not tls.certificates:
        context = ssl.create_default_context()
    else:
        context = ssl.create_default_context(cafile=os.path.join(tls.certificates, "ca-cert.pem"))
        certificate = os.path.join(tls.certificates, "client-cert.pem")
        if os.path.exists(certificate):
            context.load_cert_chain(certificate, os.path.join(tls.certificates, "client-key.pem"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _said(error: OSError) -> str:
    """An error of the resolver or of TLS has numbers of its own: its words are enough."""
    if isinstance(error, socket.gaierror | ssl.SSLError) or error.errno is None:
        return str(error.strerror or error) or type(error).__name__
    return reason(error)


def refusal(error: OSError) -> str:
    """Why no connection came about."""
    if isinstance(error, TimeoutError):
        return "the server does not take the connection: is another client connected to it?"
    if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
        return f"{reason(error)}: is the server running?"
    said = str(error.strerror or error) if error.errno is None or error.errno < 0 else reason(error)
    return f"{said}: check the address, and the way there"
