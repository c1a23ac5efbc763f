"""Nbd: disk copies between NBD servers, ours beside nbdcopy with its defaults, in interleaved rounds.

Sources are raw images that nbdkit exports; targets are nbdkit's memory, or a qcow2 behind qemu-nbd, which is made
anew for each copy. `delay` puts 5 ms before each read and write of nbdkit. `one` is a target that says of no two
connections that they see each other's writes, so that all copying goes over one of them. Every copy ends flushed,
and the first targets are compared with their source. `clientd` is our engine in a process of its own, from opening
to flushed as it tells itself, with a hub that is away; nbdcopy's time is its process'. `tuned` is nbdcopy too,
with its best known setting: 16 requests of 1 MiB under way on each connection. CPU is user and system time of the
copying side alone, without servers and without the start of the interpreter. What a round's copies took is
compared with each other; told is the median of these ratios, and their quartiles.

    python -m tests.benchmarks.nbd --size 512 --rounds 7
    python -m tests.benchmarks.nbd --cases unix-memory tcp-delay --kinds random
"""

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.copy import KINDS as SHARES
from tests.benchmarks.copy import MIB, draw
from tests.clientd import servers
from tests.ports import free_port

KINDS = {"random": SHARES["dense"], "half": SHARES["half"], "tenth": SHARES["tenth"]}
GIB = 2**30
_DELAY = ["--filter=delay", "rdelay=5ms", "wdelay=5ms"]
_SINGLE = ["--filter=multi-conn", "multi-conn-mode=disable"]
_ENGINE = "tests.benchmarks.engine"

Measured = tuple[float, float]
"""Seconds, and CPU seconds."""


@contextlib.contextmanager
def _nbdkit(where: Path, port: int | None, *arguments: str) -> Iterator[str]:
    mark = where.with_suffix(".pid")
    at = ["-U", str(where)] if port is None else ["-i", "127.0.0.1", "-p", str(port)]
    with servers.running(["nbdkit", "-f", "-P", str(mark), *at, *arguments], mark):
        yield f"nbd+unix:///?socket={where}" if port is None else f"nbd://127.0.0.1:{port}/"
    mark.unlink(missing_ok=True)
    where.unlink(missing_ok=True)


@contextlib.contextmanager
def serving(case: str, image: Path, folder: Path, size: int) -> Iterator[tuple[str, str]]:
    """The URIs of a source and of a fresh target."""
    tcp, slow, one = case.startswith("tcp"), case.endswith("delay"), "-one" in case
    filters, values = (_DELAY[:1], _DELAY[1:]) if slow else ([], [])
    single, mode = (_SINGLE[:1], _SINGLE[1:]) if one else ([], [])
    ports = (free_port(), free_port()) if tcp else (None, None)
    with contextlib.ExitStack() as started:
        start = started.enter_context
        source = start(_nbdkit(folder / "s", ports[0], "-r", *filters, "file", str(image), *values[:1]))
        if "qcow2" in case:
            target = folder / "target.qcow2"
            servers.run("qemu-img", "create", "-f", "qcow2", target, size)
            yield source, start(servers.qemu_nbd(target, "qcow2", "--shared=8", "--cache=writeback"))
            target.unlink()
        else:
            memory = [*single, *filters, "memory", str(size), *mode, *values[1:]]
            yield source, start(_nbdkit(folder / "t", ports[1], *memory))


CASES = (
    "unix-memory",
    "tcp-memory",
    "unix-qcow2",
    "tcp-qcow2",
    "unix-delay",
    "tcp-delay",
    "unix-one-delay",
    "tcp-one-delay",
    "unix-qcow2-delay",
)


def nbdcopy(source: str, target: str, *more: str) -> Measured:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["nbdcopy", "--flush", *more, source, target], check=True, capture_output=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tuned(source: str, target: str) -> Measured:
    """nbdcopy with its best known setting."""
    return nbdcopy(source, target, "--requests=16", "--request-size=1048576")


def clientd(source: str, target: str) -> Measured:
    ran = subprocess.run(
        [sys.executable, "-m", _ENGINE, source, target], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    told = json.loads(ran.stdout)
    return told["seconds"], told["cpu"]


PEERS: dict[str, Callable[[str, str], Measured]] = {"nbdcopy": nbdcopy, "tuned": tuned, "clientd": clientd}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="of the images, in MiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="nbd-bench-") as directory:
        folder = Path(directory)
        image = folder / "source"
        for kind in options.kinds:
            draw(image, options.size, KINDS[kind])
            for case in options.cases:
                measured = _measure(case, image, folder, options)
                _print(f"{kind}, {case}", measured, options.size * MIB * KINDS[kind])


def _measure(case: str, image: Path, folder: Path, options: argparse.Namespace) -> dict[str, list[Measured]]:
    """A round that is not counted goes first: it fills the target's memory, and its results are compared."""
    found: dict[str, list[Measured]] = {name: [] for name in PEERS}
    with contextlib.ExitStack() as started:
        for turn in range(-1, options.rounds):
            for name, copy in PEERS.items() if turn % 2 else reversed(PEERS.items()):
                if "qcow2" in case or (turn, name) == (-1, "nbdcopy"):
                    started.close()
                    source, target = started.enter_context(serving(case, image, folder, options.size * MIB))
                measured = copy(source, target)
                if turn >= 0:
                    found[name].append(measured)
                    continue
                back = folder / "back"
                servers.run("nbdcopy", target, back)
                subprocess.run(["cmp", str(image), str(back)], check=True)
                back.unlink()
    return found


def _print(title: str, measured: dict[str, list[Measured]], data: float) -> None:
    print(title)
    for name, rounds in measured.items():
        seconds, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        pairs = list(zip(measured["nbdcopy"], rounds, strict=True))
        speed = _spread([base[0] / mine[0] for base, mine in pairs])
        work = _spread([mine[1] / base[1] for base, mine in pairs])
        each = cpu / data * GIB
        print(f"  {name:8} speed {speed}, {seconds:.3f} s   CPU {work}, {each:.2f} s/GiB", flush=True)


def _spread(ratios: list[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
