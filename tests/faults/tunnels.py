"""Tunnels: the way to the hub swallows what is sent, again and again, under load; and it breaks at every byte.

    python -m tests.faults.tunnels --times 10

Swallows by turns requests and replies: of the former the hub knows nothing, the latter it has committed. Prints
one JSON object; exits 1 where anything acknowledged was lost or misjudged, and names it.
"""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from tests.e2e.conftest import Hub
from tests.fakes.tunnel import WAYS, Tunnel
from tests.faults.run import Outcome, running_hub, under_load


@asynccontextmanager
async def tunnel_to(hub: Hub) -> AsyncIterator[Tunnel]:
    """A tunnel to the hub, open while the block runs."""
    tunnel = Tunnel(hub.port)
    async with trio.open_nursery() as nursery:
        await nursery.start(tunnel.run)
        yield tunnel
        nursery.cancel_scope.cancel()


async def swallowing(hub: Hub, times: int, seed: int = 1) -> Outcome:
    """Load through a tunnel that swallows so many times, each until something was lost in it."""
    async with tunnel_to(hub) as tunnel:

        async def swallow(_: Hub, number: int) -> None:
            way = WAYS[number % 2]
            before = tunnel.lost[way]
            tunnel.swallowed.add(way)
            while tunnel.lost[way] == before:
                await trio.sleep(0.01)
            tunnel.swallowed.clear()

        return await under_load(hub, swallow, times, seed, port=tunnel.near)


async def main(times: int, seed: int) -> int:
    async with running_hub("") as hub:
        outcome = await swallowing(hub, times, seed)
    print(outcome.told())
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(trio.run(main, options.times, options.seed))
