"""Http: one kept connection to a hub, by sockets alone.

The libraries for it take longer to import than a hub takes to answer; what a hub and a proxy before it may say is
little: one answer to one request, its length told, in chunks, or until the end.
"""

import socket
from types import TracebackType
from typing import IO, NamedTuple, Self

from schemas import __version__
from sendensed.cli.address import Address

MOST = 2**28
"""Largest body taken, in bytes: a page of a thousand jobs with all their disks is a tenth of it."""
_LINE = 16 * 1024
"""Longest line of a head, in bytes."""
_FIELDS = 100
"""Most fields of a head."""


class Answer(NamedTuple):
    """Status and body as they came; `date` is the sender's clock as its head tells it, or ''."""

    status: int
    body: bytes
    date: str


class Connection:
    """One connection, opened when it is needed and kept between requests. Close it, or use it as a context."""

    def __init__(self, address: Address, patience: float) -> None:
        """`patience` is for each step: to connect, and for every piece of an answer; in seconds."""
        self._address = address
        self._patience = patience
        self._opened: tuple[socket.socket, IO[bytes]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, method: str, target: str, token: str | None = None) -> Answer:
        """The answer to one request, which has no body; `target` stands below the address' own prefix.

        Asked twice where a kept connection turns out to be closed: the request must bear that. Raises OSError,
        and ValueError for what is no answer of HTTP.
        """
        head = self._head(method, target, token)
        if self._opened is not None:
            try:
                return self._exchange(head)
            except (ConnectionError, EOFError):
                self.close()
        try:
            return self._exchange(head)
        except EOFError:
            raise ConnectionResetError("it closed the connection without an answer") from None

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        if self._opened is not None:
            for one in reversed(self._opened):
                one.close()
        self._opened = None

    def _head(self, method: str, target: str, token: str | None) -> bytes:
        lines = [
            f"{method} {self._address.path}{target} HTTP/1.1",
            f"Host: {self._address.name}",
            "Accept: application/json",
            f"User-Agent: sendensed/{__version__}",
        ]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        if method != "GET":
            lines.append("Content-Length: 0")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    def _exchange(self, head: bytes) -> Answer:
        try:
            wire, file = self._opened or self._open()
            wire.sendall(head)
            answer, kept = read_answer(file)
        except BaseException:
            self.close()
            raise
        if not kept:
            self.close()
        return answer

    def _open(self) -> tuple[socket.socket, IO[bytes]]:
        address = self._address
        # As text the host would be looked at for signs of other alphabets, by a codec that takes long to import.
        place = (address.host.encode("ascii"), address.port)
        opened = socket.create_connection(place, self._patience)  # type: ignore[arg-type] # bytes are as good
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.secure:
                import ssl

                opened = ssl.create_default_context().wrap_socket(opened, server_hostname=address.host)
        except BaseException:
            opened.close()
            raise
        self._opened = opened, opened.makefile("rb")
        return self._opened


def read_answer(file: IO[bytes]) -> tuple[Answer, bool]:
    """One answer, and whether another may follow on the connection.

    Raises EOFError where it ended before the first byte, ConnectionResetError where it ended later, ValueError for
    what is no HTTP.
    """
    first = file.readline(_LINE)
    if not first:
        raise EOFError
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("it does not speak HTTP")
    status, fields = int(words[1]), _fields(file)
    if 100 <= status < 200:
        return read_answer(file)
    kept = words[0] == b"HTTP/1.1" and fields.get("connection", "").lower() != "close"
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(file)
    elif "content-length" in fields:
        body = _exactly(file, _number(fields["content-length"], 10))
    elif status in (204, 304):
        body = b""
    else:
        body, kept = file.read(MOST + 1), False
        _number(str(len(body)), 10)
    return Answer(status, body, fields.get("date", "")), kept


def _fields(file: IO[bytes]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for _ in range(_FIELDS):
        line = file.readline(_LINE)
        if line in (b"\r\n", b"\n"):
            return fields
        if not line.endswith(b"\n"):
            raise ConnectionResetError("its answer ends in the middle")
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    raise ValueError("its answer has too many fields")


def _chunks(file: IO[bytes]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while count := _number(file.readline(_LINE).split(b";")[0].strip().decode("latin-1"), 16):
        size += count
        _number(str(size), 10)
        parts.append(_exactly(file, count))
        file.readline(_LINE)
    _fields(file)
    return b"".join(parts)


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST:
        raise ValueError("its answer has no length that could be")
    return number


def _exactly(file: IO[bytes], count: int) -> bytes:
    body = file.read(count)
    if len(body) < count:
        raise ConnectionResetError("its answer ends in the middle")
    return body
