"""Watch: follows jobs live; a redrawn view on a terminal, one line per change elsewhere."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from functools import partial

import trio

from schemas.job import ACTIVE, JobView
from sendensed import errors
from sendensed.cli import hub as rest
from sendensed.cli import lines, select, terminal
from sendensed.cli.feed import Watched, follow
from sendensed.cli.jobs import clock_of
from sendensed.cli.select import Selection
from sendensed.environment import SystemEnvironment

_REDRAW = 0.25
"""Seconds between two frames of the live view: ages count on even when nothing changes."""
JOB_FAILED = 4
"""Exit code for a watched job that ended other than completed."""


def run(options: argparse.Namespace) -> int:
    """Follows until interrupted; with IDs until those jobs end: 0 all completed, 4 any other end."""
    with rest.of(options) as asked:
        wanted = select.of(options, clock_of(asked))
        for job_id in options.id:
            asked.job(job_id)  # an unknown id is an error; the feed would wait for it
    query = [*wanted.feed(), *(("job", job_id) for job_id in options.id)]
    show = None if options.output in ("table", "wide") and terminal.is_live() else lines.show(options.output)
    with errors.unwrapped():
        return trio.run(partial(_watch, options.hub, query, frozenset(options.id), wanted, show, asked.token))


async def _watch(
    hub: str,
    query: list[tuple[str, str]],
    ids: frozenset[str],
    wanted: Selection,
    show: Callable[[JobView], None] | None,
    token: str | None,
) -> int:
    watched = Watched()
    ended = trio.Event()
    of_any_state = wanted.in_any_state()

    def on_news(news: list[JobView]) -> None:
        for job in news:
            if show is not None and of_any_state.wants(job):
                show(job)
        if ids and ids <= {job.id for job in watched.jobs.values() if job.status not in ACTIVE}:
            ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, hub, query, watched, SystemEnvironment(), on_news, token)
        if show is None:
            await draw(watched, ended, wants=wanted.wants)
        else:
            nursery.start_soon(lines.tell_losses, watched)
            await ended.wait()
        nursery.cancel_scope.cancel()
    return 0 if all(watched.jobs[one].status == "completed" for one in ids) else JOB_FAILED


async def draw(
    watched: Watched, ended: trio.Event, footer: str = "", wants: Callable[[JobView], bool] = lambda job: True
) -> None:
    """Redraws the view on the terminal until `ended`, which is drawn as well."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from sendensed.cli import screen

    def view() -> Group:
        lost = None if watched.lost_at is None else trio.current_time() - watched.lost_at
        jobs = [job for job in watched.jobs.values() if wants(job)]
        table = screen.render(jobs, watched.now(), lost, ready=watched.ready)
        return Group(table, Text(footer, style="dim"))

    with Live(view(), auto_refresh=False, vertical_overflow="ellipsis") as live:
        async with trio.open_nursery() as nursery:
            await nursery.start(_heed_stops, live.console.show_cursor)
            while not ended.is_set():
                live.update(view(), refresh=True)
                with trio.move_on_after(_REDRAW):
                    await ended.wait()
            nursery.cancel_scope.cancel()
        live.update(view(), refresh=True)


async def _heed_stops(show_cursor: Callable[[bool], object], *, task_status: trio.TaskStatus[None]) -> None:
    """Ctrl-Z leaves the shell its cursor, and takes it away again when the view comes back."""
    with trio.open_signal_receiver(signal.SIGTSTP) as heard:
        task_status.started()
        async for _ in heard:
            show_cursor(True)
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGSTOP)
            show_cursor(False)
