"""Output: rows as a table, as JSON, or as bare names; what is foreign in them never steers a terminal."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from sendensed.cli import terminal

T = TypeVar("T")

_STEERING = "[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
"""What JSON leaves as it is, and a terminal heeds."""
Seen = datetime | None
"""The hub's clock when the rows were read, by which ages are told."""


Span = tuple[str, str]
"""A piece of text, and its style of `terminal.STYLES`, or ''."""


_LEAST = 24
"""Places that flowing text wants beside other columns."""
_BELOW = 4
"""Places that it is moved in by where it stands under its row."""


class Column(NamedTuple, Generic[T]):
    """One column: its heading, a row's text, and what rows are ordered by (None: they cannot be).

    `wide` is shown by `-o wide` only. `falling` means that the largest, or newest, comes first. `style` colours a
    row's cell on a terminal. `flows` is for the last one alone, of sentences: on a narrow terminal it has
    what room is left, and goes on in the next line (see `table`).
    """

    name: str
    text: Callable[[T, Seen], str]
    key: Callable[[T], Any] | None = None
    wide: bool = False
    falling: bool = False
    right: bool = False
    style: Callable[[T], str] | None = None
    flows: bool = False


class Kind(NamedTuple, Generic[T]):
    """What a table of such rows looks like, and a row's bare name.

    `spare` are the columns that a narrow terminal does without, the least wanted first.
    """

    columns: tuple[Column[T], ...]
    name: Callable[[T], str]
    spare: tuple[str, ...] = ()

    def orders(self) -> tuple[str, ...]:
        """What `--sort-by` may say."""
        return tuple(column.name.lower() for column in self.columns if column.key is not None)


def ordered(kind: Kind[T], rows: Iterable[T], by: str, *, reverse: bool = False) -> list[T]:
    """The rows in the order of a column; those that have nothing there come last, whichever way."""
    column = next(one for one in kind.columns if one.name.lower() == by)
    key = column.key or kind.name
    known: list[T] = []
    unknown: list[T] = []
    for row in rows:
        (unknown if key(row) is None else known).append(row)
    known.sort(key=key, reverse=column.falling != reverse)
    return [*known, *unknown]


def table(
    kind: Kind[T], rows: Sequence[T], now: Seen = None, *, wide: bool = False, headers: bool = True
) -> list[str]:
    """The lines of a table. A narrow terminal has fewer columns of it, but for a wide one.

    Where sentences would wrap there, they go on below their heading; and where half of the spare columns are not
    enough to make room for that, they stand under their rows.
    """
    places = None if wide else terminal.places()
    columns, below = chosen(kind, rows, now, places, wide=wide)
    if places is not None and columns[-1].flows:
        return _flowing(columns, rows, now, places, headers=headers, below=below)
    return list(map(_painted, spans(columns, rows, now, headers=headers)))


