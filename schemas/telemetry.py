"""Telemetry: the body a sender pushes, the strict reading of it, and the answer it gets."""

import re
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from schemas import codec, ids
from schemas.fault import Invalid

BODY_BYTES = 256 * 1024
"""Largest telemetry body."""
DISKS = 256
"""Most disks in one update."""
INT64 = 2**63 - 1

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
"""What a sender may say of its job. `stalled` is the hub's own word."""
TotalKind = Literal["allocated", "changed", "virtual"]
"""What `total_bytes` counts."""
Command = Literal["continue", "cancel", "superseded"]

Count = Annotated[int, Meta(ge=0, le=INT64)]
Signed = Annotated[int, Meta(ge=-INT64 - 1, le=INT64)]
Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]

Percent = Annotated[float, Meta(ge=0, le=100)]
Moment = Annotated[datetime, Meta(tz=True)]
Attempt = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as the original sender writes it."""

    message: str | None = None
    code: str | int | None = None
    timestamp: str | None = None


Bottleneck = Literal["read", "write", "network"]


class DiskBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """One disk of a body. Bytes are those completed at the target.

    `bottleneck` is what took most of its workers' time lately, a `Bottleneck`; other words are not kept.
    """

    disk_index: Index
    bytes_transferred: Count | None = None
    total_bytes: Count | None = None
    progress_percent: float | None = None
    status: str | None = None
    error_message: str | None = None
    bottleneck: str | None = None


class TelemetryBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON object of a push, every field optional as old senders leave them out.

    Fields that are None are not written. Speeds are bytes per second, `age_ms` milliseconds. `bytes_verified` are
    those of the targets that were read again so far, of `bytes_to_verify` in all. The hub makes no use of
    `eta_seconds`, whatever it says.
    """

    job_id: str | None = None
    job_type: str | None = None
    status: Status | Literal[""] | None = None
    current_phase: str | None = None
    bytes_transferred: Count | None = None
    total_bytes: Count | None = None
    transfer_speed_bps: Signed | None = None
    eta_seconds: int | float | None = None
    progress_percent: float | None = None
    disks: Annotated[tuple[DiskBody, ...], Meta(max_length=DISKS)] | None = None
    error: str | ErrorBody | None = None
    timestamp: str | None = None
    attempt: Attempt | None = None
    sequence: Count | None = None
    vm_name: str | None = None
    backup_type: str | None = None
    total_kind: TotalKind | Literal[""] | None = None
    sender: str | None = None
    age_ms: Count | None = None
    bytes_verified: Count | None = None
    bytes_to_verify: Count | None = None


class Disk(msgspec.Struct, frozen=True, gc=False, rename={"index": "disk_index"}):
    """One disk of an update, read. 0 and '' mean "not said"."""

    index: Index
    bytes_transferred: Count = 0
    total_bytes: Count = 0
    progress_percent: Percent = 0.0
    status: str = ""
    error_message: str = ""
    bottleneck: Annotated[str, Meta(pattern=r"^(read|write|network)?\Z")] = ""


class Telemetry(msgspec.Struct, frozen=True, gc=False):
    """One update, read and checked. 0, '' and None mean "not said".

    `sequence` is None for the original sender; `timestamp` is the sender's clock in UTC; `age` is
    how long the update waited at the sender, in seconds.
    """

    job_type: str
    job_id: str
    status: Status | Literal[""] = ""
    current_phase: str = ""
    bytes_transferred: int = 0
    total_bytes: int = 0
    transfer_speed_bps: int = 0
    progress_percent: float = 0.0
    disks: tuple[Disk, ...] = ()
    error: str = ""
    timestamp: datetime | None = None
    attempt: int = 1
    sequence: int | None = None
    vm_name: str = ""
    backup_type: str = ""
    total_kind: str = ""
    sender: str = ""
    age: float = 0.0
    bytes_verified: int = 0
    bytes_to_verify: int = 0


class Acknowledgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """The 200 answer: the hub has committed a state that is at least the one sent."""

    applied: bool = msgspec.field(default=True)
    reason: str | None = None
    command: Command = "continue"
    message: str = "Telemetry received and processed"
    status: str = "success"
    timestamp: str = ""

    def encoded(self) -> bytes:
        """As JSON, every field but an absent reason written out."""
        said = {
            "status": self.status,
            "message": self.message,
            "timestamp": self.timestamp,
            "applied": self.applied,
            "reason": self.reason,
            "command": self.command,
        }
        if self.reason is None:
            del said["reason"]
        return codec.encode(said)


_BOTTLENECKS = frozenset(get_args(Bottleneck))
_decode_body = msgspec.json.Decoder(TelemetryBody).decode
decode_acknowledgement = msgspec.json.Decoder(Acknowledgement).decode
_ENUMS = {
    "status": f"must be one of {', '.join(get_args(Status))}",
    "total_kind": f"must be one of {', '.join(get_args(TotalKind))}",
}
_DECODER_PLACE = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")


