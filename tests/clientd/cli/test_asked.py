"""Asked: the table of the daemon's jobs on terminals of any width."""

import pytest

from clientd.cli import asked
from clientd.core.control import JobView

RUNNING = JobView(
    job_id="backup-web01-20261123-020000",
    state="running",
    attempt=1,
    phase="transferring",
    percent=4.0,
    bytes_transferred=12 * 2**20,
    total_bytes=300 * 2**20,
    speed=2**20,
)
FAILED = JobView(job_id="repl-b", state="failed", attempt=12, error="disk 0: no space")


@pytest.mark.parametrize(
    ("places", "heading"),
    [
        (None, "STATE PHASE DONE COPIED SPEED ATTEMPT ID ERROR"),
        (120, "STATE PHASE DONE COPIED SPEED ATTEMPT ID ERROR"),
        (102, "STATE PHASE DONE COPIED SPEED ATTEMPT ID"),
        (80, "STATE DONE COPIED ID"),
        (10, "STATE DONE ID"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_none_that_wraps(places, heading):
    lines = asked.table((RUNNING,), places).splitlines()
    assert lines[0].split() == heading.split()
    assert places in (None, 10) or max(map(len, lines)) <= places


def test_an_error_is_never_left_out_and_numbers_stand_below_each_other():
    head, first, second = asked.table((RUNNING, FAILED), 80).splitlines()
    assert head.split() == ["STATE", "DONE", "ID", "ERROR"]
    assert first.index("4.0 %") + 5 == second.index("-") + 1
    assert second.endswith("repl-b                        disk 0: no space")
