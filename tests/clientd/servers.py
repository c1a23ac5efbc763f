"""Servers: real NBD servers on unix sockets and loopback ports, started for a test and ended with it."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from clientd.disk.command import listens
from tests.ports import free_port
from tests.waits import PATIENCE


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short path: a unix socket's may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="nbd-") as path:
        yield Path(path)


@contextlib.contextmanager
def running(command: list[str], *sockets: Path) -> Iterator[subprocess.Popen]:
    """The command, once it listens on its sockets. It is killed at the end, if it still runs."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + PATIENCE
        while not all(map(_listens, sockets)):
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < until, "it does not listen"
            time.sleep(0.005)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def _listens(path: Path) -> bool:
    """The file is there, and if it is a socket, its server listens: that comes a moment later."""
    return path.exists() and (not path.is_socket() or listens(str(path)))


@contextlib.contextmanager
def nbdkit(*arguments: str, path: Path | None = None) -> Iterator[str]:
    """Its URI."""
    with folder() as place:
        where = path or place / "s"
        with running(["nbdkit", "-f", "-U", str(where), *arguments], where):
            yield f"nbd+unix:///?socket={where}"


@contextlib.contextmanager
def nbdkit_tcp(*arguments: str) -> Iterator[str]:
    """Its URI. It listens once its number is written."""
    with folder() as place:
        port, mark = free_port(), place / "pid"
        with running(["nbdkit", "-f", "-i", "127.0.0.1", "-p", str(port), "-P", str(mark), *arguments], mark):
            yield f"nbd://127.0.0.1:{port}/"


@contextlib.contextmanager
def qemu_nbd(image: Path, form: str, *arguments: str, path: Path | None = None) -> Iterator[str]:
    """Its URI. Without `--shared` among the arguments it takes one client only."""
    with folder() as place:
        where = path or place / "s"
        command = ["qemu-nbd", "--persistent", "-f", form, "-k", str(where), *arguments, str(image)]
        with running(command, where):
            yield f"nbd+unix:///?socket={where}"


def run(*command: object) -> str:
    """What the command prints."""
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, stdin=subprocess.DEVNULL
    ).stdout.decode()
