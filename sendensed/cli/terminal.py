"""Terminal: what standard output is, colour where it may be, and foreign text without what steers it."""

import io
import os
import re
import sys
from typing import Any

from sendensed.errors import Unwritable

_CONTROL = r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"

STYLES = {
    "pending": "2",
    "running": "36",
    "stalled": "33",
    "completed": "32",
    "failed": "31",
    "cancelled": "35",
    "bold": "1",
    "dim": "2",
    "chosen": "7",
}
"""ANSI's numbers, by what is said with them. A sign or a word always says the same without them."""


class _Output(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise Unwritable(error.errno, error.strerror) from None


def set_up_output() -> None:
    """Has standard output raise Unwritable where it fails, and print a sign that it does not know as `?`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    given = sys.stdout
    if given is sys.__stdout__ and isinstance(given, io.TextIOWrapper):
        raw = _Output(given.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            raw if given.write_through else io.BufferedWriter(raw),
            given.encoding,
            given.errors,
            line_buffering=given.line_buffering,
            write_through=given.write_through,
        )


def is_live() -> bool:
    """Whether standard output can be redrawn."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def places() -> int | None:
    """How wide the terminal behind standard output is; None where there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def has_colour() -> bool:
    """Whether standard output may be coloured: https://no-color.org."""
    return is_live() and not os.environ.get("NO_COLOR")


def paint(text: str, style: str) -> str:
    """The text in styles of `STYLES`, several with blanks between, where standard output may be coloured.

    What is chosen is shown inverted without colour as well: there is nothing else to tell it by.
    """
    numbers = [STYLES[one] for one in style.split() if one in STYLES]
    if not has_colour():
        numbers = [STYLES["chosen"]] if "chosen" in style.split() and is_live() else []
    return f"\x1b[{';'.join(numbers)}m{text}\x1b[0m" if numbers and text else text


def plain(text: str) -> str:
    """Foreign text without what would steer a terminal."""
    if text.isprintable():  # nothing of the kind, as nearly always: the pattern need not be made
        return text
    return re.sub(_CONTROL, "\N{REPLACEMENT CHARACTER}", text)


def talk(text: str) -> None:
    """Lines on standard error: standard output is for data."""
    sys.stderr.write("".join(f"{plain(line)}\n" for line in text.splitlines()))
    sys.stderr.flush()
