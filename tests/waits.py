"""Waits: how long a test waits for what must happen."""

import select
import subprocess

PATIENCE = 120.0
"""Seconds after which it will not happen: far more than a machine needs that has much else to do."""


def first_line(process: subprocess.Popen[str]) -> str:
    """What a process says first on its standard output; nothing of one that says nothing."""
    assert process.stdout is not None
    return process.stdout.readline() if select.select([process.stdout], [], [], PATIENCE)[0] else ""
