"""Screen: the live view of jobs on a terminal: a table, a bar for each job and a thin one for each disk."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas.job import ACTIVE, JobView
from sendensed.cli import output, words

_STYLES = {
    "pending": "dim",
    "running": "cyan",
    "stalled": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}
_PLACES = ("machine", "state", "phase", "progress", "done", "copied", "speed", "left", "heard")
"""Columns in the order they stand in."""
_WORTH = ("machine", "state", "done", "left", "speed", "progress", "copied", "heard", "phase")
"""The same, the most wanted first: where the terminal is narrow the last ones are left out."""
_RIGHT = frozenset({"done", "copied", "speed", "left", "heard"})
_LEAST = {"state": 12, "progress": 12, "done": 6, "left": 11}
"""Places that a column takes at the least, so that they do not jump with each number."""
_LONGEST = 40
"""Places of the bar, of a machine's name and of a phase at the most."""
_GAP = 2
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
    parts.append(_Jobs([*active, *ended], now, dim=lost is not None))
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


class _Jobs:
    """The jobs and their disks as a table: as many columns as there is room for, the most wanted first."""

    def __init__(self, jobs: list[JobView], now: datetime | None, *, dim: bool) -> None:
        self._rows = [row for job in jobs for row in _rows(job, now)]
        self._dim = dim

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        needs = {name: max([len(name), *(row.width(name) for row in self._rows)]) for name in _PLACES}
        needs = {name: max(size, _LEAST.get(name, 0)) for name, size in needs.items()}
        left, chosen = options.max_width, set[str]()
        for name in _WORTH:
            left -= needs[name] + (_GAP if chosen else 0)
            if left < 0 and chosen:
                break
            chosen.add(name)
        else:
            needs["progress"] = min(needs["progress"] + left, _LONGEST)
        table = Table(box=None, pad_edge=False, header_style="dim", style="dim" if self._dim else "")
        names = [name for name in _PLACES if name in chosen]
        for name in names:
            justify: JustifyMethod = "right" if name in _RIGHT else "left"
            table.add_column(name, no_wrap=True, justify=justify, width=needs[name])
        for row in self._rows:
            table.add_row(*(row.cell(name) for name in names))
        yield table


class _Row(NamedTuple):
    """A job or a disk: its texts by their columns, their styles, and its bar."""

    texts: dict[str, str]
    styles: dict[str, str]
    bar: ProgressBar

    def width(self, name: str) -> int:
        return cell_len(self.texts.get(name, ""))

    def cell(self, name: str) -> RenderableType:
        return self.bar if name == "progress" else Text(self.texts.get(name, ""), self.styles.get(name, ""))


def _rows(job: JobView, now: datetime | None) -> Iterator[_Row]:
    style = _STYLES[job.status]
    texts = {
        "machine": output.cut(words.machine(job), _LONGEST),
        "state": words.state(job),
        "phase": output.cut(words.plain(job.current_phase), _LONGEST),
        "done": words.percent(job.progress_percent),
        "copied": words.copied(job),
        "speed": words.speed(job),
        "left": words.time_left(job),
        "heard": words.age(job.last_telemetry_at, now) if now is not None else "",
    }
    yield _Row(texts, {"state": style}, _bar(job.progress_percent, style, live=job.status == "running"))
    if len(job.disks) > 1 and job.status in ACTIVE:
        for disk in job.disks:
            texts = {
                "machine": f"  disk {disk.disk_index}",
                "state": f"  {words.plain(disk.status)}",
                "done": words.percent(disk.progress_percent),
                "copied": words.of_total(disk.bytes_transferred, disk.total_bytes),
            }
            yield _Row(texts, dict.fromkeys(texts, "dim"), _bar(disk.progress_percent, f"dim {style}", live=False))


def _bar(percent: float | None, style: str, *, live: bool) -> ProgressBar:
    return ProgressBar(
        total=100,
        completed=percent or 0,
        pulse=live and percent is None,
        complete_style=style,
        finished_style=style,
    )
