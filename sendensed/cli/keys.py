"""Keys: the whole terminal for one command, one key at a time, and given back as it was."""

import os
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
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


@contextmanager
def whole_terminal() -> Iterator[None]:
    """The alternate screen without a cursor; keys come at once and unseen, Ctrl-C still interrupts."""
    was = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    _write("\x1b[?1049h\x1b[?25l")
    try:
        if was is not None:
            tty.setcbreak(sys.stdin)
        yield
    finally:
        _write("\x1b[?25h\x1b[?1049l")
        if was is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, was)


def paint(lines: Sequence[Sequence[Span]]) -> None:
    """Draws a whole frame over the one before, in one write, so that nothing flickers."""
    shown = ["".join(terminal.paint(text, style) for text, style in line) for line in lines]
    _write("\x1b[H" + "\x1b[K\n".join(shown) + "\x1b[K\x1b[J")


def size() -> tuple[int, int]:
    """Columns and lines of the terminal, as they are now."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.columns or 80, found.lines or 24


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
