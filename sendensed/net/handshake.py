"""Handshake: what a request must say to become a websocket, and how it is told to trio-websocket."""

import binascii

from sendensed.net.http import Request, Response, fault

VERSION = "13"


def problem(request: Request, *, early: bool) -> Response | None:
    """The answer to a request that cannot become a websocket; None where it can.

    `early` says that bytes came after the head: frames before our 101 are a fault of the protocol.
    """
    headers = request.headers
    if not request.upgrade:
        wanted = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
        return fault(426, "upgrade_required", "this address speaks websocket only", headers=wanted)
    if headers.get("sec-websocket-version") != VERSION:
        known = (("Sec-WebSocket-Version", VERSION),)
        return fault(426, "websocket_version", "the only websocket version is 13", headers=known, close=True)
    try:
        key = binascii.a2b_base64(headers.get("sec-websocket-key", ""), strict_mode=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 16:
        return fault(400, "malformed", "Sec-WebSocket-Key must be 16 bytes in base64", close=True)
    if early:
        return fault(400, "malformed", "frames before the handshake's answer", close=True)
    return None


def rewrite(request: Request) -> bytes:
    """The head that trio-websocket gets to see: the key, and nothing else of what the peer wrote.

    So no second parser can read it differently, or stumble over a host or a protocol's name.
    """
    fields = (
        ("Host", "hub"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", VERSION),
        ("Sec-WebSocket-Key", request.headers["sec-websocket-key"]),
    )
    lines = ["GET / HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "\r\n"]
    return "\r\n".join(lines).encode()
