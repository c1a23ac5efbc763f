"""Logs: one line an event on stderr, as JSON for machines or as text for people."""

import json
from typing import Any, Literal, Protocol

import structlog

from clientd.environment import Environment
from clientd.errors import printable
from schemas import codec

Form = Literal["auto", "json", "text"]

Entry = dict[str, Any]


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> int:
        """Takes one whole line."""
        ...

    def flush(self) -> None:
        """Lets it be seen."""
        ...

    def isatty(self) -> bool:
        """A person watches."""
        ...


def configure(form: Form, stream: Stream, environment: Environment) -> None:
    """From here on all loggers write to `stream`. `auto` is text on a terminal and JSON elsewhere.

    Each line has `time` (UTC), `level`, `event` and its values, among them those of the running job, which
    structlog's context variables hold; a value of None is left out.
    """
    as_json = form == "json" or (form == "auto" and not stream.isatty())

    def stamp(_: object, level: str, said: Any) -> Entry:
        known = {key: value for key, value in said.items() if value is not None and key != "event"}
        known = {**structlog.contextvars.get_contextvars(), **known}
        return {"time": codec.rfc3339(environment.wall()), "level": level, "event": said["event"], **known}

    structlog.configure(
        processors=[stamp, _as_json if as_json else _as_text],
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )


class _Lines:
    """Writes each line at once and whole. A reader that went away costs the line, not the copy."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError:
            return

    debug = info = warning = error = critical = exception = msg


def _as_json(_: object, __: str, entry: Any) -> str:
    return json.dumps(entry, default=str)


def _as_text(_: object, __: str, entry: Any) -> str:
    values = [f"{key}={_shown(value)}" for key, value in entry.items() if key not in ("time", "level", "event")]
    return " ".join([entry["time"][11:19], f"{entry['level']:7}", entry["event"], *values])


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or not text or text != printable(text) else text
