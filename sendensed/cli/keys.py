"""Keys: the whole terminal for one command, one key at a time, and given back as it was."""

import errno
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sendensed.cli import terminal
from sendensed.cli.output import Span

_ESCAPES = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left", "\x1b[H": "home", "\x1b[F": "end",
    "\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left",
}  # fmt: skip


def read(text: str) -> list[str]:
    """The keys in what a terminal sent at once; escapes that mean nothing here are left out."""
    keys = []
    while text:
        if text[0] != "\x1b":
            keys.append("enter" if text[0] in "\r\n" else text[0])
            text = text[1:]
            continue
        end = 2 if text[1:2] in ("[", "O") else 1
        while end < len(text) and end >= 2 and not text[end].isalpha() and text[end] != "~":
            end += 1
        escape, text = text[: end + 1], text[end + 1 :]
        if escape in _ESCAPES:
            keys.append(_ESCAPES[escape])
    return keys


class WholeTerminal:
    """The alternate screen without a cursor; keys come at once and unseen, Ctrl-C and Ctrl-Z still are signals."""

    def __init__(self) -> None:
        self._was = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None

    def take(self) -> None:
        """Takes the terminal. In the background this stops the process until it is brought to the foreground."""
        if self._was is not None:
            _uninterrupted(tty.setcbreak, sys.stdin)
        _write("\x1b[?1049h\x1b[?25l")

    def give_back(self) -> None:
        """The terminal is as it was."""
        _write("\x1b[?25h\x1b[?1049l")
        if self._was is not None:
            _uninterrupted(termios.tcsetattr, sys.stdin, termios.TCSADRAIN, self._was)

    def stop(self) -> None:
        """Stops this process, with the terminal as it was, until it is told to go on; takes it again then."""
        self.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.take()


@contextmanager
def whole_terminal() -> Iterator[WholeTerminal]:
    """The whole terminal for the block, given back as it was."""
    whole = WholeTerminal()
    try:
        whole.take()
        yield whole
    finally:
        whole.give_back()


def paint(lines: Sequence[Sequence[Span]]) -> None:
    """Draws a whole frame over the one before, in one write, so that nothing flickers."""
    shown = ["".join(terminal.paint(text, style) for text, style in line) for line in lines]
    _write("\x1b[H" + "\x1b[K\n".join(shown) + "\x1b[K\x1b[J")


def size() -> tuple[int, int]:
    """Columns and lines of the terminal, as they are now."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.columns or 80, found.lines or 24


def _uninterrupted(change: Callable[..., object], *said: object) -> None:
    """Changes the terminal; once more where a signal (that the process may go on, say) came in between."""
    while True:
        try:
            change(*said)
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise
        else:
            return


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
