"""Usual: the quick reading of a body that says what it says the usual way; `telemetry` reads all others.

A body is usual that has no null, no number to put right, its disks in order, and its error as a text. It is
decoded straight into the form that is kept, where `telemetry.parse` has to look at each field; that costs a
third. What is not usual, and what is wrong, is left to `telemetry.parse`: it alone says why.
"""

from operator import attrgetter
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas import codec, telemetry
from schemas.telemetry import DISKS, INT64, Attempt, Count, Disk, Moment, Percent, Status, Telemetry, TotalKind


class _Body(msgspec.Struct, frozen=True, gc=False):
    """The fields of `TelemetryBody`, none of them null but where it is not said."""

    job_id: str = ""
    job_type: str = ""
    status: Status | Literal[""] = ""
    current_phase: str = ""
    bytes_transferred: Count = 0
    total_bytes: Count = 0
    transfer_speed_bps: Count = 0
    eta_seconds: int | float = 0
    progress_percent: Percent = 0.0
    disks: Annotated[tuple[Disk, ...], Meta(max_length=DISKS)] = ()
    error: str = ""
    timestamp: Moment | None = None
    attempt: Attempt = 1
    sequence: Count | None = None
    vm_name: str = ""
    backup_type: str = ""
    total_kind: TotalKind | Literal[""] = ""
    sender: str = ""
    age_ms: Count = 0
    bytes_verified: Count = 0
    bytes_to_verify: Count = 0


_decode = msgspec.json.Decoder(_Body).decode
_index, _bytes = attrgetter("index"), attrgetter("bytes_transferred")


def parse(job_type: str, job_id: str, content: bytes) -> Telemetry:
    """As `telemetry.parse`, with the same result; `job_type` and `job_id` are known to be ones."""
    read = _read(job_type, job_id, content)
    return telemetry.parse(job_type, job_id, content) if read is None else read


def _read(job_type: str, job_id: str, content: bytes) -> Telemetry | None:
    try:
        content.decode()  # unknown fields are skipped unread by the decoder, broken UTF-8 with them
        body = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if (body.job_type and body.job_type != job_type) or (body.job_id and body.job_id != job_id):
        return None
    if b"\\u0000" in content or not _are_usual(body.disks):
        return None
    return Telemetry(
        job_type,
        job_id,
        body.status,
        body.current_phase,
        body.bytes_transferred,
        body.total_bytes,
        body.transfer_speed_bps,
        body.progress_percent,
        body.disks,
        body.error,
        None if body.timestamp is None else codec.to_utc(body.timestamp),
        body.attempt,
        body.sequence,
        body.vm_name,
        body.backup_type,
        body.total_kind,
        body.sender,
        body.age_ms / 1000,
        body.bytes_verified,
        body.bytes_to_verify,
    )


def _are_usual(disks: tuple[Disk, ...]) -> bool:
    """Whether they stand in the order of their indexes, each once, and add up to no more than can be kept."""
    indexes = list(map(_index, disks))
    return indexes == sorted(set(indexes)) and sum(map(_bytes, disks)) <= INT64
