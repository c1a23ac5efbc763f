"""Overload: what a hub still acknowledges when it is offered more than it takes, and whether the ends get through.

By turns: what it can take (the same relays, so many at once that the queue is half full, the next one when one
was answered), and then 1, 2, 4 and 10 times as much, each push when it is due. Goodput is updates acknowledged a
second in the second half of that time; the end of each job goes alone, and its time counts from its being due. At
the end the database is held against what was acknowledged.

    python -m tests.benchmarks.overload --seconds 8

Hub, PostgreSQL and the flood share the machine, so read the ratios; the flood's own CPU is printed. `--jobs 1`
pushes updates one by one: then to refuse costs the hub nearly what it costs to read.
"""

import argparse
import sys

import trio

from tests.faults.flood import Figures, Flood
from tests.faults.run import running_hub, wrong_at
from tests.faults.senders import Ledger

IN_FLIGHT = 10_000
"""Updates that wait for an answer at the most: over twice what the hub's queue holds."""
HALF_FULL = 2_000
"""Updates under way that fill half of it."""
ENDERS = 350
"""Ends under way: fewer than the places that the queue keeps for them."""


def flood(port: int, ledger: Ledger, options: argparse.Namespace) -> None:
    few, many = max(1, HALF_FULL // options.jobs), min(options.connections, IN_FLIGHT // options.jobs)
    with Flood(port, relays=many, jobs=options.jobs, enders=ENDERS, ledger=ledger) as relays:
        relays.run(None, options.seconds / 2, few)  # its jobs are new to the hub, once
        for times in options.times:
            capacity = relays.run(None, options.seconds / 2, few)
            show("all it takes", capacity, capacity)
            show(f"{times:g}x offered", relays.run(times * capacity.goodput, options.seconds), capacity)


def show(name: str, told: Figures, capacity: Figures) -> None:
    late = f"{1000 * told.end_at(0.5):6.0f} {1000 * told.end_at(0.99):6.0f}"
    refused = ", ".join(f"{code} {count}" for code, count in told.refused.most_common()) or "none"
    print(
        f"{name:14} offered {told.offered / told.seconds:7.0f}/s  goodput {told.goodput:6.0f}/s"
        f" = {told.goodput / capacity.goodput:4.2f}x  ends {len(told.ends):5} p50, p99 ms {late}"
        f"  refused: {refused}; of ends: {sum(told.ends_refused.values())}"
        f"  held back {told.held}  flood's CPU {told.cpu:.2f}",
        flush=True,
    )
    if told.without_retry:
        raise AssertionError(f"refused without a time to come again: {told.without_retry[:3]}")


async def main(options: argparse.Namespace) -> int:
    ledger = Ledger()
    async with running_hub("") as hub:
        await trio.to_thread.run_sync(flood, hub.port, ledger, options)
        wrong = await wrong_at(hub, ledger)
    print(f"{len(ledger.accounts)} jobs held against the database: {len(wrong)} wrong", *wrong[:5], sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--jobs", type=int, default=25, help="updates of one push")
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--times", type=float, nargs="+", default=[1, 2, 4, 10])
    sys.exit(trio.run(main, parser.parse_args()))
