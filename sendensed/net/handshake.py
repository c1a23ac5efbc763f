"""Handshake: what a request must say to become a websocket, and how it is told to trio-websocket."""

import binascii

from sendensed.net.http import Request, Response, fault

VERSION = "13"
_CARRIED = ("host", "sec-websocket-key", "sec-websocket-protocol")


def problem(request: Request, early: bytes) -> Response | None:
    """The answer to a request that cannot become a websocket; None where it can.

    `early` is what the peer sent after the head: frames before our 101 are a fault of the protocol.
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
    """The request's head written anew from what was parsed, so that two parsers cannot read it differently."""
    lines = [f"GET {request.path} HTTP/1.1"]
    lines += [f"{name}: {request.headers[name]}" for name in _CARRIED if name in request.headers]
    lines += ["upgrade: websocket", "connection: Upgrade", f"sec-websocket-version: {VERSION}"]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
