"""Hub: a real hub process with its own PostgreSQL, telemetry for it, and ways to end it."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from tests.ports import free_port
from tests.waits import PATIENCE, first_line

ROOT = Path(__file__).parents[2]
GIB = 2**30
CONFIG = """
[reaper]
stall_after = {stall_after}
fail_after = {fail_after}
period = 0.5
[feed]
heartbeat = 0.5
"""


class Hub:
    """One hub; after `kill` it can be started again at the same address, with the same state.

    Open to everybody unless it is `guarded`; `stall_after` and `fail_after` are seconds of silence;
    `settings` are more tables of its configuration.
    """

    def __init__(
        self,
        directory: Path,
        *,
        guarded: bool = False,
        stall_after: float = 5.0,
        fail_after: float = 600.0,
        settings: str = "",
    ) -> None:
        self._directory = directory
        self._guarded = guarded
        self._listen = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[str] | None = None
        self.address = ""
        limits = CONFIG.format(stall_after=stall_after, fail_after=fail_after)
        (directory / "hub.toml").write_text(limits + settings)

    def start(self) -> None:
        """Returns when it listens."""
        command = [sys.executable, "-m", "sendensed", "serve", "--listen", self._listen]
        command += [] if self._guarded else ["--open"]
        command += ["--state-dir", str(self.state), "--config", str(self._directory / "hub.toml")]
        with (self._directory / "hub.log").open("a") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        line = first_line(self._process)
        assert line.startswith("listening on http://"), (self._directory / "hub.log").read_text()
        self.address = line.split()[-1]
        self._listen = self.address.removeprefix("http://")

    def kill(self) -> None:
        """Ends the hub without a word."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def stop(self) -> None:
        """Ends the hub and its PostgreSQL in order."""
        if self._process is not None:
            self._process.terminate()
            self._end()

    def _end(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.wait(PATIENCE)
        self._process.stdout.close()
        self._process = None

    def get(self, path: str) -> Any:
        """What the hub answers there."""
        with urllib.request.urlopen(self.address + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    def token(self, action: str, *words: str) -> str:
        """What `sendensed token` prints, on the state of this hub."""
        command = [sys.executable, "-m", "sendensed", "token", action, "--state-dir", str(self.state), *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout.strip()

    @property
    def state(self) -> Path:
        """Where it keeps what outlives it, the tokens of its first start among that."""
        return self._directory / "state"

    def send(self, job_id: str, kind: str = "backup", **body: Any) -> None:
        """Posts one update of the job; again where a hub that gets no time of the machine says to come back."""
        address = f"{self.address}/api/v1/telemetry/{kind}/{quote(job_id, safe='')}"
        content = json.dumps(body).encode()
        request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
        if self._guarded:
            token = (self.state / "appliance-1.token").read_text().strip()
            request.add_header("Authorization", f"Bearer {token}")
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    assert json.load(answer)["applied"]
                    return
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 503 or time.monotonic() > until:
                        raise
                time.sleep(0.2)


def disk(index: int, percent: float, **said: Any) -> dict[str, Any]:
    """A disk of 20 GiB in an update."""
    return {
        "disk_index": index,
        "bytes_transferred": int(20 * GIB * percent / 100),
        "total_bytes": 20 * GIB,
        "status": "running",
        **said,
    }


@contextmanager
def running(**said: Any) -> Iterator[Hub]:
    """A hub, such as `Hub` is told, in a directory of its own; at the end both are gone."""
    with TemporaryDirectory(prefix="sendense-browser-") as directory:
        Path(directory).chmod(0o755)  # run as root, the database server is another user's
        hub = Hub(Path(directory), **said)
        hub.start()
        try:
            yield hub
        finally:
            hub.stop()
