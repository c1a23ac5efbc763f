"""HTTP: the messages that handlers take and give, and the bytes an answer becomes."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

import msgspec

from schemas import codec
from schemas.fault import FaultBody, FaultDetail, Invalid
from sendensed.core.auth import ANYBODY, Caller
from sendensed.net.ws import WebSocket

JSON = "application/json"

Headers = tuple[tuple[str, str], ...]
"""Extra fields of an answer, in the order they go out."""


class Request(msgspec.Struct, frozen=True):
    """One request, whole.

    `path` is the raw target before '?', still percent-encoded, so that %2F stays inside its segment
    (`split_path` decodes it); `query` is the raw rest. `headers` has lower-case names; the values of a
    repeated field are joined by ', '. `upgrade` tells a request that may become a websocket. `caller` is who was
    found to ask; nobody, until that is looked at.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""
    version: str = "1.1"
    keep_alive: bool = True
    upgrade: bool = False
    caller: Caller = ANYBODY


class Response(msgspec.Struct, frozen=True):
    """One answer: `body` is written as it is. With `close` the connection ends after it.

    It goes out after `pause` seconds, in which nothing is kept of the request.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Headers = ()
    close: bool = False
    pause: float = 0.0


class Upgrade(msgspec.Struct, frozen=True):
    """A handler's word that the request becomes a websocket, which `run` owns until it returns.

    A request that did not ask for one is answered 426.
    """

    run: Callable[[WebSocket], Awaitable[None]]


Handler = Callable[[Request], Awaitable[Response | Upgrade]]
"""Answers a request. Raising Invalid is a 400; any other exception is a bug: 500, and logged."""


Answered = Callable[[Response], None]
"""Where an answer goes that was not waited for: called once, be it at once."""

Taker = Callable[[bytes, Answered], bool]
"""Takes the body of one more request whose head is known, and has it answered later, without a task that waits.

Returns False where that cannot be without waiting; nothing was done then, and the handler is asked as ever. Raises
what a handler raises.
"""

Quick = Callable[[Request], Taker | None]
"""What takes the bodies of requests with this very head; None where each has to go to the handler."""


class Refused(Exception):
    """A request that is answered by the layer itself, without a handler; the connection closes."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def fault(
    status: int,
    code: str,
    message: str,
    field: str | None = None,
    headers: Headers = (),
    *,
    close: bool = False,
    pause: float = 0.0,
) -> Response:
    """An error as the contract writes it: `{"error":{"code","message","field"?}}`."""
    body = codec.encode(FaultBody(FaultDetail(code, message, field)))
    return Response(status, body, JSON, headers, close, pause)


def refuse(status: int, code: str, message: str, headers: Headers = ()) -> Refused:
    """A refusal of the layer, to be raised."""
    return Refused(fault(status, code, message, headers=headers, close=True))


def split_path(path: str) -> list[str]:
    """The segments of a request's path, each percent-decoded exactly once.

    `/a/b%2Fc/` is `["a", "b/c", ""]`. Raises Invalid for a broken escape and for what is not UTF-8.
    """
    return [_decode(segment) for segment in path[1:].split("/")]


def split_query(query: str) -> list[tuple[str, str]]:
    """The pairs of a query in their order, decoded once; '+' is a space. Raises Invalid as `split_path` does."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.replace("+", " ").partition("=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(text: str) -> str:
    if "%" not in text:
        return text
    for escape in text.split("%")[1:]:
        if len(escape) < 2 or not _HEX.issuperset(escape[:2]):
            raise Invalid("the address has a '%' without two hexadecimal digits", code="malformed")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise Invalid("the address is not valid UTF-8 after percent-decoding", code="malformed") from None


def encode(response: Response, date: bytes, *, body: bool, end: bytes) -> bytes:
    """The answer's bytes: head and body in one piece, so that one write sends both.

    `date` is the Date field's value; without `body` (an answer to HEAD) the length still is the body's.
    `end` is the Connection field's value, or empty. Raises ValueError for a field that would not stay in
    its line.
    """
    kind = (response.status, response.content_type)
    opening = _openings.get(kind) or _open(*kind)
    if response.status in _BODYLESS:
        return b"".join((opening, b"Date: ", date, _fields(response.headers), _ENDS[end]))
    return b"%bContent-Length: %d\r\nDate: %b%b%b%b" % (
        opening,
        len(response.body),
        date,
        _fields(response.headers) if response.headers else b"",
        _ENDS[end],
        response.body if body else b"",
    )


def _open(status: int, content_type: str) -> bytes:
    """The head's first lines, kept for the few kinds of answer there are.

    Every answer says what a browser may do with it: show nothing else's content, and only inside our own page.
    """
    fields = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
    if status not in _BODYLESS:
        policy = _PAGE if content_type.startswith("text/html") else _NO_PAGE
        fields += [("Content-Security-Policy", policy), ("Content-Type", content_type)]
    opening = f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}".encode() + _fields(tuple(fields)) + b"\r\n"
    if len(_openings) < _KINDS:
        _openings[(status, content_type)] = opening
    return opening


def _fields(headers: Headers) -> bytes:
    """The fields, each led by a line break."""
    text = "".join([f"\r\n{name}: {value}" for name, value in headers])
    if text.count("\r") + text.count("\n") != 2 * len(headers):
        raise ValueError("a header field with a line break")
    return text.encode("latin-1")


_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
_HEX = frozenset("0123456789abcdefABCDEF")
_KINDS = 256
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODYLESS = frozenset({204, 304})
_ENDS = {
    b"": b"\r\n\r\n",
    b"close": b"\r\nConnection: close\r\n\r\n",
    b"keep-alive": b"\r\nConnection: keep-alive\r\n\r\n",
}
_openings: dict[tuple[int, str], bytes] = {}
