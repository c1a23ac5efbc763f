"""Ingest: updates that a hub commits a second, over loopback, on its embedded PostgreSQL (fsync on).

A hub process of its own; this process is the load: so many keep-alive connections, each with its own share
of the jobs, each sending its next update when the last one was answered 200. Every update carries 4 disks
and a higher sequence. At the end the database must hold the last sequence of every job.

    python -m tests.benchmarks.ingest --connections 64 256 --seconds 8
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import trio

_JOBS = 512


_DISK = (
    b'{"disk_index":%d,"bytes_transferred":%%d,"total_bytes":1000000000000,'
    b'"progress_percent":1.5,"status":"running"}'
)
_BODY = (
    b'{"status":"running","current_phase":"transferring","bytes_transferred":%%d,"total_bytes":4000000000000,'
    b'"transfer_speed_bps":100000000,"progress_percent":1.5,"disks":[%b],"attempt":1,"sequence":%%d,'
    b'"vm_name":"benchmark","timestamp":"2026-11-23T02:14:07Z"}' % b",".join(_DISK % n for n in range(4))
)


def body(sequence: int) -> bytes:
    """An update of 4 disks, about 700 bytes."""
    done = sequence * 1_000_000
    return _BODY % (4 * done, done, done, done, done, sequence)


async def connection(port: int, jobs: list[str], until: float, times: list[float]) -> dict[str, int]:
    """One keep-alive connection's turn; returns the last acknowledged sequence of each of its jobs."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    acknowledged: dict[str, int] = {}
    async with stream:
        sequence = 0
        while trio.current_time() < until:
            sequence += 1
            content = body(sequence)
            for job_id in jobs:
                began = trio.current_time()
                await stream.send_all(
                    b"POST /api/v1/telemetry/backup/%b HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (job_id.encode(), len(content), content)
                )
                answer = await stream.receive_some(65536)
                if not answer.startswith(b"HTTP/1.1 200") or b'"applied":true' not in answer:
                    raise RuntimeError(answer)
                times.append(trio.current_time() - began)
                acknowledged[job_id] = sequence
                if trio.current_time() >= until:
                    break
    return acknowledged


async def load(port: int, connections: int, seconds: float, run: int) -> dict[str, float]:
    """One round of load; returns its figures."""
    names = [f"bench-{run}-{n}" for n in range(max(_JOBS, connections))]
    times: list[float] = []
    acknowledged: dict[str, int] = {}
    began = trio.current_time()
    until = began + seconds

    async def share(number: int) -> None:
        acknowledged.update(await connection(port, names[number::connections], until, times))

    async with trio.open_nursery() as nursery:
        for number in range(connections):
            nursery.start_soon(share, number)
    elapsed = trio.current_time() - began
    check(port, acknowledged)
    times.sort()
    return {
        "connections": connections,
        "updates_per_second": round(len(times) / elapsed),
        "p50_ms": round(statistics.median(times) * 1000, 1),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 1),
    }


def check(port: int, acknowledged: dict[str, int]) -> None:
    """What was acknowledged is what is stored."""
    for job_id, sequence in list(acknowledged.items())[:: max(1, len(acknowledged) // 50)]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/jobs/{job_id}") as answer:
            stored = json.load(answer)["job"]
        if stored["sequence"] != sequence:
            raise RuntimeError(f"{job_id}: acknowledged {sequence}, stored {stored['sequence']}")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64, 256])
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sendense-bench-") as state:
        Path(state).chmod(0o755)
        command = [sys.executable, "-m", "sendensed", "serve", "--open", "--log-level", "warning"]
        command += ["--listen", "127.0.0.1:0", "--state-dir", state]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hub:
            try:
                port = int(hub.stdout.readline().rpartition(":")[2])
                for run, connections in enumerate(options.connections):
                    time.sleep(0.5)
                    before = cpu_seconds(hub.pid)
                    figures = trio.run(load, port, connections, options.seconds, run)
                    figures["hub_cpu_us_per_update"] = round(
                        (cpu_seconds(hub.pid) - before) * 1e6 / (figures["updates_per_second"] * options.seconds),
                        1,
                    )
                    print(json.dumps(figures), flush=True)
            finally:
                hub.terminate()
                hub.wait(timeout=30)


if __name__ == "__main__":
    main()
