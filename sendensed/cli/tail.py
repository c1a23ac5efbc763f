"""Tail: what happens to jobs, a line for each event as it comes.

The live feed says which jobs have changed in a way that leaves a row in their history; what the rows say is then
read from there. So nothing that was committed is missed while the feed is away, and every event is told once.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

import trio

from schemas.job import EventView, JobDetail, JobView
from sendensed import errors
from sendensed.cli import columns, lines, output, terminal
from sendensed.cli.columns import EVENTS, Told
from sendensed.cli.feed import Watched, follow
from sendensed.cli.hub import Hub
from sendensed.cli.output import Column
from sendensed.cli.select import Selection
from sendensed.environment import SystemEnvironment
from sendensed.errors import Denied, NotFound, SendensedError

_AGAIN = 1.0
"""Seconds until a history that could not be read is asked for again."""
KEPT = 10_000
"""Jobs of which it is known what was told of them last."""
_LEAST = {"KIND": 7, "STATE": 9, "DONE": 7}
"""Places that a column takes at the least, so that few lines have to move the others."""


class Tail:
    """Which jobs have rows that were not told, and which rows these are.

    What was there before counts as told: rows from before `since`, and those of the jobs that were told whole.
    """

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._marks: dict[str, tuple[object, ...]] = {}
        self._last: dict[str, EventView] = {}
        self._begun = False

    def begin(self) -> None:
        """All jobs that were there are known: any other one is new."""
        self._begun = True

    def changed(self, jobs: Iterable[JobView]) -> list[str]:
        """The ids of those jobs whose histories have new rows, as far as the jobs themselves show it."""
        ids = []
        for job in jobs:
            mark = _mark(job)
            known = self._marks.get(job.id)
            if known != mark if known is not None else self._begun or self._is_new(job):
                ids.append(job.id)
            self._marks[job.id] = mark
        return ids

    def _is_new(self, job: JobView) -> bool:
        return any(
            at is not None and at >= self._since for at in (job.created_at, job.started_at, job.completed_at)
        )

    def fresh(self, detail: JobDetail) -> list[Told]:
        """The rows that were not told yet; they count as told from now on."""
        events, job_id = detail.events, detail.job.id
        last = self._last.pop(job_id, None)
        if last is None:
            new = [event for event in events if event.at >= self._since]
        elif last in events:
            new = list(events[len(events) - events[::-1].index(last) :])
        else:  # more came meanwhile than are kept at hand
            new = [event for event in events if event.at >= last.at]
        self.told(detail)
        return [columns.told(job_id, event) for event in new]

    def told(self, detail: JobDetail) -> None:
        """All of its rows were told. Of the jobs told longest ago only the time is kept."""
        self._marks.setdefault(detail.job.id, _mark(detail.job))
        if detail.events:
            self._last[detail.job.id] = detail.events[-1]
        if len(self._last) > KEPT:
            oldest = next(iter(self._last))
            self._since = max(self._since, self._last.pop(oldest).at)
            self._marks.pop(oldest, None)


def _mark(job: JobView) -> tuple[object, ...]:
    """Changes whenever something happened that is a row of the history, be it undone by the time it is seen."""
    states = tuple(disk.status for disk in job.disks)
    said = (job.attempt, job.status, job.current_phase, job.not_moving, job.cancel_requested_at)
    return (job.created_at, job.event_count, *said, states)


class Printer:
    """Writes rows in a form of `options.FORMATS`, those of a table below each other however late they come."""

    def __init__(self, form: str, *, headers: bool) -> None:
        self._form = form
        self._headers = headers
        self._has_headed = False
        self._widths: dict[str, int] = dict(_LEAST)
        chosen = [column for column in EVENTS.columns if form == "wide" or not column.wide]
        self._kind = EVENTS._replace(columns=tuple(map(self._steady, chosen)))

    def write(self, rows: Sequence[Told]) -> None:
        """Writes them at once."""
        if self._form in ("table", "wide"):
            for column in self._kind.columns[:-1]:  # how wide they are is known when all were seen
                for row in rows:
                    column.text(row, None)
            self._narrow(rows)
            output.write(self._kind, rows, None, self._form, headers=self._headers and not self._has_headed)
            self._has_headed = self._has_headed or bool(rows)
        else:
            output.write(EVENTS, rows, None, "ndjson" if self._form == "json" else self._form)
        sys.stdout.flush()

    def _narrow(self, rows: Sequence[Told]) -> None:
        """A column that a narrow terminal had no more room for stays away; then the others are named again."""
        places = None if self._form == "wide" else terminal.places()
        columns, _ = output.chosen(self._kind, rows, None, places, wide=True)
        self._has_headed = self._has_headed and len(columns) == len(self._kind.columns)
        self._kind = self._kind._replace(columns=tuple(columns))

    def _steady(self, column: Column[Told]) -> Column[Told]:
        def text(row: Told, now: datetime | None) -> str:
            said = column.text(row, now) or "-"
            if column.name == "DETAIL":
                return said
            places = max(output.width(said), self._widths.get(column.name, 0))
            self._widths[column.name] = places
            gap = " " * (places - output.width(said))
            return gap + said if column.right else said + gap

        return column._replace(text=text)


def run(
    options: argparse.Namespace, asked: Hub, wanted: Selection, details: Sequence[JobDetail], since: datetime
) -> int:
    """Prints the events of `details`, and then what comes, until interrupted.

    `since` is a time by the hub's clock, from before these were read. Raises SendensedError.
    """
    tail, printer = Tail(since), Printer(options.output, headers=not options.no_headers)
    rows = [columns.told(one.job.id, event) for one in details for event in one.events]
    for one in details:
        tail.told(one)
    printer.write(sorted(rows, key=lambda row: row.at))
    ids = [("job", job_id) for job_id in dict.fromkeys(options.id)]
    with errors.unwrapped():
        trio.run(partial(_follow, asked, ids, wanted, tail, printer))
    return 0


async def _follow(asked: Hub, ids: list[tuple[str, str]], wanted: Selection, tail: Tail, printer: Printer) -> None:
    watched = Watched()
    pending: dict[str, None] = {}
    news = trio.Event()
    of_any_state = wanted.in_any_state()

    def on_news(jobs: list[JobView]) -> None:
        nonlocal news
        pending.update(dict.fromkeys(tail.changed(job for job in jobs if of_any_state.wants(job))))
        if watched.sequence is not None:
            tail.begin()
        if pending:
            news.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, asked.url, ids, watched, SystemEnvironment(), on_news, asked.token)
        nursery.start_soon(lines.tell_losses, watched)
        while True:
            await news.wait()
            news = trio.Event()
            found = await _read(asked, pending)
            rows = [row for detail in found if wanted.wants(detail.job) for row in tail.fresh(detail)]
            printer.write(sorted(rows, key=lambda row: row.at))
            if pending:
                await trio.sleep(_AGAIN)
                news.set()


async def _read(asked: Hub, pending: dict[str, None]) -> list[JobDetail]:
    """The jobs that are pending, with their histories; those that could not be read stay pending.

    Raises Denied where the hub takes the token no more.
    """
    found: list[JobDetail] = []
    limiter = trio.CapacityLimiter(1)
    for job_id in list(pending):
        try:
            detail = await trio.to_thread.run_sync(asked.job, job_id, abandon_on_cancel=True, limiter=limiter)
        except NotFound:
            pass
        except Denied:
            raise
        except SendensedError:  # the feed's loss is told already, and its return brings nothing that waits here
            break
        else:
            found.append(detail)
        del pending[job_id]
    return found
