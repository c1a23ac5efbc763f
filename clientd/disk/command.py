"""Command: a source that an nbdkit serves, started for it as a child on a private unix socket.

The child reads from wherever its plugin reads from (VDDK, a cloud's store, ssh, ...). It is stopped when the disk
is closed, and dies with us in any case. Secrets reach it by a file descriptor, never by its arguments.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO

import structlog

from clientd.config import NbdSettings
from clientd.core.address import Address
from clientd.disk.nbd.disk import NbdDisk
from clientd.disk.pace import monotonic
from clientd.errors import DiskError, printable, reason

log = structlog.get_logger()

_SECRET = "{secret}"  # noqa: S105 - a place for one
_START = 60.0
"""Seconds that the command may take until it listens: a plugin may log in somewhere first."""
_LOOK = 0.02
"""Seconds between two looks for its socket."""
_STOP = 5.0
"""Seconds that it may take to end once it is told to."""
_LISTENING = b" 00010000 "
"""The flag of a listening socket in /proc/net/unix, as proc(5) says."""
_LAST_WORDS = 1.0
"""Seconds that are waited for the last lines of one that has ended."""
_LINES = 5
"""Last lines of its stderr that are kept, for the error."""
_LINE = 200
_BY_HAND = "check its arguments, and try the command by hand"


class CommandDisk(NbdDisk):
    """What the child exports. What it says on stderr is logged, and its last words are in every error."""

    def __init__(self, arguments: Sequence[str], secret: str, settings: NbdSettings, bitmap: str = "") -> None:
        """Starts the command and connects to it. Raises DiskError; then no child is left."""
        self._child = _Child(arguments, secret)
        try:
            self._child.start()
            super().__init__(Address("", socket=self._child.socket), settings, writable=False, bitmap=bitmap)
        except DiskError as error:
            self._child.stop()
            said = f"; {self.said}" if self.said else ""
            cause = f"{error.cause}{said}"
            raise DiskError(self.path, error.operation, error.offset, cause, advice=error.advice) from None
        except BaseException:
            self._child.stop()
            raise

    @property
    def path(self) -> str:
        """The command's name."""
        return self._child.name

    @property
    def identity(self) -> str:
        """The command, whole; its socket is another one each time."""
        return f"command={self._child.arguments} size={self.size}"

    @property
    def said(self) -> str:
        """The child's last words on stderr."""
        return self._child.said

    def close(self) -> None:
        """Says goodbye, and ends the child."""
        super().close()
        self._child.stop()


def listens(path: str) -> bool:
    """A process listens on this unix socket, as the kernel's table says: a connection would be noticed by it.

    The socket's file is there a moment earlier.
    """
    with open("/proc/net/unix", "rb") as table:
        return any(line.endswith(b" " + os.fsencode(path) + b"\n") and _LISTENING in line for line in table)


class _Child:
    def __init__(self, arguments: Sequence[str], secret: str) -> None:
        self.arguments = list(arguments)
        self.name = os.path.basename(arguments[0])
        self._secret = secret
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._folder = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._listening: threading.Thread | None = None

    @property
    def socket(self) -> str:
        return os.path.join(self._folder, "nbd")

    @property
    def said(self) -> str:
        """Its last words, which arrive a little after its end."""
        if self._listening is not None and (self._process is None or self._process.poll() is not None):
            self._listening.join(_LAST_WORDS)
        return f"{self.name} said: {' | '.join(self._lines)}" if self._lines else ""

    def start(self) -> None:
        """Returns when it listens. Raises DiskError."""
        self._folder = tempfile.mkdtemp(prefix="clientd-")
        program, *rest = self.arguments
        asked = [program, "-f", "-r", "-U", self.socket, "--exit-with-parent", *rest]
        with self._open_secret() as descriptors:
            words = [word.replace(_SECRET, str(descriptors[0])) if descriptors else word for word in asked]
            try:
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=descriptors,
                    start_new_session=True,  # a Ctrl-C at our terminal is not for it
                )
            except OSError as error:
                raise DiskError(self.name, "starting", None, f"{reason(error)}: is it installed?") from None
        self._listening = threading.Thread(target=self._listen, args=[self._process.stderr], daemon=True)
        self._listening.start()
        self._wait_for_socket(self._process)

    @contextlib.contextmanager
    def _open_secret(self) -> Iterator[list[int]]:
        if not self._secret:
            yield []
            return
        try:
            descriptor = os.open(self._secret, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            cause = f"the secret's file {printable(self._secret)} cannot be read: {reason(error)}"
            raise DiskError(self.name, "starting", None, cause, advice="check its path and mode") from None
        try:
            yield [descriptor]
        finally:
            os.close(descriptor)

    def _wait_for_socket(self, process: subprocess.Popen[bytes]) -> None:
        until = monotonic() + _START
        while not listens(self.socket):
            with contextlib.suppress(subprocess.TimeoutExpired):
                cause = f"it ended at once with exit code {process.wait(_LOOK)}"
                raise DiskError(self.name, "starting", None, cause, advice=_BY_HAND)
            if monotonic() > until:
                cause = f"it did not listen within {_START:g} s"
                raise DiskError(self.name, "starting", None, cause, advice=_BY_HAND)

    def _listen(self, stderr: IO[bytes]) -> None:
        """Reads its stderr to the end, so that it never waits for us. Ends with the last who holds it."""
        with stderr:
            while line := stderr.readline(_LINE):
                text = printable(line.decode(errors="replace").strip())
                if text:
                    self._lines.append(text)
                    log.info("source command says", command=self.name, line=text)

    def stop(self) -> None:
        """By SIGTERM, then by SIGKILL, to it and what it started; reaps it. Again is once."""
        process, self._process = self._process, None
        if process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP)
                    break
        if self._listening is not None:
            self._listening.join(_LAST_WORDS)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""
