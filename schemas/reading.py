"""Reading: the answers about samples, machines, appliances and the whole. Times are UTC, sizes bytes."""

from datetime import date, datetime
from typing import Literal

import msgspec

from schemas.job import JobView, State

GapCause = Literal["silent", "stalled", "hub_away", "between_attempts"]


class DiskBytes(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How far one disk was, as `[disk_index, bytes_transferred]`: there may be many of them."""

    disk_index: int
    bytes_transferred: int


class Sample(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One point of a chart: bytes done at `at`, and the mean of the speeds since the point before.

    `disks` is how far each disk was. It is left out where it was not asked for, where the job had no two disks
    (its bytes then are those of its one), and where a hub of before kept the sample. `bytes_verified` were read of
    the targets again by then; left out where nobody told that they would be, and where a hub of before kept it.
    """

    at: datetime
    attempt: int
    bytes_transferred: int
    transfer_speed_bps: int
    current_phase: str
    disks: tuple[DiskBytes, ...] | None = None
    bytes_verified: int | None = None


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A stretch without samples, which a chart leaves open: nothing is known of it but its cause.

    `silent`: the sender said nothing; `stalled`: until the reaper said so; `hub_away`: no hub was able to
    hear; `between_attempts`: one attempt had ended and the next had not begun.
    """

    start: datetime
    end: datetime
    cause: GapCause


class Samples(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/jobs/{id}/samples`: in order of time, `step_seconds` apart at the least."""

    job_id: str
    step_seconds: float
    samples: tuple[Sample, ...]
    gaps: tuple[Gap, ...]


class MachineView(msgspec.Struct, frozen=True):
    """One machine, over its newest `runs` (100 at the most).

    `success_percent` is of the runs that ended, `mean_bytes` and `mean_seconds` of the completed ones; null
    where there are none. `last_bytes` is the size of the last completed run. `within_percent`: four of five
    estimates of its completed runs, made at 25, 50 and 75 %, were that near to the truth.
    """

    name: str
    runs: int
    completed: int
    failed: int
    cancelled: int
    active: int
    success_percent: float | None
    mean_bytes: int | None
    mean_seconds: int | None
    last_bytes: int | None
    last_run_at: datetime
    last_success_at: datetime | None
    within_percent: float | None


class MachineList(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/machines`, by name; `next` is the `cursor` of the next page."""

    machines: tuple[MachineView, ...]
    next: str | None = None


class MachineDetail(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/machines/{name}`: `active` jobs, and a page of its runs, newest first."""

    machine: MachineView
    active: tuple[JobView, ...]
    runs: tuple[JobView, ...]
    next: str | None = None


class DayView(msgspec.Struct, frozen=True, gc=False):
    """What became of the runs of one machine that were created on one day: how many ended how.

    `last_id` and `last_status` are of the newest of them.
    """

    day: date
    completed: int
    failed: int
    cancelled: int
    active: int
    last_id: str
    last_status: State


class CalendarMachine(msgspec.Struct, frozen=True):
    """One machine and the days on which it had a run, in order."""

    name: str
    days: tuple[DayView, ...]


class Calendar(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/calendar`: machines by name, from `first_day` to `last_day`, days of the `zone`.

    A machine stands there though it had no run in that time; `next` is the `cursor` of the next page.
    """

    first_day: date
    last_day: date
    today: date
    zone: str
    machines: tuple[CalendarMachine, ...]
    next: str | None = None


class ApplianceView(msgspec.Struct, frozen=True):
    """One appliance: `name` is its token's, else its sender's name.

    `clock_skew_seconds` is how far its clock is ahead of the hub's (smoothed; negative is behind; null where it
    never told its time). `spool_depth` counts its jobs whose last word had waited at the sender,
    `spool_age_seconds` is how long the oldest of these had.
    """

    name: str
    version: str
    last_heard_at: datetime
    clock_skew_seconds: float | None
    spool_depth: int
    spool_age_seconds: float
    active: int


class ApplianceList(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/appliances`, by name."""

    appliances: tuple[ApplianceView, ...]


class Summary(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/summary`: how things stand at `time`.

    `failed_24h` and `completed_24h` ended within 24 h. All jobs that have an estimate are done between
    `finish_low_at` and `finish_high_at`; `without_estimate` of the active ones have none.
    """

    time: datetime
    pending: int
    running: int
    stalled: int
    failed_24h: int
    completed_24h: int
    cancelled_24h: int
    finish_low_at: datetime | None
    finish_high_at: datetime | None
    without_estimate: int
    last_telemetry_at: datetime | None


class Badge(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/badge.json`: what shields.io and others of its kind draw."""

    label: str
    message: str
    color: str
    schema_version: int = msgspec.field(default=1, name="schemaVersion")


class Figures(msgspec.Struct, frozen=True):
    """What the hub measures of itself, over the last minutes; null where there was nothing to measure.

    `telemetry_delay_p95_ms` is from the arrival of an update to its commit, at the 95th percentile. Where the hub
    is several workers, percentiles and means are of all that they measured, counts their sum, and the uptime is
    the longest.
    """

    telemetry_delay_p95_ms: float | None
    queue_depth: int
    queue_limit: int
    batch_size: float | None
    batch_ms: float | None
    database_ms: float | None
    viewers: int
    viewer_skips: int
    uptime_seconds: int


class Replay(msgspec.Struct, frozen=True):
    """What is shown in the place of a live hub: a run as `hub` told it, up to `end_at`, `speed` times as fast.

    `disks` is how many it had in the end; the job's own are those of which is known how far they were.
    """

    job_id: str
    hub: str
    end_at: datetime
    speed: float
    disks: int


class Health(msgspec.Struct, frozen=True):
    """The answer of `/api/v1/health`. `reasons` says why `ready` is false, `warnings` what soon will go wrong.

    `workers` is how many processes serve; all but `figures` is told of the one that answers.
    `replay` is there where nothing is live: `sendensed replay` answers.
    """

    live: bool
    ready: bool
    reasons: tuple[str, ...]
    version: str
    hub: str
    database: str
    open: bool
    time: datetime
    figures: Figures
    warnings: tuple[str, ...] = ()
    replay: Replay | None = None
    workers: int = 1
