"""Guard: which Host and Origin a request may name, so that no foreign page speaks through a browser."""

from ipaddress import ip_address

from sendensed import config
from sendensed.net.http import Request, Response, fault

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def is_loopback(host: str) -> bool:
    """Whether an address to listen on, or a name without its port, is this machine alone."""
    return host in {"localhost", "::1"} or (host.startswith("127.") and _is_address(host))


class Guard:
    """The names that one listening hub goes by.

    A name that somebody else's DNS gives our address is refused, so a page of his cannot speak to the hub with the
    visitor's rights. An address cannot be given away like that: who listens on all of the machine's addresses is
    asked by any of them.
    """

    def __init__(self, settings: config.Config) -> None:
        host = settings.listen.rpartition(":")[0].strip("[]")
        self._open = settings.open
        self._scheme = "https" if settings.tls.certificate else "http"
        self._hosts = frozenset() if settings.open else frozenset(map(str.lower, (host, *settings.access.hosts)))
        self._origins = frozenset(map(str.lower, settings.access.origins))
        self._any_address = host in EVERYWHERE and not settings.open

    def check(self, request: Request) -> Response | None:
        """A refusal, or None. What changes something, and a websocket, is refused to a page of another origin."""
        host = request.headers.get("host")
        if host is not None and not self._is_ours(_name(host)):
            if self._open:
                said = f"this hub is open to its own machine only; ask it as localhost, not as '{host[:100]}'"
            else:
                said = f"this hub does not go by '{host[:100]}'; list that name in its setting access.hosts"
            return fault(403, "foreign_host", said)
        origin = request.headers.get("origin")
        if (
            origin is not None
            and (request.method not in ("GET", "HEAD") or request.upgrade)
            and origin.lower() != f"{self._scheme}://{host}".lower()
            and origin.lower() not in self._origins
        ):
            return fault(403, "foreign_origin", "a page of another origin may not speak to this hub")
        return None

    def _is_ours(self, name: str) -> bool:
        bare = name.strip("[]")
        return (
            name in _LOOPBACK
            or is_loopback(name)
            or bare in self._hosts
            or (self._any_address and _is_address(bare))
        )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """The host without its port."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()