def parse(job_type: str, job_id: str, content: bytes) -> Telemetry:
    """Reads the body pushed to `/api/v1/telemetry/{job_type}/{job_id}`.

    Raises Invalid, naming the field, for anything outside the contract; nothing is half read.
    """
    if problem := ids.job_type_problem(job_type):
        raise Invalid(f"the job type {problem}", "job_type")
    if problem := ids.job_id_problem(job_id):
        raise Invalid(f"the job id {problem}", "job_id")
    body = decode(content)
    if body.job_type and body.job_type != job_type:
        raise Invalid(f"the body's job_type must be the address's, '{job_type}'", "job_type")
    if body.job_id and body.job_id != job_id:
        raise Invalid(f"the body's job_id must be the address's, '{job_id}'", "job_id")
    return _read(job_type, job_id, body)


def decode(content: bytes) -> TelemetryBody:
    """The body as it stands. Raises Invalid for what is not JSON, not of the contract's types, or NUL."""
    try:
        content.decode()  # unknown fields are skipped unread by the decoder, broken UTF-8 with them
        body = _decode_body(content)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except msgspec.DecodeError as error:
        raise Invalid(f"the body is not valid JSON: {error}", code="malformed") from None
    except UnicodeDecodeError:
        raise Invalid("the body is not valid UTF-8", code="malformed") from None
    except RecursionError:
        raise Invalid("the body is nested too deeply", code="malformed") from None
    if b"\\u0000" in content:  # JSON has no other way to write it
        _refuse_nul(body)
    return body


def _invalid(error: msgspec.ValidationError) -> Invalid:
    text = str(error)
    place = _DECODER_PLACE.search(text)
    if place is None:
        return Invalid(f"the body must be a JSON object: {text}")
    field, said = place["path"], text[: place.start()].replace("`", "")
    return Invalid(f"{field}: {_ENUMS.get(field, said)}" if "enum" in said else f"{field}: {said}", field)


def _read(job_type: str, job_id: str, body: TelemetryBody) -> Telemetry:
    return Telemetry(
        job_type=job_type,
        job_id=job_id,
        status=body.status or "",
        current_phase=body.current_phase or "",
        bytes_transferred=body.bytes_transferred or 0,
        total_bytes=body.total_bytes or 0,
        transfer_speed_bps=max(body.transfer_speed_bps or 0, 0),
        progress_percent=_percent(body.progress_percent),
        disks=_read_disks(body.disks) if body.disks else (),
        error=_error_text(body.error) if body.error else "",
        timestamp=_read_timestamp(body.timestamp) if body.timestamp else None,
        attempt=body.attempt or 1,
        sequence=body.sequence,
        vm_name=body.vm_name or "",
        backup_type=body.backup_type or "",
        total_kind=body.total_kind or "",
        sender=body.sender or "",
        age=(body.age_ms or 0) / 1000,
        bytes_verified=body.bytes_verified or 0,
        bytes_to_verify=body.bytes_to_verify or 0,
    )


def _error_text(error: str | ErrorBody) -> str:
    if isinstance(error, str):
        return error
    return error.message or (str(error.code) if error.code else "")


def _read_disks(bodies: tuple[DiskBody, ...]) -> tuple[Disk, ...]:
    """The disks in order of their index. Raises Invalid where an index stands twice."""
    disks = [
        Disk(
            body.disk_index,
            body.bytes_transferred or 0,
            body.total_bytes or 0,
            _percent(body.progress_percent),
            body.status or "",
            body.error_message or "",
            body.bottleneck if body.bottleneck and body.bottleneck in _BOTTLENECKS else "",
        )
        for body in bodies
    ]
    indexes = [disk.index for disk in disks]
    if len(set(indexes)) < len(indexes):
        position = next(place for place, index in enumerate(indexes) if index in indexes[:place])
        path = f"disks[{position}].disk_index"
        raise Invalid(f"{path}: {indexes[position]} stands twice", path)
    if sum([disk.bytes_transferred for disk in disks]) > INT64:
        raise Invalid("disks: their bytes_transferred add up to more than an int64 holds", "disks")
    disks.sort(key=_index_of)
    return tuple(disks)


_index_of = attrgetter("index")


def _percent(value: float | None) -> float:
    if not value or value < 0:
        return 0.0
    return value if value < 100 else 100.0


def _read_timestamp(text: str) -> datetime | None:
    try:
        return codec.to_utc(msgspec.convert(text, Moment))
    except msgspec.ValidationError:
        raise Invalid("timestamp: must be RFC 3339 like 2026-11-23T02:14:07Z", "timestamp") from None


def _refuse_nul(body: TelemetryBody) -> None:
    """Raises Invalid where a text that would be kept holds NUL, which no PostgreSQL text can."""
    texts = [
        ("current_phase", body.current_phase),
        ("error", _error_text(body.error or "")),
        ("vm_name", body.vm_name),
        ("backup_type", body.backup_type),
        ("sender", body.sender),
    ]
    for position, disk in enumerate(body.disks or ()):
        texts.append((f"disks[{position}].status", disk.status))
        texts.append((f"disks[{position}].error_message", disk.error_message))
    for field, text in texts:
        if text and "\x00" in text:
            raise Invalid(f"{field}: must not contain NUL", field)
