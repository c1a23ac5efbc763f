"""Start: how long the commands take from nothing to their end, beside a Python that does nothing.

    python -m tests.benchmarks.start [--rounds N]

The rounds go through all commands in turn, so that what the machine does meanwhile meets all of them; told is the
median. `jobs` reads from a server of this benchmark's own, which answers at once.
"""

import argparse
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
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):  # the first one fills the caches
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken[name].append(1000 * (time.perf_counter() - began))
    least = statistics.median(taken["python -c pass"][1:])
    for name, each in taken.items():
        median = statistics.median(each[1:])
        print(f"{name:36} {median:7.1f} ms  {median / least:5.2f}x of a Python that does nothing")
    server.shutdown()


if __name__ == "__main__":
    main()
