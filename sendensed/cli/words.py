"""Words: numbers, times and foreign text as a terminal shows them."""

import re
from datetime import datetime

from schemas.job import JobView

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_REASONS = {
    "measuring": "measuring",
    "stalled": "stalled",
    "unknown_total": "total unknown",
    "finalizing": "finalizing",
}
SYMBOLS = {
    "pending": "○",
    "running": "▶",
    "stalled": "‖",
    "completed": "✓",
    "failed": "✗",
    "cancelled": "■",
}


def plain(text: str) -> str:
    """Foreign text without what would steer a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def size(count: float) -> str:
    """`1.5 GiB`: three digits and a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if count < 1000 or unit == "PiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.3g} {unit}"


def percent(value: float | None) -> str:
    """`62.3 %`, rounded down so that 100 is only said of the end; a dash for unknown."""
    return "-" if value is None else f"{int(value * 10) / 10:.1f} %"


def duration(seconds: float) -> str:
    """`2 h 05 m`, `5 m 12 s`, `42 s`."""
    whole = max(int(seconds), 0)
    if whole >= 3600:
        return f"{whole // 3600} h {whole // 60 % 60:02} m"
    return f"{whole // 60} m {whole % 60:02} s" if whole >= 60 else f"{whole} s"


def time_left(job: JobView) -> str:
    """The time left, or why there is none."""
    if job.eta_reason is not None:
        return _REASONS[job.eta_reason]
    return "" if not job.eta_seconds else duration(job.eta_seconds)


def heard(job: JobView, now: datetime) -> str:
    """How long ago the hub last heard of the job."""
    if job.last_telemetry_at is None:
        return "never"
    return f"{duration((now - job.last_telemetry_at).total_seconds())} ago"


def copied(job: JobView) -> str:
    """Bytes done of the total, and what the total counts."""
    if not job.total_bytes:
        return size(job.bytes_transferred)
    kind = f" {plain(job.total_kind)}" if job.total_kind else ""
    return f"{size(job.bytes_transferred)} / {size(job.total_bytes)}{kind}"


def speed(job: JobView) -> str:
    """The present speed; of an ended job the last one measured, of a silent one none."""
    return "-" if job.status == "stalled" else f"{size(job.transfer_speed_bps)}/s"


def machine(job: JobView) -> str:
    """The machine's name; the job's id where there is none."""
    return plain(job.vm_name or job.id)
