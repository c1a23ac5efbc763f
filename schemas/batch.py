"""Batch: many updates in one push, and the answer with one result for each."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas import telemetry
from schemas.fault import FaultDetail, Invalid
from schemas.telemetry import Command, Telemetry, TelemetryBody

ROWS = 1_000
"""Most updates in one batch."""
BYTES = 4 * 1024 * 1024
"""Largest batch body."""
TOO_LARGE = "too_large"
"""The code of a row that would be too large by itself."""


class BatchBody(msgspec.Struct, frozen=True):
    """The JSON object of a batch; each row names its job in `job_type` and `job_id`."""

    updates: Annotated[tuple[TelemetryBody, ...], Meta(max_length=ROWS)]


class BatchResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of one row.

    `success` is committed, with the fields of the single answer. `refused` says by `code` what the single answer's
    HTTP status would be, `retry_after` in seconds where it is worth sending again.
    """

    status: Literal["success", "refused"]
    applied: bool | None = None
    reason: str | None = None
    command: Command | None = None
    code: int | None = None
    error: FaultDetail | None = None
    retry_after: int | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """The 200 answer: one result for each update, in their order."""

    results: tuple[BatchResult, ...]


class _Rows(msgspec.Struct):
    updates: Annotated[list[msgspec.Raw], Meta(max_length=ROWS)]


class _Address(msgspec.Struct):
    job_type: str
    job_id: str


class Row(msgspec.Struct, frozen=True):
    """One row: the update, or why it is none, and its size in bytes."""

    update: Telemetry | Invalid
    size: int


_decode_rows = msgspec.json.Decoder(_Rows).decode
_decode_address = msgspec.json.Decoder(_Address).decode


def parse(content: bytes) -> list[Row]:
    """Reads a batch, each row for itself. Raises Invalid where the whole is not one."""
    try:
        content.decode()
        rows = _decode_rows(content).updates
    except msgspec.ValidationError as error:
        raise Invalid(f'the body must be {{"updates": [...]}} with at most {ROWS} updates: {error}') from None
    except msgspec.DecodeError as error:
        raise Invalid(f"the body is not valid JSON: {error}", code="malformed") from None
    except UnicodeDecodeError:
        raise Invalid("the body is not valid UTF-8", code="malformed") from None
    except RecursionError:
        raise Invalid("the body is nested too deeply", code="malformed") from None
    return [Row(_read(place, bytes(row)), len(bytes(row))) for place, row in enumerate(rows)]


def _read(place: int, row: bytes) -> Telemetry | Invalid:
    path = f"updates[{place}]"
    if len(row) > telemetry.BODY_BYTES:
        return Invalid(f"{path}: is longer than {telemetry.BODY_BYTES} bytes", path, TOO_LARGE)
    try:
        address = _decode_address(row)
        return telemetry.parse(address.job_type, address.job_id, row)
    except msgspec.ValidationError as error:
        said = str(error).replace("`", "'").replace("$.", "")
        return Invalid(f"{path}: {said}; job_type and job_id must both be there", path)
    except Invalid as invalid:
        field = path if invalid.field is None else f"{path}.{invalid.field}"
        return Invalid(f"{path}: {invalid.message}", field, invalid.code)
