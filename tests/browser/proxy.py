"""Proxy: what a reverse proxy does that puts the hub under a path of its own, and no more."""

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_MOST = 2**16


class Proxy(socketserver.ThreadingTCPServer):
    """Hands what is asked below `prefix` to `hub`, without the prefix; websockets too. Notes all else."""

    daemon_threads = True

    def __init__(self, prefix: str, hub: str) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.prefix = prefix.encode()
        self.hub = (urlsplit(hub).hostname or "", urlsplit(hub).port or 0)
        self.strays: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}{prefix}"


class _Exchange(socketserver.BaseRequestHandler):
    """One request and its answer, or one websocket, for each connection."""

    server: Proxy

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(_MOST)
            if not more:
                return
            head += more
        line, _, rest = head.partition(b"\r\n")
        method, target, version = line.split(b" ")
        if not target.startswith(self.server.prefix + b"/"):
            self.server.strays.append(target.decode())
            self.request.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        if b"upgrade: websocket" not in rest.lower():
            rest = b"Connection: close\r\n" + re.sub(rb"(?im)^connection:.*\r\n", b"", rest)
        with socket.create_connection(self.server.hub) as hub:
            hub.sendall(b"%s %s %s\r\n%s" % (method, target.removeprefix(self.server.prefix), version, rest))
            back = threading.Thread(target=_pump, args=(hub, self.request), daemon=True)
            back.start()
            _pump(self.request, hub)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Everything from one to the other, and the end of it."""
    try:
        while data := source.recv(_MOST):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def before(hub: str, prefix: str) -> Iterator[Proxy]:
    """A proxy before the hub for as long as the context is."""
    with Proxy(prefix, hub) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
