"""Job: what viewers and readers see of a job, its disks and its history. Times are UTC, sizes bytes."""

from datetime import datetime
from typing import Literal

import msgspec

State = Literal["pending", "running", "stalled", "completed", "failed", "cancelled"]
Voice = Literal["sender", "reaper", "operator"]
EtaReason = Literal["measuring", "stalled", "unknown_total", "finalizing"]

ACTIVE: frozenset[str] = frozenset({"pending", "running", "stalled"})
"""States of a job that may still be heard of."""


class DiskView(msgspec.Struct, frozen=True, gc=False):
    """One disk. `total_bytes` 0 is unknown; `progress_percent` is null where nothing tells it."""

    disk_index: int
    bytes_transferred: int
    total_bytes: int
    progress_percent: float | None
    status: str
    error_message: str | None


class JobView(msgspec.Struct, frozen=True, gc=False):
    """One job, whole.

    `transfer_speed_bps` is bytes per second; `eta_seconds` is null with a reason unless it is worth
    showing; `last_telemetry_at` is when the hub last heard of the job, `last_moved_at` when bytes or phase
    last advanced; `closed_by` says whose word the final state is; `revision` grows with every change.
    """

    id: str
    job_type: str
    vm_name: str
    backup_type: str
    status: State
    current_phase: str
    bytes_transferred: int
    total_bytes: int
    total_kind: str
    progress_percent: float | None
    transfer_speed_bps: int
    eta_seconds: int | None
    eta_reason: EtaReason | None
    error_message: str | None
    attempt: int
    sequence: int | None
    sender: str
    closed_by: Voice | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    last_telemetry_at: datetime | None
    last_moved_at: datetime | None
    revision: int
    disks: tuple[DiskView, ...] = ()


class EventView(msgspec.Struct, frozen=True, gc=False):
    """One row of a job's history: what changed, who said it, and the position it was said at.

    `kind` is `state`, `attempt`, `phase` or `disk`; `detail` is the evidence as a sentence.
    """

    at: datetime
    kind: str
    said_by: Voice
    status: State
    attempt: int
    sequence: int | None
    bytes_transferred: int
    progress_percent: float | None
    current_phase: str
    detail: str


class JobDetail(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/jobs/{id}`."""

    job: JobView
    events: tuple[EventView, ...]


class JobList(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/jobs`: newest first."""

    jobs: tuple[JobView, ...]


class Health(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/health`. `reasons` says why `ready` is false."""

    live: bool
    ready: bool
    reasons: tuple[str, ...]
    version: str
    hub: str
    database: str
    open: bool
    time: datetime
