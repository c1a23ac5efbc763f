"""Address: where an NBD server is and which of its exports is meant, read off a URI.

    nbd://HOST[:PORT]/EXPORT                     nbds://... the same over TLS
    nbd+unix:///EXPORT?socket=PATH               nbds+unix://... the same over TLS

The form is that of the NBD project's `doc/uri.md`. TLS is by X.509: `tls-certificates=DIRECTORY` names a folder
with `ca-cert.pem` and, where the server asks for them, `client-cert.pem` and `client-key.pem`; without it the
system's authorities are trusted. `tls-hostname=NAME` is the name to be found in the server's certificate.
Every address is read before a job is taken, so that none that is wrong begins.
"""

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

PORT = 10809
"""That IANA has given to NBD."""

_SCHEMES = {"nbd": (False, False), "nbds": (True, False), "nbd+unix": (False, True), "nbds+unix": (True, True)}
_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f]")
_SECRET = re.compile(r"//[^/@]*@")
_KEYS = frozenset({"socket", "tls-certificates", "tls-hostname"})
_LONGEST_SOCKET_PATH = 107
_LONGEST_EXPORT = 4096
_SOCKET_FORM = "write nbd+unix:///EXPORT?socket=PATH"


class Impossible(ValueError):
    """No address can be read off the URI, or not one that we can use: a sentence, without any secret in it."""


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


def is_uri(name: str) -> bool:
    """It names an NBD export, not a path."""
    found = _SCHEME.match(name)
    return found is not None and found["scheme"].lower() in _SCHEMES


def find(name: str) -> Address | None:
    """The address that a disk's name is, None for a path. Raises Impossible, for a foreign URI as well."""
    if is_uri(name):
        return parse(name)
    if foreign := _SCHEME.match(name):
        known = ", ".join(f"{each}://" for each in _SCHEMES)
        raise Impossible(
            f"'{name.partition('?')[0]}' begins with {foreign[0]}, which is none of {known}: "
            "write one of these, or ./ before the name of a file"
        )
    return None


def parse(uri: str) -> Address:
    """The address. Raises Impossible for one that is wrong or asks for what we do not do."""
    if _CONTROL.search(uri):
        raise Impossible(f"{_named(uri)} has a control character in it: write it as %0A")
    try:
        parts = urlsplit(uri)
    except ValueError:  # of brackets
        raise Impossible(f"{_named(uri)} names no host: write nbd://[ADDRESS]/EXPORT for one of IPv6") from None
    secure, local = _SCHEMES[parts.scheme]
    asked = _asked(uri, parts, secure)
    export = _export(uri, parts)
    tls = Tls(asked.get("tls-hostname") or parts.hostname or "localhost", asked.get("tls-certificates", ""))
    found = Address(export, tls=tls if secure else None)
    if local:
        if parts.netloc:
            raise Impossible(f"{_named(uri)} names a host beside a socket: {_SOCKET_FORM}")
        return msgspec.structs.replace(found, socket=_socket(uri, asked.get("socket", "")))
    if "socket" in asked:
        raise Impossible(f"{_named(uri)} names a socket: {_SOCKET_FORM} for a unix socket")
    return msgspec.structs.replace(found, host=_host(uri, parts.hostname), port=_port(uri, parts))


def _asked(uri: str, parts: SplitResult, secure: bool) -> Mapping[str, str]:
    """What stands behind the '?'. A '+' is a '+' there, as other NBD programs have it."""
    query = parts.query.replace("+", "%2B")
    given = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    asked = dict(given)
    if parts.username is not None or "tls-psk-file" in asked:
        raise Impossible(f"{_named(uri)} asks for a pre-shared key: use X.509 certificates (tls-certificates=DIR)")
    if unknown := set(asked) - _KEYS:
        raise Impossible(f"{_named(uri)} has an unknown parameter '{min(unknown)}': leave it out")
    if len(given) > len(asked):
        raise Impossible(f"{_named(uri)} has a parameter twice: leave one out")
    if not secure and set(asked) - {"socket"}:
        raise Impossible(f"{_named(uri)} has a parameter of TLS without asking for it: write nbds instead of nbd")
    return asked


def _export(uri: str, parts: SplitResult) -> str:
    if parts.fragment:
        raise Impossible(f"{_named(uri)} has a '#': write %23 where it belongs to the export's name")
    try:
        export = unquote(parts.path.removeprefix("/"), errors="strict")
        size = len(export.encode())
    except UnicodeError:
        raise Impossible(f"{_named(uri)} names no possible export: give one in UTF-8") from None
    if size > _LONGEST_EXPORT or "\0" in export:
        raise Impossible(f"{_named(uri)} names no possible export: give one of at most {_LONGEST_EXPORT} bytes")
    return export


def _socket(uri: str, path: str) -> str:
    if not path:
        raise Impossible(f"{_named(uri)} names no socket: {_SOCKET_FORM}")
    if len(path.encode(errors="surrogateescape")) > _LONGEST_SOCKET_PATH or "\0" in path:
        raise Impossible(
            f"{_named(uri)} names a socket path of over {_LONGEST_SOCKET_PATH} bytes: use a shorter one"
        )
    return path


def _host(uri: str, host: str | None) -> str:
    """One that a resolver takes: labels that are empty or too long raise none of its own errors."""
    if not host:
        raise Impossible(f"{_named(uri)} names no host: write nbd://HOST/EXPORT")
    try:
        host.encode("idna")
    except UnicodeError:
        host = ""
    if not host.strip(".") or not host.isprintable() or " " in host:
        raise Impossible(f"{_named(uri)} names no possible host: write a server's name or address")
    return host


def _port(uri: str, parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise Impossible(f"{_named(uri)} has no possible port: name one from 1 to 65535")
    return port or PORT


def _named(uri: str) -> str:
    return f"the NBD address '{_SECRET.sub('//', uri.partition('?')[0])}'"
