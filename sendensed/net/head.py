"""Head: what the fields of a request must be before a handler may see it. Pure; raises Refused.

llhttp has already refused what is ambiguous on the wire (bare LF, folded lines, two lengths, a length beside
a transfer coding); this adds what it leaves to its user.
"""

import re

from sendensed.net.http import Refused, refuse

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
ALLOW = ", ".join(sorted(METHODS))

NO_BODY = 0
CHUNKED = -1
"""What `framing` returns besides the length of a body in bytes."""

_AUTHORITY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*", re.ASCII)
_ABSOLUTE = re.compile(r"https?://([^/?]*)([^?]*)(.*)", re.ASCII | re.IGNORECASE)


def malformed(message: str) -> Refused:
    """A request that has no one meaning."""
    return refuse(400, "malformed", message)


def check_method(method: str) -> None:
    """Refuses the methods that no route of ours has, CONNECT above all."""
    if method not in METHODS:
        raise refuse(405, "method_not_allowed", "no such method here", (("Allow", ALLOW),))


def split_target(target: str, headers: dict[str, str]) -> tuple[str, str]:
    """The path and the query of a request target.

    An absolute target (as for a proxy) is one of ours too; its host then stands for the Host field.
    """
    if not target.startswith("/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise malformed("the request target must be a path")
        headers["host"] = absolute[1]
        target = (absolute[2] or "/") + absolute[3]
    if "#" in target:
        raise malformed("the request target must not have a fragment")
    path, _, query = target.partition("?")
    return path, query


def check_host(version: str, headers: dict[str, str]) -> None:
    """One Host, and a plausible one; HTTP/1.0 may go without."""
    if version != "1.1" and version != "1.0":
        raise malformed("the version must be HTTP/1.1 or HTTP/1.0")
    host = headers.get("host")
    if host is None:
        if version == "1.1":
            raise malformed("the Host field is missing")
    elif not _AUTHORITY.fullmatch(host):
        raise malformed("the Host field is not a host")


def framing(version: str, headers: dict[str, str]) -> int:
    """How the body ends: its length in bytes, NO_BODY or CHUNKED."""
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked" or version != "1.1":
            raise malformed("the only transfer coding is 'chunked', in HTTP/1.1")
        return CHUNKED
    length = headers.get("content-length")
    return int(length) if length else NO_BODY


def check_body(headers: dict[str, str]) -> None:
    """A body is JSON as it is: no compression, and no other media type where one is named."""
    kind = headers.get("content-type")
    if kind is not None and kind != "application/json":
        kind = kind.partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise refuse(415, "not_json", "the body must be JSON (Content-Type: application/json)")


def check_encoding(headers: dict[str, str]) -> None:
    """Compressed content is refused, with or without a body in sight."""
    coding = headers.get("content-encoding")
    if coding is not None and coding.lower() != "identity":
        accept = (("Accept-Encoding", "identity"),)
        raise refuse(415, "compressed", "the body must not be compressed (Content-Encoding)", accept)


def expects_continue(version: str, headers: dict[str, str]) -> bool:
    """Whether the peer waits for `100 Continue` before it sends its body."""
    expectation = headers.get("expect")
    if expectation is None or version == "1.0":
        return False
    if expectation.lower() != "100-continue":
        raise refuse(417, "expectation_failed", "the only expectation met is 100-continue")
    return True


def asks_websocket(headers: dict[str, str]) -> bool:
    """Whether the Upgrade field names the websocket protocol."""
    return "websocket" in [name.strip() for name in headers.get("upgrade", "").lower().split(",")]
