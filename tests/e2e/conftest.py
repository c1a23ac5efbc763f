"""Real processes: a hub, and what is asked of it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import IncompleteRead
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pytest

from tests.ports import free_port
from tests.waits import PATIENCE, first_line

_T = TypeVar("_T")


def eventually(what: str, look: Callable[[], object]) -> object:
    """Looks until the answer is true, and returns it; again where a dying process took the connection along."""
    until = time.monotonic() + PATIENCE
    lost = None
    while time.monotonic() < until:
        try:
            if found := look():
                return found
        except (OSError, IncompleteRead) as error:
            cause = getattr(error, "reason", error)
            if not isinstance(cause, ConnectionError | IncompleteRead):
                raise
            lost = cause
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE:g} s: {what}") from lost


def until_taken(push: Callable[[], _T]) -> _T:
    """What the push returns, which is made again as long as it is answered with 503."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return push()
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > until:
                raise
            error.close()
        time.sleep(0.2)


def processes_that_name(text: str) -> dict[int, list[str]]:
    """The processes alive whose command line holds the text, by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            words = command_line(int(entry.name)).decode(errors="replace").split("\0")
            if text in " ".join(words):
                found[int(entry.name)] = words
    return found


def children(pid: int) -> list[int]:
    """The worker processes of a parent, by whichever of its threads they were started."""
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile has none
            found += [int(one) for one in listed.read_text().split()]
    return [number for number in found if b"cli.worker" in command_line(number)]


def command_line(number: int) -> bytes:
    """A process's words, each with a NUL behind it; nothing of one that has ended."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


def parent_of(number: int) -> int | None:
    """The process that started it, or took it over; None where it has ended."""
    try:
        return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


class Hub:
    """`sendensed serve --open` as a process, on a port of its own that it keeps over restarts."""

    def __init__(self, state: Path, settings: str = "", database: str = "", workers: int = 1) -> None:
        self.state = state
        self.database = database or f"postgresql://postgres@/postgres?host={state}/postgres/run&port=5432"
        self.port = free_port()
        self.program = ["sendensed", "serve"]
        self.process: subprocess.Popen[str] | None = None
        config = state / "hub.toml"
        config.write_text(f"workers = {workers}\n{settings}")
        self._arguments = ["--config", config]
        if database:
            self._arguments += ["--database", database]

    def start(self) -> "Hub":
        command = [sys.executable, "-m", *self.program, "--open", "--state-dir", self.state]
        command += ["--listen", f"127.0.0.1:{self.port}", *self._arguments]
        log = (self.state / "hub.log").open("ab")
        with log:
            told = {**os.environ, "PYTHONFAULTHANDLER": "1"}  # a crash tells where, in the log
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=told)
        line = first_line(self.process)
        if not line.startswith("listening on "):
            self.stop()
            raise AssertionError((self.state / "hub.log").read_text())
        self.port = int(line.rpartition(":")[2])
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the hub; returns its exit code."""
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            return process.wait(timeout=PATIENCE)
        finally:
            process.kill()  # one that does not end
            process.stdout.close()

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    def job(self, job_id: str) -> dict | None:
        """The job's detail, or None where the hub does not know it."""
        try:
            return self.get(f"/api/v1/jobs/{quote(job_id, safe='')}")
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 404:
                    raise
            return None

    def status(self, job_id: str) -> str | None:
        found = self.job(job_id)
        return found and found["job"]["status"]

    def post(self, job_id: str, **fields: object) -> dict:
        """Pushes an update, again where a hub that gets no time of the machine says to come back."""
        return until_taken(lambda: self.push(job_id, **fields))

    def push(self, job_id: str, **fields: object) -> dict:
        request = urllib.request.Request(
            f"{self.url}/api/v1/telemetry/backup/{quote(job_id, safe='')}",
            json.dumps(fields).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def client(self, job_id: str, disks: dict[Path, Path], *more: str) -> subprocess.Popen[bytes]:
        """A real client that copies these disks and reports here."""
        command = [sys.executable, "-m", "clientd", "run", "--job-id", job_id, "--hub", self.url, "--json", *more]
        for source, target in disks.items():
            command += ["--disk", f"{source}={target}"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def database_processes(self) -> list[int]:
        """The postmasters of this hub's state directory that are alive."""
        named = processes_that_name(str(self.state))
        servers = [number for number, words in named.items() if words[0].endswith("/postgres")]
        return [number for number in servers if parent_of(number) not in servers]  # a child is born with its name


@pytest.fixture
def make_hub(open_directory):
    """Starts hubs, and ends what is left of them."""
    hubs = []

    def make(settings: str = "", database: str = "", workers: int = 1, program: str = "") -> Hub:
        state = open_directory / f"hub-{len(hubs)}"
        state.mkdir(mode=0o755)
        hubs.append(Hub(state, settings, database, workers))
        if program:
            hubs[-1].program = [program]
        return hubs[-1].start()

    yield make
    for hub in hubs:
        if hub.process is not None:
            hub.stop()


@pytest.fixture
def disk(tmp_path):
    """Makes source images of random data with a hole behind it; returns source and target."""

    def make(name: str, data: int, hole: int = 0) -> tuple[Path, Path]:
        source = tmp_path / f"{name}.img"
        with source.open("wb") as file:
            file.write(os.urandom(data))
            file.truncate(data + hole)
        return source, tmp_path / f"{name}-copy.img"

    return make
