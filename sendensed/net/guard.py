"""Guard: which Host and Origin a request may name, so that no foreign page speaks through a browser."""

from sendensed.net.http import Request, Response, fault

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine alone."""
    return host in {"localhost", "::1"} or (host.startswith("127.") and host.replace(".", "").isdigit())


def check(request: Request) -> Response | None:
    """A refusal, or None. In open mode only loopback names are ours: a name that was rebound is not."""
    host = request.headers.get("host")
    if host is not None and _name(host) not in _LOOPBACK and not is_loopback(_name(host)):
        message = f"this hub is open to its own machine only; ask it as localhost, not as '{host[:100]}'"
        return fault(403, "foreign_host", message)
    origin = request.headers.get("origin")
    if (
        origin is not None
        and (request.method != "GET" or request.upgrade)
        and origin.lower() != f"http://{host}".lower()
    ):
        return fault(403, "foreign_origin", "a page of another origin may not speak to this hub")
    return None


def _name(host: str) -> str:
    """The host without its port."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()
