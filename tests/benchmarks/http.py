"""HTTP: what a request costs on our layer and on h11 over the same Trio, in one run.

Run with `python -m tests.benchmarks.http [connections] [requests]`. The same raw-socket client drives both
servers, each in a process of its own; CPU is the server process's (user + system), of keep-alive requests with a
700-byte JSON body that a msgspec decoder reads, answered with a few bytes. Once each connection repeats its
head, as a sender of one job does; once none comes again among the last 8,192 (ours remembers those).
"""

import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import h11
import msgspec
import trio

from sendensed.net import http, server
from sendensed.net.pump import Pump

BODY = msgspec.json.encode(
    {
        "job_id": "backup-vm-17-20261123-021407",
        "status": "running",
        "bytes_transferred": 123456789,
        "disks": [{"disk_index": n, "bytes_transferred": n * 1000, "status": "running"} for n in range(9)],
    }
)
BODY += b" " * (700 - len(BODY))
REQUEST = (
    b"POST /api/v1/telemetry/backup/backup-vm-17-20261123-021407 HTTP/1.1\r\n"
    b"Host: 127.0.0.1:8082\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\n"
    b"Authorization: Bearer sd1_abcdefgh_0123456789012345678901234567890123456789012_abc123\r\n"
    b"Content-Type: application/json\r\nAccept-Encoding: identity\r\n\r\n" % len(BODY)
) + BODY
OTHERS = [REQUEST.replace(b"vm-17-", b"vm-%05d-" % n, 1) for n in range(10_000)]
ANSWER = b'{"status":"success","applied":true,"command":"continue"}'
Serve = Callable[[trio.SocketStream], Awaitable[None]]
decode = msgspec.json.Decoder().decode


async def answer(request: http.Request) -> http.Response:
    """The trivial handler."""
    decode(request.body)
    return http.Response(200, ANSWER)


PUMP = Pump()
ours = server.Server(answer, wall=lambda: datetime.now(UTC), make_id=lambda: "bug", pump=PUMP).serve_connection


async def h11_on_trio(stream: trio.SocketStream) -> None:
    """The same by h11, as its documentation shows it: no timeouts, no checks."""
    connection = h11.Connection(h11.SERVER)
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(65536))
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            decode(body)
            body.clear()
            fields = [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))]
            parts = [
                connection.send(h11.Response(status_code=200, headers=fields)),
                connection.send(h11.Data(data=ANSWER)),
                connection.send(h11.EndOfMessage()),
            ]
            await stream.send_all(b"".join(part for part in parts if part))
            connection.start_next_cycle()
        elif isinstance(event, h11.ConnectionClosed):
            return


def serve(serve_connection: Serve) -> tuple[int, int, int]:
    """Forks a server; returns its process id, its port, and where it writes its CPU seconds when told to end."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        port = listener.getsockname()[1]
        listener.close()
        os.close(writing)
        return process, port, reading

    async def main() -> None:
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
        listener.setblocking(False)
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, serve_connection, listeners)
                nursery.start_soon(PUMP.run)
                async for _ in signals:
                    nursery.cancel_scope.cancel()
                    break

    before = resource.getrusage(resource.RUSAGE_SELF)
    trio.run(main)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    os.write(writing, repr(cpu).encode())
    os._exit(0)


def load(port: int, connections: int, requests: int, texts: list[bytes]) -> float:
    """Sends that many requests in a closed loop over the connections; returns the seconds it took."""
    selector = selectors.DefaultSelector()
    peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    for peer in peers:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(peer, selectors.EVENT_READ)
    start = time.perf_counter()
    for peer in peers:
        peer.send(texts[0])
    sent, answered = connections, 0
    while answered < requests:
        for key, _ in selector.select():
            peer = key.fileobj
            if not peer.recv(65536).endswith(ANSWER):
                raise RuntimeError("half an answer")
            answered += 1
            if sent < requests:
                sent += 1
                peer.send(texts[sent % len(texts)])
    took = time.perf_counter() - start
    for peer in peers:
        peer.close()
    selector.close()
    return took


def measure(name: str, serve_connection: Serve, connections: int, requests: int, texts: list[bytes]) -> float:
    """Prints one line; returns the server's CPU microseconds a request."""
    process, port, result = serve(serve_connection)
    took = load(port, connections, requests, texts)
    os.kill(process, signal.SIGTERM)
    os.waitpid(process, 0)
    cpu = float(os.read(result, 64)) / requests * 1e6
    os.close(result)
    print(f"{name:22} {connections:4} connections  {cpu:6.1f} CPU us/request  {requests / took:8.0f} requests/s")
    return cpu


def main() -> None:
    """Three rounds, best of each."""
    connections = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    kinds: list[tuple[str, Serve, list[bytes]]] = [
        ("ours, same head", ours, [REQUEST]),
        ("ours, heads differ", ours, OTHERS),
        ("h11 on trio", h11_on_trio, [REQUEST]),
    ]
    rounds = [
        [measure(name, serve, connections, requests, texts) for name, serve, texts in kinds] for _ in range(3)
    ]
    same, differ, h11_cost = (min(figures) for figures in zip(*rounds, strict=True))
    print(f"h11 on trio costs {h11_cost / same:.1f} times ours, {h11_cost / differ:.1f} where heads differ")


if __name__ == "__main__":
    main()
