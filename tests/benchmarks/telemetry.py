"""Telemetry: what it costs a copy to be told of. The same copy without any, with it, and with 50 times as much.

`off` is the copy alone: nobody looks at its counters, and nothing is sent. `on` tells a real hub on loopback, with
the product's settings and its spool on the disk; `hasty` does so ten times a second and looks at the counters
every 20 ms. One process a copy, from nbdkit's pattern to its null, in interleaved rounds; a round's copies are
compared with each other. CPU is the copying process' own.

    python -m tests.benchmarks.telemetry --size 8192 --rounds 9
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import structlog
import trio

from clientd import app
from clientd.actors import job as job_actor
from clientd.config import SENDER, Settings, TelemetrySettings
from clientd.core import job as state
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.core.order import DiskOrder, Order
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


def one(mode: str, source: str, target: str, hub: str) -> None:
    """A copy in this process, told as JSON."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    disks = (DiskOrder(index=0, source=source, target=target),)
    order = Order(job_id=f"backup-{mode}-{os.getpid()}", job_type="backup", disks=disks)
    with tempfile.TemporaryDirectory(prefix="telemetry-bench-") as folder:
        before = resource.getrusage(resource.RUSAGE_SELF)
        seconds = trio.run(copy, mode, order, hub, Path(folder))
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu}))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=8192, help="of the disk, in MiB")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        one(*options.one)
        return
    found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
    with ExitStack() as started:
        state_directory = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="telemetry-bench-")))
        state_directory.chmod(0o755)
        source = started.enter_context(servers.nbdkit("-r", "pattern", f"{options.size}M"))
        target = started.enter_context(servers.nbdkit("null", f"{options.size}M"))
        hub = Hub(state_directory).start()
        started.callback(hub.stop)
        for turn in range(-1, options.rounds):
            modes = list(MODES) if turn % 2 else list(reversed(MODES))
            for mode in modes:
                command = [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.telemetry",
                    "--one",
                    mode,
                    source,
                    target,
                    hub.url,
                ]
                ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                told = json.loads(ran.stdout)
                if turn >= 0:
                    found[mode].append((told["seconds"], told["cpu"]))
    _print(found, options.size)


def _print(found: dict[str, list[tuple[float, float]]], size: int) -> None:
    print(f"{size} MiB, medians of {len(found['off'])} rounds; against off: of each round's ratio the median")
    for mode, rounds in found.items():
        seconds, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        pairs = zip(rounds, found["off"], strict=True)
        ratios = [(mine[0] / base[0], mine[1] / base[1]) for mine, base in pairs]
        wall, work = (_spread(column) for column in zip(*ratios, strict=True))
        print(f"  {mode:6} {seconds:.3f} s ({wall})   CPU {cpu:.3f} s ({work})", flush=True)


def _spread(ratios: tuple[float, ...]) -> str:
    """The median and the quartiles around it: below their distance nothing is told."""
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.4f} of off, {low:.3f} to {high:.3f}"


if __name__ == "__main__":
    main()
