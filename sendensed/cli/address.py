"""Address: a hub's URL in parts, and names and questions as parts of one. By hand: `urllib.parse` takes longer to
import than all of this command's own modules."""

from collections.abc import Sequence
from typing import NamedTuple

from sendensed.errors import ConfigError

_KEPT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""What stands for itself in any part of an address (RFC 3986: unreserved)."""


class Address(NamedTuple):
    """A hub's URL in parts; `path` is its prefix behind a proxy, without a slash at its end."""

    host: str
    port: int
    path: str
    secure: bool
    name: str
    """What the Host field says."""


def address_of(url: str) -> Address:
    """The parts of `http://HOST[:PORT][/PREFIX]`. Raises ConfigError for anything else."""
    scheme, _, rest = url.partition("://")
    rest = rest.partition("#")[0].partition("?")[0]
    name, slash, path = rest.partition("/")
    host, port = _place(name)
    is_web = scheme.lower() in ("http", "https") and host and "@" not in name
    if not is_web or port is None or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(
            f"'{url}' is no address of a hub: give one like http://127.0.0.1:8082 or https://hub.example with "
            "--hub or SENDENSE_HUB"
        )
    secure = scheme.lower() == "https"
    return Address(host, port or (443 if secure else 80), f"{slash}{path}".rstrip("/"), secure, name)


def _place(name: str) -> tuple[str, int | None]:
    """Host and port of `HOST[:PORT]`, an IPv6 address in brackets.

    The port is 0 where none is told, None where it is no number of a port; the host is '' where it is none.
    """
    host, colon, port = name.rpartition(":") if not name.endswith("]") else (name, "", "")
    if not colon:
        host, port = name, ""
    if host.startswith("["):
        host = host[1:-1] if host.endswith("]") and set(host[1:-1]) <= set("0123456789abcdefABCDEF:.") else ""
    elif set(host) & set(":[]\\"):
        host = ""
    if not port:
        return host.lower(), 0
    is_number = port.isascii() and port.isdecimal() and int(port) <= 65_535
    return host.lower(), int(port) if is_number else None


def quote(text: str) -> str:
    """A name as one segment of an address, or as a value in its question. Raises UnicodeEncodeError."""
    return "".join(chr(byte) if byte in _KEPT else f"%{byte:02X}" for byte in text.encode())


def question(pairs: Sequence[tuple[str, str]]) -> str:
    """What stands behind the '?'."""
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
