"""Ingest: durable updates a second of the hub beside the naive design, in one run on one PostgreSQL (fsync on).

The peers (peers/naive.go) are what a good Go programmer writes first: net/http, a pool of connections, prepared
statements, one for the job and one for each disk, each committed; once with lib/pq, once with pgx. The same load
(peers/load.go) goes to each in turn: so many keep-alive connections, each sending its next update when the last
one was answered 200; 4 disks an update. After each turn the database must hold what was acknowledged.

    python -m tests.benchmarks.ingest --connections 64 256 --seconds 4 --rounds 2

Everything shares the machine, the load too, so read the ratios. CPU is in microseconds an update.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import trio

from sendensed.store import bridge, embedded

PEERS = Path(__file__).parent / "peers"
DISK_BYTES = 1_000_000
"""By how much every disk grows with each update of the load."""


class Subject(msgspec.Struct):
    """A server under test: its process, its address, its database, and what was measured, by connections."""

    name: str
    process: int
    address: str
    dsn: str
    figures: dict[int, list[dict[str, float]]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pool", type=int, default=16, help="database connections of each naive server")
    parser.add_argument("--only", choices=["pq", "pgx", "hub"], help="one of them, to profile it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sendense-bench-") as folder:
        Path(folder).chmod(0o755)
        trio.run(compare, Path(folder), options)


async def compare(folder: Path, options: argparse.Namespace) -> None:
    """Builds, starts everything, and measures in turns, so that a busy moment of the machine meets all alike."""
    for name in ("naive", "load"):
        build(name, folder)
    async with embedded.open_embedded(folder) as server, bridge.open_pool(server.dsn) as admin:
        with ExitStack() as running:
            subjects = []
            for name in [options.only] if options.only else ["pq", "pgx", "hub"]:
                await admin.execute(f"CREATE DATABASE {name}")
                dsn = server.dsn.replace("/postgres?", f"/{name}?")
                subjects.append(running.enter_context(served(name, dsn, folder, options.pool)))
            for number in range(options.rounds):
                for connections in options.connections:
                    for subject in subjects:
                        await admin.execute("CHECKPOINT", timeout=60)
                        await measure(subject, folder, connections, options.seconds, f"round-{number}")
            for connections in options.connections:
                report(subjects, connections)


def build(name: str, folder: Path) -> None:
    """Compiles one of the Go programs, with the libraries that Debian packages and no network."""
    places = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "CGO_ENABLED": "0"}
    command = ["go", "build", "-o", folder / name, PEERS / f"{name}.go"]
    subprocess.run(command, env={**os.environ, **places}, check=True)


@contextmanager
def served(name: str, dsn: str, folder: Path, pool: int) -> Iterator[Subject]:
    """A server on a port of its own, as long as the block lasts."""
    command = [folder / "naive", "-driver", name, "-pool", str(pool), "-database", dsn + "&sslmode=disable"]
    if name == "hub":
        command = [sys.executable, "-m", "sendensed", "serve", "--open", "--log-level", "warning"]
        command += ["--listen", "127.0.0.1:0", "--database", dsn, "--state-dir", folder / "state"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().rpartition("/")[2].strip()
            yield Subject(name, process.pid, address, dsn, {})
        finally:
            process.terminate()
            process.wait(timeout=30)


async def measure(subject: Subject, folder: Path, connections: int, seconds: float, mark: str) -> None:
    """One turn of load, and its figures."""
    acks = folder / "acks"
    command = [folder / "load", "-address", subject.address, "-connections", str(connections)]
    command += ["-time", f"{seconds}s", "-prefix", f"{mark}-{connections}", "-acks", acks]
    before, began = cpu_seconds(subject), time.perf_counter()
    done = await trio.run_process(command, capture_stdout=True)
    after, elapsed = cpu_seconds(subject), time.perf_counter() - began
    said = json.loads(done.stdout)
    acknowledged = await verify(subject.dsn, acks)
    figures = {
        "rate": said["updates"] / said["seconds"],
        "p50": said["p50_ms"],
        "p99": said["p99_ms"],
        "cpu_server": 1e6 * (after[0] - before[0]) / acknowledged,
        "cpu_database": 1e6 * (after[1] - before[1]) / acknowledged,
        "cpu_load": 1e6 * said["cpu"] / acknowledged,
    }
    subject.figures.setdefault(connections, []).append(figures)
    show(
        f"{mark} {subject.name}", connections, figures, f"machine busy {100 * busy(before, after, elapsed):.0f} %"
    )


async def verify(dsn: str, acks: Path) -> int:
    """How many updates were acknowledged. Raises where the database does not hold a job's last one."""
    wanted = dict(line.rsplit(" ", 1) for line in acks.read_text().splitlines())
    async with bridge.open_pool(dsn) as pool:
        rows = await pool.fetch(
            "SELECT id, sequence, bytes_transferred, (SELECT sum(bytes_transferred) FROM backup_disks"
            " WHERE backup_job_id = id)::bigint AS disks FROM backup_jobs WHERE id = ANY($1)",
            list(wanted),
            timeout=30,
        )
    stored = {row["id"]: row for row in rows}
    for job_id, sequence in wanted.items():
        if int(sequence):
            row, total = stored[job_id], 4 * DISK_BYTES * int(sequence)
            if (row["sequence"], row["bytes_transferred"], row["disks"]) != (int(sequence), total, total):
                raise RuntimeError(f"{job_id}: acknowledged {sequence}, stored {dict(row)}")
    return sum(map(int, wanted.values()))


def report(subjects: list[Subject], connections: int) -> None:
    """Each server's rounds together, and the last one, the hub, against the others."""
    together = {}
    for subject in subjects:
        rounds = subject.figures[connections]
        together[subject.name] = {name: sum(one[name] for one in rounds) / len(rounds) for name in rounds[0]}
        show(subject.name, connections, together[subject.name])
    for name, peer in together.items():
        if name != "hub" and "hub" in together:
            hub = together["hub"]
            times, p99 = hub["rate"] / peer["rate"], hub["p99"] / peer["p99"]
            print(f"hub against {name} at {connections}: {times:.1f}x updates/s, p99 {p99:.2f}x", flush=True)


def show(name: str, connections: int, figures: dict[str, float], note: str = "") -> None:
    said = "  ".join(
        f"{key} {value:.0f}" if value > 99 else f"{key} {value:.1f}" for key, value in figures.items()
    )
    print(f"{name:12} {connections:4} connections: {said}  {note}", flush=True)


def cpu_seconds(subject: Subject) -> tuple[float, float, float]:
    """CPU so far of the server, of PostgreSQL, and of the whole machine."""
    database = sum(
        spent(stat)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if (text := read(stat)) and text.partition("(")[2].startswith("postgres")
    )
    fields = Path("/proc/stat").read_text().split()[1:9]
    idle = int(fields[3]) + int(fields[4])
    return spent(Path(f"/proc/{subject.process}/stat")), database, (sum(map(int, fields)) - idle) / TICKS


def busy(before: tuple[float, float, float], after: tuple[float, float, float], elapsed: float) -> float:
    """The share of all cores in use, by whomever: below 1 says that something else than CPU was waited for."""
    return (after[2] - before[2]) / elapsed / (os.cpu_count() or 1)


def spent(stat: Path) -> float:
    """User and system time of a process, seconds; 0 where it has gone."""
    fields = read(stat).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


TICKS = os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
