"""Words: numbers, times and foreign text as a terminal shows them."""

from datetime import UTC, datetime, timedelta

from schemas import words
from schemas.job import ACTIVE, JobView
from sendensed.cli import terminal

_REASONS = {
    "measuring": "measuring",
    "stalled": "stalled",
    "unknown_total": "total unknown",
    "finalizing": "finalizing",
}
plain = terminal.plain
size = words.size
duration = words.duration
count = words.count
SYMBOLS = {
    "pending": "○",
    "running": "▶",
    "stalled": "‖",
    "completed": "✓",
    "failed": "✗",
    "cancelled": "■",
}


def percent(value: float | None) -> str:
    """`62.3 %`; a dash for unknown."""
    return "-" if value is None else words.percent(value)


def time_left(job: JobView) -> str:
    """The time left, or why there is none; of a copy that is verified then, its own and that."""
    if job.eta_reason == "verification":
        return f"{duration(job.eta_copy_seconds)} + verification" if job.eta_copy_seconds else "verification"
    if is_verifying(job) and not job.eta_seconds:
        return "verifying"
    if job.eta_reason is not None:
        return _REASONS[job.eta_reason]
    return "" if not job.eta_seconds else duration(job.eta_seconds)


def age(moment: datetime | None, now: datetime | None) -> str:
    """`7 s ago`; `never` for no moment, the time itself where no clock is known."""
    if moment is None:
        return "never"
    return stamp(moment) if now is None else f"{duration((now - moment).total_seconds())} ago"


def skew(seconds: float | None) -> str:
    """`in step`, `12 s ahead`, `3 min 10 s behind`, as the page has it; nothing where it is not known.

    Senders tell whole seconds, and take a while to: below two nothing can be said.
    """
    if seconds is None or abs(seconds) < 2:
        return "" if seconds is None else "in step"
    return f"{duration(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"


def stamp(moment: datetime | None) -> str:
    """`2026-11-23T02:14:07Z`; nothing for no moment."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def took(job: JobView) -> str:
    """How long an ended job ran."""
    if job.completed_at is None or job.started_at is None:
        return ""
    return duration((job.completed_at - job.started_at).total_seconds())


def finish(job: JobView, now: datetime | None) -> str:
    """`05:40 to 06:10 UTC`: between when and when four of five such runs end; nothing where that is not known."""
    low, high, heard = job.eta_low_seconds, job.eta_high_seconds, job.last_telemetry_at
    if job.status not in ACTIVE or low is None or high is None or heard is None:
        return ""
    first, last = (heard.astimezone(UTC) + timedelta(seconds=left) for left in (low, high))
    day = "" if now is None or last.date() == now.astimezone(UTC).date() else f"{last:%d %b }"
    return f"{first:%H:%M} to {day}{last:%H:%M} UTC"


BAR = 24
"""Signs of a bar."""


def bar(percent: float | None, size: int = BAR) -> str:
    """`━━━━━━╸─────`: a bar in text alone, full only at 100 %."""
    halves = int(min(max(percent or 0.0, 0.0), 100.0) / 100 * 2 * size)
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(size, "─")


def error(job: JobView) -> str:
    """What went wrong, or nothing."""
    return plain(job.error_message or "")


def state(job: JobView) -> str:
    """The state with its sign; a running job that does not move is said to."""
    return f"{SYMBOLS[job.status]} {'not moving' if job.not_moving else job.status}"


def phase(job: JobView) -> str:
    """`transferring (2 of 3)`: the phase, and where it stands in the run where that is known."""
    step = words.phase_step(job.sender, job.current_phase)
    return plain(job.current_phase) + (f" ({step})" if step else "")


def copied(job: JobView) -> str:
    """Bytes done of the total, and what the total counts; those verified while that goes on."""
    if is_verifying(job):
        return f"{verified(job)} verified"
    return of_total(job.bytes_transferred, job.total_bytes) + kind(job)


def kind(job: JobView) -> str:
    """` allocated`: what the total counts, behind it; nothing where that is not told."""
    return f" {plain(job.total_kind)}" if job.total_bytes and job.total_kind else ""


def is_verifying(job: JobView) -> bool:
    """Whether its targets are being read again, as far as that is told."""
    return job.status in ACTIVE and job.current_phase == "verifying" and job.bytes_to_verify > 0


def verified(job: JobView) -> str:
    """`1 GiB / 8 GiB` read again; nothing where that was never told."""
    return of_total(job.bytes_verified, job.bytes_to_verify) if job.bytes_verified or job.bytes_to_verify else ""


def of_total(done: int, total: int) -> str:
    """`3 GiB / 8 GiB`; without a total what is done."""
    return f"{size(done)} / {size(total)}" if total else size(done)


def speed(job: JobView) -> str:
    """The present speed; of an ended job the last one measured; of a silent one, or one that verifies, none."""
    return "-" if job.status == "stalled" or is_verifying(job) else f"{size(job.transfer_speed_bps)}/s"


def machine(job: JobView) -> str:
    """The machine's name; the job's id where there is none."""
    return plain(job.vm_name or job.id)
