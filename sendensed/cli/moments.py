"""Moments: durations and times as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta

_PART = r"(\d+(?:\.\d+)?)([smhdw])"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST = 10 * 365 * 86_400.0
"""Seconds: what is longer is a slip of the finger."""


def duration(text: str) -> float:
    """Seconds of `90`, `30s`, `10m`, `1h30m`, `2d`, `1w`. Raises ValueError, a sentence, for anything else."""
    plain = re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII)
    parts = re.findall(_PART, text, re.ASCII)
    if plain:
        seconds = float(text)
    elif parts and "".join(number + unit for number, unit in parts) == text:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    else:
        raise ValueError(f"'{text}' is no duration: give one like 30s, 10m, 1h30m or 2d")
    if seconds > LONGEST:
        raise ValueError(f"'{text}' is longer than ten years")
    return seconds


def moment(text: str) -> datetime | timedelta:
    """The time that is meant, or how long ago it is. `2d` is ago; a date or time without a zone is UTC.

    Raises ValueError, a sentence.
    """
    try:
        return timedelta(seconds=duration(text))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"'{text}' is no time: give one like 2026-11-23, 2026-11-23T02:00Z, or how long ago: 12h, 2d"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
