"""Worker: one hub under `serve --workers`, as a process. Its order comes on standard input, from the parent."""

import socket
import sys
from pathlib import Path

import msgspec
import trio

from sendensed import config, daemon, errors
from sendensed.cli.running import address_of, open_hub
from sendensed.cli.workers import READY, Order
from sendensed.environment import SystemEnvironment
from sendensed.errors import SendensedError


def main() -> int:
    """Serves until SIGTERM, or until the parent is gone. Returns the exit code."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    daemon.set_up_logs(order.log_level)
    try:
        with errors.unwrapped():
            trio.run(_serve, order.settings, Path(order.state_dir))
    except SendensedError as error:
        sys.stderr.write(f"sendensed: {error}\n")
        return error.exit_code
    return 0


async def _serve(settings: config.Config, state_dir: Path) -> None:
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.stop_on_signals, stopping, nursery.cancel_scope)
        nursery.start_soon(_stop_with_parent, stopping)
        listeners = [_listener(settings)]
        async with open_hub(settings, state_dir, listeners, SystemEnvironment()) as hub:
            if hub.certificate is not None:
                nursery.start_soon(daemon.reload_on_hangup, hub.certificate.reload)
            daemon.spare_the_collector()
            sys.stdout.buffer.write(READY)
            sys.stdout.buffer.flush()
            await stopping.wait()
        nursery.cancel_scope.cancel()


async def _stop_with_parent(stopping: trio.Event) -> None:
    """The parent holds the other end of standard input: that it ends means that the parent has."""
    async with trio.lowlevel.FdStream(sys.stdin.fileno()) as parent:
        while await parent.receive_some():
            pass
    stopping.set()


def _listener(settings: config.Config) -> trio.SocketListener:
    """This worker's share of the address: the system spreads connections over all who listen so."""
    host, port = address_of(settings.listen)
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    one = socket.socket(family, kind, protocol)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(address)
    one.listen(1024)
    return trio.SocketListener(trio.socket.from_stdlib_socket(one))


if __name__ == "__main__":
    sys.exit(main())
