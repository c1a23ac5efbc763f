"""Panel: what `top` shows, as lines of styled pieces, and what its keys change. No terminal, no clock."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.job import ACTIVE, JobView
from sendensed.cli import output, words
from sendensed.cli.columns import DISKS, JOBS
from sendensed.cli.output import Column, Span

_WORTH = (
    "MACHINE",
    "STATE",
    "DONE",
    "SPEED",
    "LEFT",
    "HEARD",
    "PROGRESS",
    "BYTES",
    "PHASE",
    "FINISH",
    "ID",
    "APPLIANCE",
)
"""Columns, the most wanted first: where the terminal is narrow the last ones are left out."""
_PLACES = (
    "MACHINE", "STATE", "PHASE", "PROGRESS", "DONE", "BYTES", "SPEED", "LEFT", "FINISH", "HEARD",
    "APPLIANCE", "ID",
)  # fmt: skip
"""The same in the order they stand in."""
_LONGEST = 40
"""Places that one cell takes at the most."""
_LEAST = {"STATE": 12, "PHASE": 12, "DONE": 7, "BYTES": 24, "SPEED": 10, "LEFT": 12, "HEARD": 12, "FINISH": 18}
"""Places that a column takes at the least, so that they do not jump with each number."""
_KEYS = "q quit  ←→ sort  r reverse  ↑↓ choose  space disks  a ended jobs"
_INDENT = 4


class View(NamedTuple):
    """What was chosen: the order, whether ended jobs are shown, the job under the cursor, whose disks are open."""

    by: str
    reverse: bool = False
    ended: bool = False
    chosen: str = ""
    opened: frozenset[str] = frozenset()


class Scene(NamedTuple):
    """What there is to show. `now` is the hub's clock, `lost` for how many seconds the feed has been lost."""

    jobs: Sequence[JobView]
    now: datetime | None
    lost: float | None = None
    ready: bool = True


_BAR: Column[JobView] = Column(
    "PROGRESS", lambda job, now: words.bar(job.progress_percent, 16), style=lambda job: str(job.status)
)
_COLUMNS = {column.name: column for column in (*JOBS.columns, _BAR)}


def press(view: View, key: str, jobs: Sequence[JobView]) -> View | None:
    """The view after a key; None to leave. `jobs` are those shown, in their order."""
    ids = [job.id for job in jobs]
    place = ids.index(view.chosen) if view.chosen in ids else -1
    orders = JOBS.orders()
    match key:
        case "q":
            return None
        case "left" | "<":
            return view._replace(by=orders[orders.index(view.by) - 1], reverse=False)
        case "right" | ">":
            return view._replace(by=orders[(orders.index(view.by) + 1) % len(orders)], reverse=False)
        case "r":
            return view._replace(reverse=not view.reverse)
        case "a":
            return view._replace(ended=not view.ended)
        case "down" | "j" if ids:
            return view._replace(chosen=ids[min(place + 1, len(ids) - 1)])
        case "up" | "k" if ids:
            return view._replace(chosen=ids[max(place - 1, 0)])
        case "home" | "g" if ids:
            return view._replace(chosen=ids[0])
        case "end" | "G" if ids:
            return view._replace(chosen=ids[-1])
        case " " | "enter" if place >= 0:
            return view._replace(opened=view.opened ^ {view.chosen})
    return view


def shown(view: View, jobs: Sequence[JobView]) -> list[JobView]:
    """The jobs of the view, in its order."""
    wanted = sorted((job for job in jobs if view.ended or job.status in ACTIVE), key=lambda job: job.id)
    return output.ordered(JOBS, wanted, view.by, reverse=view.reverse)


def frame(view: View, scene: Scene, width: int, height: int) -> list[list[Span]]:
    """The whole screen, at most `height` lines of at most `width` places."""
    jobs = shown(view, scene.jobs)
    top = [[(headline(scene), "bold")]]
    if scene.lost is not None:
        said = f"live feed lost {words.duration(scene.lost)} ago; the numbers are as of then; trying again"
        top.append([(said, "failed")])
    elif not scene.ready:
        top.append([("the hub cannot reach its database; no job is judged meanwhile", "stalled")])
    columns = _fitting(view, jobs, scene.now, width)
    table = output.spans(columns, jobs, scene.now)
    head, rows = table[0], table[1:]
    body: list[list[Span]] = []
    cursor = 0
    for job, row in zip(jobs, rows, strict=True):
        if job.id == view.chosen:
            cursor = len(body)
            row = [(text, f"{style} chosen".strip()) for text, style in row]
        body.append(row)
        body += _details(job, width - _INDENT) if job.id in view.opened else []
    if not jobs:
        body.append([("no running job" if not view.ended else "no job yet", "dim")])
    room = max(height - len(top) - 2, 1)
    first = min(max(cursor - room + 3, 0), max(len(body) - room, 0))
    more = len(body) - room
    order = f"{view.by}{', reversed' if view.reverse else ''}"
    part = f", lines {first + 1} to {first + room} of {len(body)}" if more > 0 else ""
    foot = f"by {order}{part}   {_KEYS}"
    lines = [*top, head, *body[first : first + room], [(foot, "dim")]]
    return [_cut(line, width) for line in lines[:height]]


def headline(scene: Scene) -> str:
    """How many run, are stalled, failed; and when was heard of any of them."""
    counts = [
        f"{sum(job.status == state for job in scene.jobs)} {state}" for state in ("running", "stalled", "failed")
    ]
    heard = max((job.last_telemetry_at for job in scene.jobs if job.last_telemetry_at), default=None)
    last = "" if heard is None or scene.now is None else f"; last telemetry {words.age(heard, scene.now)}"
    return ", ".join(counts) + last


def _details(job: JobView, places: int) -> list[list[Span]]:
    lines = output.spans(output.fitting(DISKS, job.disks, None, places), job.disks, None, headers=False)
    lines = [[(" " * _INDENT, ""), *line] for line in lines]
    if job.error_message:
        lines.append([(" " * _INDENT + words.error(job), job.status)])
    return lines or [[(" " * _INDENT + "no disks are told of", "dim")]]


def _fitting(view: View, jobs: Sequence[JobView], now: datetime | None, width: int) -> list[Column[JobView]]:
    """The columns that fit, the most wanted first; the one that orders is always among them."""
    by = view.by.upper()
    worth = [*dict.fromkeys(("MACHINE", by, *_WORTH))]
    places = [*_PLACES, *([by] if by not in _PLACES else [])]
    left, chosen = width + 2, set()
    for name in worth:
        column = _short(_COLUMNS[name])
        needs = 2 + max([len(name), *(output.width(column.text(job, now)) for job in jobs)])
        if needs > left:
            break
        left -= needs
        chosen.add(name)
    return [_short(_COLUMNS[name]) for name in places if name in chosen]


def _short(column: Column[JobView]) -> Column[JobView]:
    least = _LEAST.get(column.name, 0)

    def text(job: JobView, now: datetime | None) -> str:
        said = output.cut(column.text(job, now) or "-", _LONGEST)
        gap = " " * (least - output.width(said))
        return gap + said if column.right else said + gap

    return column._replace(text=text)


def _cut(line: Sequence[Span], width: int) -> list[Span]:
    cut: list[Span] = []
    for text, style in line:
        kept = output.cut(text, width)
        width -= output.width(kept)
        if kept:
            cut.append((kept, style))
    return cut
