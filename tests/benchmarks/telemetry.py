"""Telemetry: what it costs a copy to be told of. The same copy without any, with it, and with 50 times as much.

`off` is the copy alone: nobody looks at its counters, and nothing is sent. `on` tells a real hub on loopback, with
the product's settings and its spool on the disk; `hasty` does so ten times a second and looks at the counters
every 20 ms. One process a copy, from nbdkit's pattern to its null, in interleaved rounds; a round's copies are
compared with each other.

The time of a copy tells little on a busy machine. What tells is the processor time of all threads but those that
copy: opening and ending are the same in all modes, the rest is telemetry's. Had each microsecond of it held up all
who copy, the copy would have been longer by that much; so it is a bound. A small disk beside the large one parts
what a job costs once from what each second of it costs.

    python -m tests.benchmarks.telemetry --sizes 512 4096 --rounds 7
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import structlog
import trio

from clientd import app
from clientd.actors import job as job_actor
from clientd.config import SENDER, Settings, TelemetrySettings
from clientd.core import job as state
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.core.order import DiskOrder, Order
from clientd.disk import worker
from clientd.disk.opening import SystemDisks
from clientd.disk.tally import DiskTally
from clientd.environment import SystemEnvironment
from clientd.net.hub import HttpHub
from tests.clientd import servers
from tests.e2e.conftest import Hub

MODES = {
    "off": None,
    "on": TelemetrySettings(),
    "hasty": TelemetrySettings(poll=0.02, beat=0.1),
}


class Taken(msgspec.Struct, frozen=True):
    """Seconds of one copy: from the order to the job's end, of CPU, and of CPU on threads that do not copy."""

    wall: float
    cpu: float
    beside: float


async def copy(mode: str, order: Order, hub: str, folder: Path) -> float:
    """The seconds from the order to the job's end."""
    told = MODES[mode]
    settings = Settings() if told is None else Settings(telemetry=told)
    disks = SystemDisks(settings.nbd)
    if told is None:
        events, heard = trio.open_memory_channel[state.Event](100)
        _, stops = trio.open_memory_channel[job_actor.Stop](1)
        began = trio.current_time()
        tallies = [DiskTally() for _ in order.disks]
        kept = MemoryCheckpoints()
        await job_actor.run(order, disks, tallies, stops, events, checkpoints=kept, settings=settings.copy)
        seconds = trio.current_time() - began
        seen = [event async for event in heard]
        assert any(isinstance(event, state.DiskCopied) for event in seen), seen
        return seconds
    environment = SystemEnvironment()
    ended: list[app.Outcome] = []
    async with (
        HttpHub(hub, sender=SENDER, settings=told) as way,
        app.open_keeper(folder, environment=environment, settings=told) as keeper,
    ):
        number, outbox = await keeper.begin(order.job_id, order.job_type, None)
        await app.run_job(
            order,
            number,
            disks,
            way,
            app.Stops(),
            outbox=outbox,
            checkpoints=MemoryCheckpoints(),
            environment=environment,
            settings=settings,
            show=lambda body: None,
            ended=ended.append,
        )
    assert ended[0].final.job.status == "completed", ended[0].final.job.error
    assert ended[0].end_known
    return ended[0].final.seconds


def timed(run: Callable[..., None], spent: list[float]) -> Callable[..., None]:
    """The same, with its thread's CPU seconds added to `spent`."""

    def running(*arguments: object) -> None:
        began = time.thread_time()
        try:
            run(*arguments)
        finally:
            spent.append(time.thread_time() - began)

    return running


def one(mode: str, source: str, target: str, hub: str) -> None:
    """A copy in this process, told as JSON."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    disks = (DiskOrder(index=0, source=source, target=target),)
    order = Order(job_id=f"backup-{mode}-{os.getpid()}", job_type="backup", disks=disks)
    copying: list[float] = []
    worker.run = timed(worker.run, copying)
    with tempfile.TemporaryDirectory(prefix="telemetry-bench-") as folder:
        began = time.process_time()
        wall = trio.run(copy, mode, order, hub, Path(folder))
        cpu = time.process_time() - began
    sys.stdout.buffer.write(msgspec.json.encode(Taken(wall, cpu, cpu - sum(copying))))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs=2, default=[512, 4096], help="of the disks, in MiB")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        one(*options.one)
        return
    found: dict[int, dict[str, list[Taken]]] = {size: {mode: [] for mode in MODES} for size in options.sizes}
    with ExitStack() as started:
        state_directory = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="telemetry-bench-")))
        state_directory.chmod(0o755)
        hub = Hub(state_directory).start()
        started.callback(hub.stop)
        ends = {
            size: (
                started.enter_context(servers.nbdkit("-r", "pattern", f"{size}M")),
                started.enter_context(servers.nbdkit("null", f"{size}M")),
            )
            for size in options.sizes
        }
        for turn in range(-1, options.rounds):
            modes = list(MODES) if turn % 2 else list(reversed(MODES))
            for size, (source, target) in ends.items():
                for mode in modes:
                    command = [sys.executable, "-m", "tests.benchmarks.telemetry"]
                    command += ["--one", mode, source, target, hub.url]
                    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                    if turn >= 0:
                        found[size][mode].append(msgspec.json.decode(ran.stdout, type=Taken))
    for size in options.sizes:
        _print(found[size], size)
    _part(*(found[size] for size in options.sizes))


def _print(found: dict[str, list[Taken]], size: int) -> None:
    print(f"{size} MiB, medians of {len(found['off'])} rounds, with their quartiles")
    for mode, rounds in found.items():
        pairs = list(zip(rounds, found["off"], strict=True))
        wall = statistics.median(each.wall for each in rounds)
        more = [mine.beside - off.beside for mine, off in pairs]
        print(
            f"  {mode:6} {wall:.3f} s ({_spread([mine.wall / off.wall for mine, off in pairs])} of off)"
            f"   CPU beside the copying {_spread([1000 * each.beside for each in rounds])} ms,"
            f" more than off by {100 * statistics.median(more) / wall:.2f} % of the time",
            flush=True,
        )


def _part(small: dict[str, list[Taken]], large: dict[str, list[Taken]]) -> None:
    """What telemetry costs once, and what for each second, from the medians of two sizes."""
    for mode in list(MODES)[1:]:
        walls, costs = [], []
        for found in (small, large):
            walls.append(statistics.median(each.wall for each in found[mode]))
            pairs = zip(found[mode], found["off"], strict=True)
            costs.append(statistics.median(mine.beside - off.beside for mine, off in pairs))
        slope = (costs[1] - costs[0]) / (walls[1] - walls[0])
        once = costs[0] - slope * walls[0]
        print(f"  {mode:6} costs {1000 * once:.0f} ms of CPU once, and {100 * slope:.2f} % of the time")


def _spread(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3f}, {low:.3f} to {high:.3f}"


if __name__ == "__main__":
    main()
