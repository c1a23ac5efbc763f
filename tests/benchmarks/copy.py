"""Copy: raw file to raw file, ours beside `cp --sparse=always` and `dd bs=4M`, in interleaved rounds.

Every copy ends flushed: cp with `sync FILE`, dd with conv=fsync, ours by its own fsync. Sources are in the page
cache, targets are new, and dirty pages are written out before each copy. `clientd` is the real process with a hub
that is away: `copy` is the time it tells itself (from opening to flushed), `process` includes its start.

    python -m tests.benchmarks.copy --size 512 --rounds 5
    python -m tests.benchmarks.copy --workers 1 2 4 --kinds half
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MIB = 2**20
KINDS = {"dense": 1.0, "half": 0.5, "tenth": 0.1}
"""Shares of the image that hold data, in pieces of 1 MiB; the rest are holes."""
_RANDOM = 64
_NOBODY = "http://127.0.0.1:9"

Copy = Callable[[Path, Path], dict[str, float]]


def draw(path: Path, size: int, share: float) -> None:
    """An image of `size` MiB, of which this share is random data, evenly spread."""
    noise = os.urandom(_RANDOM * MIB)
    with path.open("wb") as file:
        file.truncate(size * MIB)
        for at in range(size):
            if share == 1 or (at * share) % 1 < share:
                start = at % _RANDOM * MIB
                file.seek(at * MIB)
                file.write(noise[start : start + MIB])


def timed(command: list[str]) -> float:
    """The seconds that the command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def cp(source: Path, target: Path) -> dict[str, float]:
    flush = ["sync", str(target)]
    return {"cp": timed(["cp", "--sparse=always", str(source), str(target)]) + timed(flush)}


def dd(source: Path, target: Path) -> dict[str, float]:
    return {"dd": timed(["dd", f"if={source}", f"of={target}", "bs=4M", "conv=fsync"])}


def clientd(workers: int) -> Copy:
    """Our copy with so many workers."""

    def copy(source: Path, target: Path) -> dict[str, float]:
        command = [sys.executable, "-m", "clientd", "run", "--job-id", "benchmark", "--hub", _NOBODY, "--json"]
        command += ["--final-wait", "0", "--workers", str(workers), "--disk", f"{source}={target}"]
        began = time.perf_counter()
        ended = subprocess.run(command, check=True, capture_output=True)
        process = time.perf_counter() - began
        seconds = json.loads(ended.stdout)["seconds"]
        return {f"clientd, {workers} workers: copy": seconds, f"clientd, {workers} workers: process": process}

    return copy


def measure(copies: list[Copy], source: Path, target: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds by name, one for each round; every copy is compared with its source once."""
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        for copy in copies:
            target.unlink(missing_ok=True)
            os.sync()
            for name, seconds in copy(source, target).items():
                times.setdefault(name, []).append(seconds)
            if turn == 0:
                subprocess.run(["cmp", str(source), str(target)], check=True)
    return times


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="of the images, in MiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--workers", type=int, nargs="+", default=[4])
    parser.add_argument("--directory", help="where the images lie; default: the system's for temporary files")
    options = parser.parse_args(arguments)
    copies: list[Copy] = [cp, dd, *map(clientd, options.workers)]
    with tempfile.TemporaryDirectory(prefix="clientd-bench-", dir=options.directory) as directory:
        source, target = Path(directory, "source"), Path(directory, "target")
        for kind in options.kinds:
            draw(source, options.size, KINDS[kind])
            times = measure(copies, source, target, options.rounds)
            base = statistics.median(times["cp"])
            data = round(options.size * KINDS[kind])
            print(f"{kind}: {data} of {options.size} MiB are data; medians of {options.rounds} against cp")
            for name, seconds in times.items():
                median = statistics.median(seconds)
                low, high = min(seconds), max(seconds)
                print(f"  {name:27} {base / median:5.2f}x   {median:.3f} s ({low:.3f} to {high:.3f})", flush=True)


if __name__ == "__main__":
    main()
