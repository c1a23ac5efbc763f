"""Resolve: a server's name to its addresses, within a deadline, which the system's own resolver does not know.

Each lookup has a thread of its own, which is left to itself at the deadline. Whoever asks for the same name
meanwhile waits for that one: a resolver that hangs holds one thread for each name, however often it is asked.
"""

import socket
import threading
from collections.abc import Sequence

Found = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]]

_lock = threading.Lock()
_under_way: dict[tuple[str, int], "_Lookup"] = {}


class Unresolved(OSError):
    """No answer came in time: a sentence."""


def resolve(host: str, port: int, patience: float) -> Found:
    """As getaddrinfo(3) has them, for TCP, in the order to try them in; at least one. Raises OSError."""
    with _lock:
        lookup = _under_way.get((host, port))
        if lookup is None:
            lookup = _under_way[host, port] = _Lookup(host, port)
            threading.Thread(target=lookup.run, name="resolve", daemon=True).start()
    if not lookup.over.wait(patience):
        raise Unresolved(f"the name '{host}' is not resolved within {patience:g} s: does the name server answer?")
    if lookup.error is not None:
        raise lookup.error
    return lookup.found


class _Lookup:
    """One question to the system's resolver. `over` is set when there is an answer."""

    def __init__(self, host: str, port: int) -> None:
        self.over = threading.Event()
        self.found: Found = ()
        self.error: OSError | None = None
        self._host, self._port = host, port

    def run(self) -> None:
        try:
            self.found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            self.error = error
        finally:
            with _lock:
                del _under_way[self._host, self._port]
            self.over.set()
