"""Badge: the state of some jobs in a few words and a colour, as a picture for wikis and as JSON.

┌─────────┬─────────────────────┐
│ backups │ 7 running, 1 failed │
└─────────┴─────────────────────┘
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from schemas.reading import Badge
from sendensed.core.model import Job

FAILED_SHOWN = timedelta(hours=24)
"""For how long a failure is told, as on the page of all jobs."""
MOST = 1_000
"""Jobs counted; of more it is said that there are more."""

_COLOURS = {
    "failed": "#b32424",
    "stalled": "#8a5000",
    "running": "#1d5fa8",
    "pending": "#1d5fa8",
    "completed": "#2c7a4b",
}
_GREY = "#566171"
_CHARACTER, _MARGIN, _HEIGHT = 6.6, 8, 20
"""Pixels: of a character on the average at 11 px, beside each text, and in all."""


def badge(label: str, active: Sequence[Job], failed: Sequence[Job], last: Sequence[Job], now: datetime) -> Badge:
    """Of the active jobs, those that failed last, and the one that ended last, where there is one."""
    fresh = [job for job in failed if job.completed_at is not None and now - job.completed_at < FAILED_SHOWN]
    counts = {
        "running": sum(job.status == "running" for job in active),
        "pending": sum(job.status == "pending" for job in active),
        "stalled": sum(job.status == "stalled" for job in active),
        "failed": len(fresh),
    }
    told = [f"{_number(count)} {state}" for state, count in counts.items() if count]
    if told:
        worst = next(state for state in _COLOURS if counts.get(state))
        return Badge(label, ", ".join(told), _COLOURS[worst])
    if not last or last[0].completed_at is None:
        return Badge(label, "no jobs", _GREY)
    job = last[0]
    return Badge(label, f"{job.status} {job.completed_at:%Y-%m-%d %H:%M} UTC", _COLOURS.get(job.status, _GREY))


def _number(count: int) -> str:
    return f"{MOST:,}+" if count >= MOST else str(count)


def svg(shown: Badge) -> bytes:
    """The badge as a picture. What stands in it is text, whatever it holds."""
    label, message = (escape("".join(filter(str.isprintable, text))) for text in (shown.label, shown.message))
    left, right = (round(len(text) * _CHARACTER) + 2 * _MARGIN for text in (shown.label, shown.message))
    width = left + right
    size = f'width="{width}" height="{_HEIGHT}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}: {message}">
<title>{label}: {message}</title>
<rect {size} rx="3" fill="{escape(shown.color)}"/>
<path d="M3 0h{left - 3}v{_HEIGHT}H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#3a4250"/>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{left / 2:g}" y="14" textLength="{left - 2 * _MARGIN}">{label}</text>
<text x="{left + right / 2:g}" y="14" textLength="{right - 2 * _MARGIN}">{message}</text>
</g>
</svg>
""".encode()
