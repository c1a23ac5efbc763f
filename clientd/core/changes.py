"""Changes: an extents file, as a changed-block query gives it: JSON lines of offset and length, in bytes.

        {"offset": 65536, "length": 131072}
        {"offset": 1048576, "length": 65536}

In any order, with overlaps; empty lines and ranges are allowed. Anything else is refused whole, with its line.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from clientd.core.extents import Extent

MOST = 4_000_000
"""Ranges in a file: more than a disk of 256 TiB has at the grain of VMware's tracking."""
LINE = 4096
"""Longest line, in bytes."""

_Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class ChangesInvalid(Exception):
    """The file cannot be what was meant. The text names the line."""


class _Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    offset: _Bytes
    length: _Bytes


_decode = msgspec.json.Decoder(_Range).decode


def parse(lines: Iterable[bytes]) -> list[Extent]:
    """The ranges, as they come. Raises ChangesInvalid."""
    found: list[Extent] = []
    for number, line in enumerate(lines, 1):
        if len(line) > LINE:
            raise ChangesInvalid(f"line {number}: it is longer than {LINE} bytes: write one range a line")
        if not line.strip():
            continue
        if len(found) == MOST:
            raise ChangesInvalid(f"line {number}: it holds more than {MOST} ranges: copy the disk whole")
        try:
            each = _decode(line)
        except msgspec.DecodeError as error:
            said = str(error).replace("`", "'")
            raise ChangesInvalid(f'line {number}: {said}: write {{"offset": BYTES, "length": BYTES}}') from None
        found.append(Extent(each.offset, each.length))
    return found
