"""Parser: the bytes of one connection in, its requests out, one at a time. No I/O, no clock.

llhttp parses; this cuts its input at the ends of messages, so that it never sees a byte of the next request
before the last one was taken:

    POST /a HTTP/1.1 CRLF ... CRLF CRLF  body of Content-Length  GET /b HTTP/1.1 CRLF ...
    |------ up to the first CRLF CRLF -||---- that many bytes --||---- up to ...

A chunked body ends with CRLF CRLF too and is cut there, as heads are. That makes every limit exact however
the bytes arrive, and nothing after a refusal, a last request or an upgrade is ever looked at.
"""

from collections.abc import Callable

import httptools

from sendensed.net import head
from sendensed.net.http import Refused, Request, Taker, refuse
from sendensed.net.known import KnownHeads
from sendensed.net.limits import Limits

IDLE, HEAD, BODY = range(3)
"""Where the bytes so far end: between requests, within a head, within a body."""

_END = b"\r\n\r\n"
_NAMES = {
    name.encode(): name.lower()
    for name in (
        "Accept",
        "Accept-Encoding",
        "Authorization",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Host",
        "User-Agent",
    )
}
"""Names of fields as senders write them, decoded once."""
_WASTE = 8
"""Bytes on the wire for each byte of a chunked body at most: chunks of one byte take six."""