def chosen(
    kind: Kind[T], rows: Sequence[T], now: Seen, places: int | None, *, wide: bool = False
) -> tuple[list[Column[T]], bool]:
    """The columns that `table` shows in so many places (None: any), and whether the last stands below each row."""
    columns = [column for column in kind.columns if wide or not column.wide]
    if places is None:
        return columns, False
    kind = kind._replace(columns=tuple(columns))
    *first, last = columns
    if not last.flows:
        return fitting(kind, rows, now, places), False
    half = kind.spare[: (len(kind.spare) + 1) // 2]
    columns = fitting(kind._replace(spare=half), rows, now, places, flowing=True)
    if sum(_needs(columns, rows, now, flowing=True).values()) <= places + 2:
        return columns, False
    return [*fitting(kind._replace(columns=tuple(first)), rows, now, places), last], True


def _painted(line: list[Span]) -> str:
    return "".join(terminal.paint(*span) for span in line).rstrip()


def _flowing(
    columns: Sequence[Column[T]],
    rows: Sequence[T],
    now: Seen,
    places: int,
    *,
    headers: bool = True,
    below: bool = False,
) -> list[str]:
    """The lines of a table whose last column flows, beside the others or below each row."""
    *first, last = columns
    heads = spans(first, rows, now, headers=headers)
    indent = _BELOW if below else 2 + max((sum(width(text) for text, _ in line) for line in heads), default=0)
    lines = []
    if headers and not below:
        heads[0] += [("  ", ""), (last.name, "dim")]
    if headers:
        lines.append(_painted(heads.pop(0)))
    for head, row in zip(heads, rows, strict=True):
        text = last.text(row, now)
        pieces = wrapped(text or "-", places - indent)
        if not below:
            lines.append(_painted([*head, ("  ", ""), (pieces.pop(0), "")]))
        else:
            lines.append(_painted(head))
        if text:
            lines += [" " * indent + piece for piece in pieces]
    return lines


def spans(columns: Sequence[Column[T]], rows: Sequence[T], now: Seen, *, headers: bool = True) -> list[list[Span]]:
    """The lines of a table, each as pieces of text with their styles."""
    cells = [[column.text(row, now) or "-" for column in columns] for row in rows]
    names = [[column.name for column in columns]] if headers else []
    widths = [max(map(width, column), default=0) for column in zip(*names, *cells, strict=True)]
    lines = [_line(line, widths, columns, ["dim"] * len(columns)) for line in names]
    for row, texts in zip(rows, cells, strict=True):
        styles = [column.style(row) if column.style else "" for column in columns]
        lines.append(_line(texts, widths, columns, styles))
    return lines


def fitting(kind: Kind[T], rows: Sequence[T], now: Seen, places: int, *, flowing: bool = False) -> list[Column[T]]:
    """The columns without as many of the spare ones as there is no room for."""
    needs = _needs(kind.columns, rows, now, flowing=flowing)
    for name in kind.spare:
        if sum(needs.values()) <= places + 2:
            break
        needs.pop(name, None)
    return [column for column in kind.columns if column.name in needs]


def _needs(columns: Iterable[Column[T]], rows: Sequence[T], now: Seen, *, flowing: bool = False) -> dict[str, int]:
    """How many places each column takes, with those between it and the next one; the least of one that flows."""
    needs = {}
    for column in columns:
        widest = max([len(column.name), *(width(column.text(row, now)) for row in rows)])
        needs[column.name] = 2 + (min(widest, _LEAST) if flowing and column.flows else widest)
    return needs


def _line(
    texts: Sequence[str], widths: Sequence[int], columns: Sequence[Column[T]], styles: Sequence[str]
) -> list[Span]:
    line: list[Span] = []
    for text, size, column, style in zip(texts, widths, columns, styles, strict=True):
        gap = " " * (size - width(text))
        between = "  " if line else ""
        line += [(between + gap, ""), (text, style)] if column.right else [(between, ""), (text, style), (gap, "")]
    return line


def width(text: str) -> int:
    """How many places of a terminal the text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def cut(text: str, places: int) -> str:
    """The text, or its beginning and an ellipsis where it takes more places than there are."""
    if width(text) <= places:
        return text
    while text and width(text) > places - 1:
        text = text[:-1]
    return f"{text}…" if places > 0 else ""


def wrapped(text: str, places: int) -> list[str]:
    """The text in lines of so many places at the most, broken between words where these are not longer."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and width(lines[-1]) + 1 + width(word) <= places:
            lines[-1] += f" {word}"
            continue
        lines.append(word)
        while width(lines[-1]) > max(places, 2):
            end = next(end for end in range(len(word), 0, -1) if width(word[:end]) <= max(places, 2))
            lines[-1], word = word[:end], word[end:]
            lines.append(word)
    return lines[1:]


def json(value: Any) -> str:
    """The value as JSON on one line; signs that would steer a terminal stand there as escapes."""
    from schemas import codec

    return re.sub(_STEERING, lambda sign: f"\\u{ord(sign[0]):04x}", codec.encode(value).decode())


def json_pretty(value: Any) -> str:
    """The same for people, indented."""
    import msgspec

    return msgspec.json.format(json(value), indent=2)


def write(kind: Kind[T], rows: Sequence[T], now: Seen, form: str, *, headers: bool = True) -> None:
    """Prints the rows in a form of `options.FORMATS`."""
    if form == "json":
        print(json_pretty(rows))
    elif form == "ndjson":
        for row in rows:
            print(json(row))
    elif form == "name":
        for row in rows:
            print(kind.name(row))
    elif rows:
        print("\n".join(table(kind, rows, now, wide=form == "wide", headers=headers)))


say = terminal.talk
