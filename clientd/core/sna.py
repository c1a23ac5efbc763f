"""Sna: a job's state in the words of the legacy progress endpoint."""

from typing import Literal

from msgspec import UNSET

from schemas.sna import SnaProgress
from schemas.telemetry import TelemetryBody

_STATUS: dict[str, Literal["completed", "failed"]] = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "failed",
}
_SYNC = {"full": "initial", "incremental": "incremental"}


def progress(body: TelemetryBody) -> SnaProgress:
    """The update that says what the body says. What is zero or unknown is left out, as the original does."""
    error = body.error if isinstance(body.error, str) else None
    return SnaProgress(
        stage="Initializing" if body.current_phase == "starting" else "Transfer",
        status=_STATUS.get(body.status or "", "in_progress"),
        bytes_transferred=body.bytes_transferred or 0,
        total_bytes=body.total_bytes or UNSET,
        throughput_bps=max(body.transfer_speed_bps or 0, 0),
        percent=_percent(body.progress_percent or 0.0) or UNSET,
        sync_type=_SYNC.get(body.backup_type or "", UNSET),
        error_message=error or UNSET,
    )


def _percent(value: float) -> int | float:
    return int(value) if value.is_integer() else value
