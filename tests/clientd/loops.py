"""Loops: real block devices over files, where the machine lets us have them."""

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_ONE_AT_A_TIME = Path(tempfile.gettempdir()) / f"sendense-tests-loops-{os.getuid()}"


@contextlib.contextmanager
def attached(path: Path) -> Iterator[str]:
    """A block device over the file. Raises OSError or CalledProcessError where there is none to be had."""
    command = ["losetup", "--find", "--show", str(path)]
    with _ONE_AT_A_TIME.open("w") as lock:  # two that look for a free one may find the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def _available() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(4096)
        try:
            with attached(Path(file.name)) as device, open(device, "rb") as opened:
                return len(opened.read()) == 4096
        except (OSError, subprocess.CalledProcessError):
            print("no loop device here: nothing is checked on a block device", file=sys.stderr)
            return False


AVAILABLE = _available()
