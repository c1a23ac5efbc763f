"""Ports: numbers for servers that must know theirs before they listen, or keep it while they are away."""

import os
import socket
from itertools import count

_FIRST, _MOST = 12_000, 20_000
"""Below those that the system itself gives to sockets that do not ask for one."""
_SHARE = 1_000
"""Ports that each process of a test run has for its own."""

_numbers = count(os.getpid() % _SHARE)


def free_port() -> int:
    """A loopback port that nobody uses, and that no other test of this run is given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = _FIRST + (worker * _SHARE + next(_numbers) % _SHARE) % _MOST
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