class Parser:
    """Reads requests: feed it by `receive`, then call `next` until it returns None.

    `body_limit` gives the largest body for a path, in bytes; `known` the heads that need no parsing. `phase` tells
    where the bytes so far end, `method` is that of the request under way once its head is read.
    """

    def __init__(self, limits: Limits, body_limit: Callable[[str], int], known: KnownHeads | None = None) -> None:
        self._limits = limits
        self._body_limit = body_limit
        self._llhttp = httptools.HttpRequestParser(self)
        self._data = b""
        self._at = 0
        self._dead = False
        self._refusal: Refused | None = None
        self._known = known or KnownHeads()
        self._reset()

    def _reset(self) -> None:
        self.phase = IDLE
        self.method = ""
        self._target = b""
        self._headers: dict[str, str] = {}
        self._fields = 0
        self._head = b""
        self._tail = b""
        self._raw = 0
        self._length = head.NO_BODY
        self._missing = 0
        self._most = 0
        self._body: bytes | bytearray = b""
        self._continues = False
        self._reframes = False
        self._foreign = False
        self._made = ("", "", "", False, False)
        self._whole = False

    def receive(self, data: bytes) -> None:
        """Takes what came in; only after `next` has returned None."""
        self._data = data
        self._at = 0

    @property
    def pending(self) -> bool:
        """Whether bytes after the last request wait to be read."""
        return self._at < len(self._data)

    def taker(self, data: bytes) -> tuple[Taker, bytes] | None:
        """What takes these bytes, and the body in them, where they are one whole request that needs no parsing."""
        if self._raw or self._dead or self.phase != IDLE:
            return None
        return self._known.taker(data)

    def continues(self) -> bool:
        """Whether `100 Continue` is due now; True at most once a request."""
        due, self._continues = self._continues, False
        return due

    def next(self) -> Request | None:
        """The next whole request, or None where more bytes are needed.

        Raises Refused for what no handler may see; from then on, and after a last request, returns None.
        """
        if self.phase == IDLE and self._raw == 0 and not self._dead:
            known = self._known.find(self._data, self._at)
            if known is not None:
                request, self._at = known
                return request
        while self._at < len(self._data) and not self._dead:
            try:
                self._llhttp.feed_data(self._cut())
            except httptools.HttpParserUpgrade:
                self._stay()
            except (httptools.HttpParserError, Refused) as error:
                self._dead = True
                raise (self._refusal or _refusal_of(error)) from None
            if self._whole:
                return self._take()
            if self.phase != BODY and self._raw >= self._limits.head:
                self._dead = True
                raise refuse(431, "head_too_large", f"the head is over {self._limits.head} bytes")
        return None

    def _cut(self) -> bytes:
        """The next bytes that belong to the message under way, and to no other."""
        start = self._at
        if self._missing:
            self._continues = False
            end = min(start + self._missing, len(self._data))
            self._missing -= end - start
            self._at = end
            return self._data[start:end]
        seam = (self._tail + self._data[start : start + 3]).find(_END) if self._tail else -1
        if seam >= 0:
            end = start + seam + len(_END) - len(self._tail)
        else:
            found = self._data.find(_END, start)
            end = found + len(_END) if found >= 0 else len(self._data)
        if self.phase == BODY:
            self._continues = False
            if self._raw + end - start > _WASTE * self._most + self._limits.head:
                raise self._too_large()
        else:
            end = min(end, start + self._limits.head - self._raw)
        self._raw += end - start
        self._at = end
        piece = self._data[start:end]
        self._head = piece if self._raw == len(piece) else b""
        if not piece.endswith(_END):
            self._tail = (self._tail + piece[-3:])[-3:]
        else:
            self._tail = b""
        return piece

    def _take(self) -> Request:
        path, query, version, keep_alive, upgrade = self._made
        body = self._body if isinstance(self._body, bytes) else bytes(self._body)
        request = Request(self.method, path, query, self._headers, body, version, keep_alive, upgrade)
        self._dead = upgrade or not keep_alive
        if self._head.endswith(_END) and keep_alive and not (upgrade or self._foreign or self._length < 0):
            self._known.keep(self._head, request, self._length)
        if self._foreign:
            self._llhttp = httptools.HttpRequestParser(self)
        self._reset()
        return request

    def _stay(self) -> None:
        """Goes on with HTTP after a head that offered another protocol (h2c, say), as the offer allows.

        llhttp takes a body after such a head for the other protocol's; a parser of the body alone reads it.
        """
        if not self._reframes:
            self._llhttp = httptools.HttpRequestParser(self)
            return
        self._reframes, self._foreign = False, True
        chunked = self._length == head.CHUNKED
        field = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {self._length}"
        self._llhttp = httptools.HttpRequestParser(_BodyOnly(self))
        self._llhttp.feed_data(f"POST / HTTP/1.1\r\n{field}\r\n\r\n".encode())

    def _too_large(self) -> Refused:
        return refuse(413, "body_too_large", f"the body is over {self._most} bytes")

    def _refuse(self, refusal: Refused) -> Refused:
        """Keeps the refusal, for llhttp does not hand on what its callbacks raise."""
        self._refusal = refusal
        return refusal

    # What llhttp calls:

    def on_message_begin(self) -> None:
        self.phase = HEAD

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self._limits.target:
            message = f"the request target is over {self._limits.target} bytes"
            raise self._refuse(refuse(414, "target_too_long", message))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > self._limits.fields:
            message = f"the request has over {self._limits.fields} fields"
            raise self._refuse(refuse(431, "too_many_fields", message))
        if self.phase == BODY:
            return  # a trailer: counted, and dropped
        key = _NAMES.get(name) or name.decode("latin-1").lower()
        text = value.decode("latin-1")
        if text.endswith((" ", "\t")):
            text = text.rstrip(" \t")
        if key in self._headers:
            if key == "host":
                raise self._refuse(head.malformed("the Host field stands twice"))
            text = f"{self._headers[key]}, {text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        try:
            self._read_head()
        except Refused as refusal:
            raise self._refuse(refusal) from None

    def on_body(self, body: bytes) -> None:
        if not self._body:
            self._body = body
        elif isinstance(self._body, bytearray):
            self._body += body
        else:
            self._body = bytearray(self._body + body)
        if len(self._body) > self._most:
            raise self._refuse(self._too_large())

    def on_message_complete(self) -> None:
        self._whole = not self._reframes

    def _read_head(self) -> None:
        headers = self._headers
        version = self._llhttp.get_http_version()
        self.method = method = self._llhttp.get_method().decode()
        head.check_method(method)
        path, query = head.split_target(self._target.decode("latin-1"), headers)
        head.check_host(version, headers)
        self._length = length = head.framing(version, headers)
        if "content-encoding" in headers:
            head.check_encoding(headers)
        continues = "expect" in headers and head.expects_continue(version, headers)
        if length:
            head.check_body(headers)
            self._most = self._body_limit(path)
            if length > self._most:
                raise self._too_large()
            self._continues = continues
            self._missing = max(length, 0)
            self._raw = self._fields = 0
        offered = self._llhttp.should_upgrade()
        upgrade = offered and not length and method == "GET" and head.asks_websocket(headers)
        self._reframes = offered and bool(length)
        keep_alive = self._llhttp.should_keep_alive()
        self._made = (path, query, version, keep_alive, upgrade)
        if length:
            self.phase = BODY


class _BodyOnly:
    """The callbacks of a parser that reads a body whose head another parser has read."""

    def __init__(self, parser: Parser) -> None:
        self.on_body = parser.on_body
        self.on_header = parser.on_header
        self.on_message_complete = parser.on_message_complete


def _refusal_of(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return head.malformed("this is not an HTTP/1.1 request")
    return head.malformed(f"the request is malformed: {str(error).lower()}")
