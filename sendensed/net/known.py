"""Known: the heads that a connection has sent before, with what they meant.

A sender repeats itself, but for a Content-Length that varies by a digit or two. A head that is byte for byte
one that llhttp has read on this connection means what it meant then, so it is looked up, not parsed; that
costs a fifth.
"""

from sendensed.net.http import Request

_KEPT, _SIZE = 8, 1024
"""Heads that a connection remembers, and the longest of them in bytes."""


class KnownHeads:
    """Heads, from the first byte of the request line to the empty line, each whole and without doubt.

    Only heads after which the connection goes on with the next request: no upgrade, no close, no chunks.
    """

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[Request, int]] = {}

    def keep(self, head: bytes, request: Request, length: int) -> None:
        """Remembers a head that is not too long; `length` is that of its body."""
        if len(head) <= _SIZE:
            if len(self._heads) >= _KEPT:
                self._heads.clear()
            self._heads[head] = (_with_body(request, b""), length)

    def find(self, data: bytes, start: int) -> tuple[Request, int] | None:
        """The request that starts here and where it ends, if its head is known and all of it is there."""
        body = data.find(b"\r\n\r\n", start) + 4
        known = self._heads.get(data[start:body])
        if known is None:
            return None
        request, length = known
        end = body + length
        if end > len(data):
            return None
        return _with_body(request, data[body:end]), end


def _with_body(request: Request, body: bytes) -> Request:
    """The request with this body and fields of its own."""
    return Request(request.method, request.path, request.query, request.headers.copy(), body, request.version)
