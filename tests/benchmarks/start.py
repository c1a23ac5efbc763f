"""Start: how long the commands take from nothing to their end, beside a Python that does nothing.

    python -m tests.benchmarks.start [--rounds N]

The rounds go through all commands in turn, so that what the machine does meanwhile meets all of them; told are the
medians of the time that passed and of the CPU's. `jobs` reads from a server of this benchmark's own, which answers
at once.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = b'{"jobs":[],"next":null}'


class Empty(BaseHTTPRequestHandler):
    """A hub without jobs."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def cpu() -> float:
    """CPU seconds of all commands until now."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.start", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = f"http://127.0.0.1:{server.server_address[1]}"
    program = [sys.executable, "-m", "sendensed"]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "sendensed --help": [*program, "--help"],
        "sendensed jobs --help": [*program, "jobs", "--help"],
        "sendensed completion bash": [*program, "completion", "bash"],
        "sendensed jobs": [*program, "jobs", "--hub", hub],
        "python -c 'import httpx'": [sys.executable, "-c", "import httpx"],
        "python -c 'import trio, rich.live'": [sys.executable, "-c", "import trio, rich.live"],
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds + 1):  # the first one fills the caches
        for name, command in commands.items():
            began, spent = time.perf_counter(), cpu()
            subprocess.run(command, check=True, capture_output=True)
            taken[name].append((1000 * (time.perf_counter() - began), 1000 * (cpu() - spent)))
    medians = {
        name: [statistics.median(part) for part in zip(*each[1:], strict=True)] for name, each in taken.items()
    }
    least = medians["python -c pass"]
    print(f"{'':36} {'passed':>16} {'CPU':>19}")
    for name, told in medians.items():
        figures = (f"{one:7.1f} ms {one / base:6.2f}x" for one, base in zip(told, least, strict=True))
        print(f"{name:36} {'   '.join(figures)}")
    server.shutdown()


if __name__ == "__main__":
    main()
