"""Benchmarks: all of them, one after the other; `python -m tests.benchmarks.NAME --help` tells of one.

Figures of one run are for comparing with each other: machines differ, and so do days.
"""

import argparse
import subprocess
import sys

NAMES = ("start", "http", "save", "ingest", "overload", "fanout", "scale", "copy", "nbd", "telemetry", "page")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help=f"which ones (all: {', '.join(NAMES)})")
    for name in parser.parse_args().names or NAMES:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
