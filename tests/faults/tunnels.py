"""Tunnels: the way to the hub, or the hub's way to its database, is a bad one, under load.

    python -m tests.faults.tunnels swallowing --times 10
    python -m tests.faults.tunnels cutting --times 100

`swallowing` is on the way to the hub, by turns of requests and replies: of the former the hub knows nothing, the
latter it has committed. `cutting` is on the way to the database: all its connections are reset, and those made
anew after some bytes. Prints one JSON object; exits 1 where anything acknowledged was lost or misjudged, and
names it.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trio

from sendensed.store import embedded
from tests.e2e.conftest import Hub
from tests.fakes.tunnel import WAYS, Tunnel
from tests.faults.run import LIMITS, Outcome, running_hub, under_load

RESETS = 12
"""Connections to the database that break in a row."""
BYTES = 30_000
"""A connection breaks after so many at the most: in its handshake, and in the statements behind it."""


@asynccontextmanager
async def tunnel_to(server: int | Path) -> AsyncIterator[Tunnel]:
    """A tunnel to a port or a socket, open while the block runs."""
    tunnel = Tunnel(server)
    async with trio.open_nursery() as nursery:
        await nursery.start(tunnel.run)
        yield tunnel
        nursery.cancel_scope.cancel()


async def swallowing(hub: Hub, times: int, seed: int = 1) -> Outcome:
    """Load through a tunnel that swallows so many times, each until something was lost in it."""
    async with tunnel_to(hub.port) as tunnel:

        async def swallow(_: Hub, number: int) -> None:
            way = WAYS[number % 2]
            before = tunnel.lost[way]
            tunnel.swallowed.add(way)
            while tunnel.lost[way] == before:
                await trio.sleep(0.01)
            tunnel.swallowed.clear()

        return await under_load(hub, swallow, times, seed, port=tunnel.near)


def socket_of(dsn: str) -> Path:
    """Where the server of this DSN listens."""
    [folder] = parse_qs(urlsplit(dsn).query)["host"]
    return Path(folder) / ".s.PGSQL.5432"


async def cutting(dsn: str, times: int, seed: int = 1) -> Outcome:
    """Load on a hub whose connections to the database of this DSN, a socket's, break so many times over."""
    chance = random.Random(seed)
    async with tunnel_to(socket_of(dsn)) as tunnel:

        async def cut(_: Hub, number: int) -> None:
            tunnel.sever()
            before = tunnel.resets
            while tunnel.resets < before + RESETS:
                tunnel.cut = {WAYS[number % 2]: chance.randrange(BYTES)}
                await trio.sleep(0.01)
            tunnel.cut = {}

        way = f"postgresql://postgres@127.0.0.1:{tunnel.near}{urlsplit(dsn).path}?sslmode=disable"
        async with running_hub(LIMITS, database=way) as hub:
            return await under_load(hub, cut, times, seed)


async def main(name: str, times: int, seed: int) -> int:
    if name == "swallowing":
        async with running_hub("") as hub:
            outcome = await swallowing(hub, times, seed)
    else:
        with tempfile.TemporaryDirectory(prefix="faults-", dir="/tmp") as folder:
            Path(folder).chmod(0o755)
            async with embedded.open_embedded(Path(folder)) as server:
                outcome = await cutting(server.dsn, times, seed)
    print(outcome.told())
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fault", choices=["swallowing", "cutting"])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(trio.run(main, options.fault, options.times, options.seed))
