"""Job: what viewers and readers see of a job, its disks and its history. Times are UTC, sizes bytes."""

from datetime import datetime
from typing import Literal

import msgspec

State = Literal["pending", "running", "stalled", "completed", "failed", "cancelled"]
Voice = Literal["sender", "reaper", "operator"]
EtaReason = Literal["measuring", "stalled", "unknown_total", "finalizing", "verification"]
"""Why there is no time left; `verification`: one follows, and how long it takes is known only once it runs."""
EtaBasis = Literal["run", "history"]
"""What the range of a time left rests on: how even the run itself was, or how runs of the machine went before."""

ACTIVE: frozenset[str] = frozenset({"pending", "running", "stalled"})
"""States of a job that may still be heard of."""
ENDED: frozenset[str] = frozenset({"completed", "failed", "cancelled"})
"""States of a job that is over."""


class DiskView(msgspec.Struct, frozen=True, gc=False):
    """One disk. `total_bytes` 0 is unknown; `progress_percent` is null where nothing tells it.

    `bottleneck` is what took most of the sender's time lately: `read`, `write`, `network`; '' where it never told.
    """

    disk_index: int
    bytes_transferred: int
    total_bytes: int
    progress_percent: float | None
    status: str
    error_message: str | None
    bottleneck: str = ""


class JobView(msgspec.Struct, frozen=True, gc=False):
    """One job, whole.

    `transfer_speed_bps` is bytes per second. `eta_seconds` is null with a reason unless it is worth showing;
    four of five runs end between `eta_low_seconds` and `eta_high_seconds`; where the reason is `verification`,
    `eta_copy_seconds` is until all is copied. `last_telemetry_at` is when the hub
    last heard of the job, `last_moved_at` when bytes or phase last advanced. `closed_by` says whose word the
    final state is; `appliance` who sends; `cancel_requested_at` is when an operator asked it to
    stop; `revision` grows with every change; `heard_by` is the hub that heard of it last; `not_moving` tells a job
    that is heard but has not moved for long; `bytes_verified` of `bytes_to_verify` (0: unknown) were read of the
    targets again, while the phase is `verifying` and after it; `event_count` grows with each row of its history.
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
    eta_low_seconds: int | None = None
    eta_high_seconds: int | None = None
    eta_basis: EtaBasis | None = None
    appliance: str = ""
    cancel_requested_at: datetime | None = None
    heard_by: str = ""
    not_moving: bool = False
    bytes_verified: int = 0
    bytes_to_verify: int = 0
    eta_copy_seconds: int | None = None
    event_count: int = 0


class EventView(msgspec.Struct, frozen=True, gc=False):
    """One row of a job's history: what changed, who said it, and the position it was said at.

    `kind` is `state`, `attempt`, `phase`, `disk`, `cancel` or `alarm`; `detail` is the evidence as a sentence.
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


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What the hub said at `percent` of the run: seconds left; and after its end how many there were."""

    percent: int
    predicted_seconds: int
    low_seconds: int
    high_seconds: int
    actual_seconds: int | None


class Accuracy(msgspec.Struct, frozen=True, gc=False):
    """How good the hub's estimates were: four of five were within `within_percent` of the truth.

    Of the last completed `runs`, of this machine or, where it has fewer than 5, of all.
    """

    of: Literal["machine", "all"]
    runs: int
    within_percent: float


class JobDetail(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/jobs/{id}`."""

    job: JobView
    events: tuple[EventView, ...]
    predictions: tuple[Prediction, ...] = ()
    accuracy: Accuracy | None = None


class JobList(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/jobs`: newest first, or as asked; `next` is the `cursor` of the next page."""

    jobs: tuple[JobView, ...]
    next: str | None = None


class Stopping(msgspec.Struct, frozen=True):
    """The answer to a wish to cancel: 202 `cancelling`, the sender has still to hear of it; 200 `cancelled`."""

    status: Literal["cancelling", "cancelled"]
