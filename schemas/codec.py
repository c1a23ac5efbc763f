"""Codec: JSON in and out, one encoder and one way to write a time."""

from datetime import UTC, datetime

import msgspec

encode = msgspec.json.Encoder().encode
"""Encodes any schema type as JSON bytes; datetimes in UTC end in `Z`."""


def to_utc(moment: datetime) -> datetime | None:
    """The moment in UTC; None for one that means "unknown" (before 1970, such as Go's zero time)."""
    if moment.year < 1970:
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def rfc3339(moment: datetime) -> str:
    """`2026-11-23T02:14:07Z`: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
