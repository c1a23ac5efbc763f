"""Worker: one hub under `serve --workers`, as a process. Its order comes on standard input, from the parent."""

import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import trio

from sendensed import daemon, errors
from sendensed.cli.running import address_of, listen_shared, open_hub
from sendensed.cli.workers import ALIVE, READY, Order
from sendensed.environment import SystemEnvironment
from sendensed.errors import SendensedError
from sendensed.scoreboard import Scoreboard


def main() -> int:
    """Serves until SIGTERM, or until the parent is gone. Returns the exit code."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    daemon.set_up_logs(order.log_level)
    try:
        with errors.unwrapped():
            trio.run(_serve, order)
    except SendensedError as error:
        sys.stderr.write(f"sendensed: {error}\n")
        return error.exit_code
    return 0


async def _serve(order: Order) -> None:
    settings, stopping = order.settings, trio.Event()
    place = Scoreboard(order.workers, order.memory).place(order.number)
    os.close(order.memory)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.stop_on_signals, stopping, nursery.cancel_scope)
        nursery.start_soon(_stop_with_parent, stopping)
        listeners = await listen_shared(*address_of(settings.listen))
        hub_of = partial(open_hub, settings, Path(order.state_dir), listeners, SystemEnvironment())
        async with hub_of(alive=_alive, listen=listen_shared, place=place, database=order.database) as hub:
            if hub.certificate is not None:
                nursery.start_soon(daemon.reload_on_hangup, hub.certificate.reload)
            daemon.spare_the_collector()
            os.set_blocking(sys.stdout.fileno(), False)
            os.write(sys.stdout.fileno(), READY)
            await stopping.wait()
        nursery.cancel_scope.cancel()


async def _stop_with_parent(stopping: trio.Event) -> None:
    """The parent holds the other end of standard input: that it ends means that the parent has."""
    async with trio.lowlevel.FdStream(sys.stdin.fileno()) as parent:
        while await parent.receive_some():
            pass
    stopping.set()


def _alive() -> None:
    """Tells the parent. A parent that does not read is no reason to wait: it would be hung itself."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), ALIVE)


if __name__ == "__main__":
    sys.exit(main())
