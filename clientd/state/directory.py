"""Directory: where the state is kept, and who else is alive that keeps it there.

An owner is a number drawn at random. It is alive as long as a process holds the lock of that byte of the file
`owners`; the kernel lets go of it when the process ends, however it ends.
"""

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from clientd.environment import Environment
from clientd.errors import UsageError, printable, reason

_NUMBERS = 2**62
"""Places in a file that a lock can be on."""


def state_directory(given: str | None, environ: Mapping[str, str], *, root: bool) -> Path:
    """As given, else the service's place, else root's or the user's."""
    if given:
        return Path(given)
    if service := environ.get("STATE_DIRECTORY"):  # systemd's StateDirectory=
        return Path(service.split(":")[0])
    if root:
        return Path("/var/lib/clientd")
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "clientd"


def socket_path(given: str | None, environ: Mapping[str, str], *, root: bool) -> Path:
    """Of the daemon: as given, else in the service's runtime directory, else in root's or the user's."""
    if given:
        return Path(given)
    if service := environ.get("RUNTIME_DIRECTORY"):  # systemd's RuntimeDirectory=
        return Path(service.split(":")[0]) / "clientd.sock"
    if root:
        return Path("/run/clientd/clientd.sock")
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "clientd/clientd.sock"
    return state_directory(None, environ, root=False) / "clientd.sock"


def make(folder: Path) -> None:
    """The directory, for us alone, if it is not there yet. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


class Owner:
    """This process among those that share the directory. Raises OSError where no lock can be had."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        make(folder)
        self._file = os.open(folder / "owners", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        drawn = hashlib.blake2b(environment.new_id().encode(), digest_size=8).digest()
        self.number = int.from_bytes(drawn, "big") % (_NUMBERS - 1) + 1
        try:
            _lock(self._file, fcntl.F_WRLCK, self.number)
        except OSError:
            os.close(self._file)
            raise

    def is_gone(self, number: int) -> bool:
        """No process has this number any more; 0 is nobody's."""
        if number == self.number:
            return False
        try:
            _lock(self._file, fcntl.F_WRLCK, number)
        except OSError:
            return False
        _lock(self._file, fcntl.F_UNLCK, number)
        return True

    def close(self) -> None:
        """Gone from here on."""
        os.close(self._file)


def _lock(file: int, kind: int, at: int) -> None:
    """One byte's lock, of the open file and not of the process, so that threads and tests can be told apart."""
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", kind, os.SEEK_SET, at, 1, 0))


@contextmanager
def one_daemon(folder: Path) -> Iterator[None]:
    """While the block runs, no other daemon has this directory's queue. Raises UsageError where one does."""
    name = f"the state directory '{printable(str(folder))}'"
    try:
        make(folder)
        file = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{name} cannot be used: {reason(error)}: name another with --state-dir") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another clientd serves {name}: stop it, or name another with --state-dir") from None
        yield
    finally:
        os.close(file)
