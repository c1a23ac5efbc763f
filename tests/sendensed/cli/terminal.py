"""Terminal: a program on a real pseudo-terminal, and what it has drawn there."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

from tests.waits import PATIENCE

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?<>=]*[a-zA-Z]|\][^\x07]*\x07|[=>()][A-Z0-9]?)")


class Terminal:
    """One program with a terminal of its own. `raw` is everything that it wrote, `text` without what steers."""

    def __init__(self, words: Sequence[str], *, env: dict[str, str], columns: int = 100, lines: int = 24) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(columns, lines, tell=False)
        self.process = subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self.raw = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *problem: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        return self.plain(self.raw)

    @staticmethod
    def plain(drawn: str) -> str:
        """Without what steers a terminal."""
        return _ESCAPE.sub("", drawn)

    def resize(self, columns: int, lines: int, *, tell: bool = True) -> None:
        """The window becomes so large; the program is told by SIGWINCH."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            os.killpg(self.process.pid, signal.SIGWINCH)

    def type(self, keys: str) -> None:
        """As if at the keyboard; Ctrl-C is `\\x03`."""
        os.write(self._ours, keys.encode())

    def settings(self) -> list:
        """The terminal's own settings."""
        return termios.tcgetattr(self._ours)

    def forget(self) -> None:
        """What was drawn until now counts no more."""
        self._read(0)
        self.raw = ""

    def wait_for(self, pattern: str) -> str:
        """Returns the text once the pattern is in it."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            self._read(0.1)
            if re.search(pattern, self.text):
                return self.text
        raise AssertionError(f"not drawn within {PATIENCE:g} s: {pattern!r} in {self.text[-2000:]!r}")

    def wait(self) -> int:
        """Reads to the program's end; returns its exit code."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if not self._read(0.1) and self.process.poll() is not None:
                return self.process.returncode
        raise AssertionError(f"not ended within {PATIENCE:g} s: {self.text[-2000:]!r}")

    def _read(self, patience: float) -> bool:
        """Takes what is there; False where nothing came."""
        if not select.select([self._ours], [], [], patience)[0]:
            return False
        try:
            content = os.read(self._ours, 65536)
        except OSError:  # the last program on it has ended
            return False
        self.raw += content.decode(errors="replace")
        return bool(content)
