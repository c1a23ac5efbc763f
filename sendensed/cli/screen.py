"""Screen: the live view of jobs on a terminal: a table, a bar for each job and a thin one for each disk."""

from datetime import datetime

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas.job import ACTIVE, JobView
from sendensed.cli import words

_STYLES = {
    "pending": "dim",
    "running": "cyan",
    "stalled": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}
_RECENT = 10
"""Finished jobs shown below the active ones."""


def render(jobs: list[JobView], now: datetime | None, lost: float | None, *, ready: bool) -> RenderableType:
    """The whole view. `now` is the hub's clock; `lost` is for how many seconds the feed is lost, or None."""
    active = sorted((job for job in jobs if job.status in ACTIVE), key=lambda job: (job.created_at, job.id))
    ended = sorted((job for job in jobs if job.status not in ACTIVE), key=_ended_at, reverse=True)[:_RECENT]
    parts: list[RenderableType] = [_headline(jobs, now)]
    if lost is not None:
        said = f"live feed lost {words.duration(lost)} ago; the numbers are as of then; trying again"
        parts.append(Text(said, style="bold red"))
    elif not ready:
        parts.append(Text("the hub cannot reach its database; no job is judged meanwhile", style="bold yellow"))
    parts.append(_table([*active, *ended], now, dim=lost is not None))
    parts.extend(_error(job) for job in [*active, *ended] if job.error_message)
    return Group(*parts)


def _ended_at(job: JobView) -> datetime:
    return job.completed_at or job.created_at


def _error(job: JobView) -> Text:
    said = f"{words.SYMBOLS[job.status]} {words.machine(job)}: {words.plain(job.error_message or '')}"
    return Text(said, style=_STYLES[job.status])


def _headline(jobs: list[JobView], now: datetime | None) -> Text:
    counts = {state: sum(job.status == state for job in jobs) for state in ("running", "stalled", "failed")}
    text = Text(", ".join(f"{count} {state}" for state, count in counts.items()), style="bold")
    heard = max((job.last_telemetry_at for job in jobs if job.last_telemetry_at), default=None)
    if heard is not None and now is not None:
        text.append(f"; last telemetry {words.duration((now - heard).total_seconds())} ago")
    return text


def _table(jobs: list[JobView], now: datetime | None, *, dim: bool) -> Table:
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim", style="dim" if dim else "")
    table.add_column("machine", ratio=2, no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=11)
    table.add_column("phase", no_wrap=True)
    table.add_column("progress", ratio=3, min_width=12)
    table.add_column("done", justify="right", no_wrap=True)
    table.add_column("copied", justify="right", no_wrap=True)
    table.add_column("speed", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    table.add_column("heard", justify="right", no_wrap=True)
    for job in jobs:
        _add(table, job, now)
    return table


def _add(table: Table, job: JobView, now: datetime | None) -> None:
    style = _STYLES[job.status]
    table.add_row(
        Text(words.machine(job)),
        Text(f"{words.SYMBOLS[job.status]} {job.status}", style=style),
        Text(words.plain(job.current_phase)),
        _bar(job.progress_percent, style, live=job.status == "running"),
        words.percent(job.progress_percent),
        words.copied(job),
        words.speed(job),
        words.time_left(job),
        words.age(job.last_telemetry_at, now) if now is not None else "",
    )
    if len(job.disks) > 1 and job.status in ACTIVE:
        for disk in job.disks:
            table.add_row(
                Text(f"  disk {disk.disk_index}", style="dim"),
                Text(f"  {words.plain(disk.status)}", style="dim"),
                "",
                _bar(disk.progress_percent, f"dim {style}", live=False),
                Text(words.percent(disk.progress_percent), style="dim"),
                Text(words.of_total(disk.bytes_transferred, disk.total_bytes), style="dim"),
            )


def _bar(percent: float | None, style: str, *, live: bool) -> ProgressBar:
    return ProgressBar(
        total=100,
        completed=percent or 0,
        pulse=live and percent is None,
        complete_style=style,
        finished_style=style,
    )
