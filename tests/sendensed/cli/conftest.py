"""What the tests of the commands share: one real hub a file, and the commands as real processes."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.browser import hub as hubs
from tests.waits import PATIENCE

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def hub():
    """A hub with a PostgreSQL of its own, which calls no job stalled while a test goes on."""
    with TemporaryDirectory(prefix="sendense-cli-") as directory:
        Path(directory).chmod(0o755)  # run as root, the database server is another user's
        running = hubs.Hub(Path(directory))
        (Path(directory) / "hub.toml").write_text("[reaper]\nstall_after = 3600\nfail_after = 7200\n")
        running.start()
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def strict_hub():
    """Another hub: it calls a job stalled after 5 s of silence."""
    with hubs.running() as running:
        yield running


@pytest.fixture
def environment(tmp_path):
    """What a command finds around it: nothing of the machine's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SENDENSE_")}
    return {**kept, "XDG_CONFIG_HOME": str(tmp_path), "TERM": "xterm-256color"}


@pytest.fixture
def command(hub, environment):
    """Runs `sendensed WORDS` against the hub, to its end."""

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sendensed", *words],
            cwd=ROOT,
            env={**environment, "SENDENSE_HUB": hub.address, **more},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )

    return run
