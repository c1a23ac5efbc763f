"""Known: the heads that a server's connections have sent before, with what they meant.

A sender repeats itself, but for a Content-Length that varies by a digit or two. A head that is byte for byte
one that llhttp has read means what it meant then, on whichever connection; so it is looked up, not parsed; that
costs a fifth. And what takes the bodies that come with it is asked for once.
"""

from sendensed.net.http import Quick, Request, Taker

_KEPT, _SIZE = 8192, 1024
"""Heads that a server remembers, the latest, and the longest of them in bytes: all of a thousand jobs, 8 MiB."""


def _nobody(request: Request) -> Taker | None:
    """Nothing takes bodies: each request goes to the handler."""
    return None


class Known:
    """A head: its request without the body, the length of that, and what takes it."""

    __slots__ = ("length", "request", "take")

    def __init__(self, request: Request, length: int, take: Taker | None) -> None:
        self.request = request
        self.length = length
        self.take = take


class KnownHeads:
    """Heads, from the first byte of the request line to the empty line, each whole and without doubt.

    Only heads after which the connection goes on with the next request: no upgrade, no close, no chunks.
    """

    def __init__(self, quick: Quick = _nobody) -> None:
        self._quick = quick
        self._heads: dict[bytes, Known] = {}

    def keep(self, head: bytes, request: Request, length: int) -> None:
        """Remembers a head that is not too long; `length` is that of its body."""
        if len(head) <= _SIZE:
            if len(self._heads) >= _KEPT:
                del self._heads[next(iter(self._heads))]
            bare = _with_body(request, b"")
            self._heads[head] = Known(bare, length, self._quick(bare) if length else None)

    def find(self, data: bytes, start: int) -> tuple[Request, int] | None:
        """The request that starts here and where it ends, if its head is known and all of it is there."""
        body = data.find(b"\r\n\r\n", start) + 4
        known = self._heads.get(data[start:body])
        if known is None:
            return None
        end = body + known.length
        if end > len(data):
            return None
        return _with_body(known.request, data[body:end]), end

    def taker(self, data: bytes) -> tuple[Taker, bytes] | None:
        """What takes the body of the request that this is, and the body, if it is one, whole and alone."""
        body = data.find(b"\r\n\r\n") + 4
        known = self._heads.get(data[:body])
        if known is None or known.take is None or body + known.length != len(data):
            return None
        return known.take, data[body:]


def _with_body(request: Request, body: bytes) -> Request:
    """The request with this body and fields of its own."""
    return Request(request.method, request.path, request.query, request.headers.copy(), body, request.version)
