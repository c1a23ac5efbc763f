"""Address: where an NBD server is and which of its exports is meant, read off a URI.

    nbd://HOST[:PORT]/EXPORT                     nbds://... the same over TLS
    nbd+unix:///EXPORT?socket=PATH               nbds+unix://... the same over TLS

The form is that of the NBD project's `doc/uri.md`. TLS is by X.509: `tls-certificates=DIRECTORY` names a folder
with `ca-cert.pem` and, where the server asks for them, `client-cert.pem` and `client-key.pem`; without it the
system's authorities are trusted. `tls-hostname=NAME` is the name to be found in the server's certificate.
"""

from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from clientd.errors import UsageError, printable

PORT = 10809
"""That IANA has given to NBD."""

_SCHEMES = {"nbd": (False, False), "nbds": (True, False), "nbd+unix": (False, True), "nbds+unix": (True, True)}
_LONGEST_SOCKET_PATH = 107
_LONGEST_EXPORT = 4096


class Tls(msgspec.Struct, frozen=True):
    """How the server is to prove itself. `certificates` is a folder; '' is the system's authorities."""

    hostname: str
    certificates: str = ""


class Address(msgspec.Struct, frozen=True):
    """One export. Either `socket` is a path, or `host` and `port` are a TCP address."""

    export: str
    host: str = ""
    port: int = PORT
    socket: str = ""
    tls: Tls | None = None

    @property
    def name(self) -> str:
        """For people: without anything that the URI may have held beside the place and the export."""
        secure = "s" if self.tls else ""
        if self.socket:
            return f"nbd{secure}+unix:///{self.export}?socket={self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORT else f":{self.port}"
        return f"nbd{secure}://{host}{port}/{self.export}"


def parse(uri: str) -> Address:
    """The address. Raises UsageError, a sentence, for one that is wrong or asks for what we do not do."""
    parts = urlsplit(uri)
    secure, local = _SCHEMES[parts.scheme.lower()]
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    export = unquote(parts.path.removeprefix("/"))
    if parts.username or "tls-psk-file" in asked:
        raise UsageError(f"{_named(uri)} asks for a pre-shared key: use X.509 certificates (tls-certificates=DIR)")
    if unknown := set(asked) - {"socket", "tls-certificates", "tls-hostname"}:
        raise UsageError(f"{_named(uri)} has an unknown parameter '{printable(min(unknown))}': leave it out")
    if len(export.encode(errors="surrogateescape")) > _LONGEST_EXPORT or "\0" in export:
        raise UsageError(f"{_named(uri)} names no possible export: give one of at most {_LONGEST_EXPORT} bytes")
    tls = Tls(asked.get("tls-hostname") or parts.hostname or "localhost", asked.get("tls-certificates", ""))
    found = Address(export, tls=tls if secure else None)
    if local:
        return msgspec.structs.replace(found, socket=_socket(uri, asked.get("socket", "")))
    if "socket" in asked:
        raise UsageError(f"{_named(uri)} names a socket: write nbd+unix:///EXPORT?socket=PATH for a unix socket")
    return msgspec.structs.replace(found, host=_host(uri, parts.hostname), port=_port(uri))


def _socket(uri: str, path: str) -> str:
    if not path:
        raise UsageError(f"{_named(uri)} names no socket: write nbd+unix:///EXPORT?socket=PATH")
    if len(path.encode(errors="surrogateescape")) > _LONGEST_SOCKET_PATH or "\0" in path:
        raise UsageError(
            f"{_named(uri)} names a socket path of over {_LONGEST_SOCKET_PATH} bytes: use a shorter one"
        )
    return path


def _host(uri: str, host: str | None) -> str:
    if not host:
        raise UsageError(f"{_named(uri)} names no host: write nbd://HOST/EXPORT")
    return host


def _port(uri: str) -> int:
    try:
        port = urlsplit(uri).port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError(f"{_named(uri)} has no possible port: name one from 1 to 65535")
    return port or PORT


def _named(uri: str) -> str:
    return f"the NBD address '{printable(uri.partition('?')[0])}'"
