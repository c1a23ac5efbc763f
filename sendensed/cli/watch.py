"""Watch: follows jobs live; a redrawn view on a terminal, one line per change elsewhere."""

import argparse
import sys
from collections.abc import Callable

import trio

from schemas import codec
from schemas.job import ACTIVE, JobView
from sendensed import errors
from sendensed.cli import credentials, words
from sendensed.cli import hub as rest
from sendensed.cli.feed import Watched, follow
from sendensed.environment import SystemEnvironment

_REDRAW = 0.25
"""Seconds between two frames of the live view: ages count on even when nothing changes."""
JOB_FAILED = 4
"""Exit code for a watched job that ended other than completed."""


def run(options: argparse.Namespace) -> int:
    """Follows until interrupted; with an ID until that job ends: 0 completed, 4 any other end."""
    query: list[tuple[str, str]] = []
    token = credentials.token(options.token_file)
    if options.id is not None:
        rest.job(options.hub, options.id, token)  # an unknown id is an error; the feed would wait for it
        query.append(("job", options.id))
    if options.json:
        show = _print_json
    elif sys.stdout.isatty():
        show = None
    else:
        show = print_line
    with errors.unwrapped():
        return trio.run(_watch, options.hub, query, options.id, show, token)


async def _watch(
    hub: str,
    query: list[tuple[str, str]],
    job_id: str | None,
    show: Callable[[JobView], None] | None,
    token: str | None,
) -> int:
    watched = Watched()
    ended = trio.Event()

    def on_news(news: list[JobView]) -> None:
        for job in news:
            if show is not None:
                show(job)
            if job.id == job_id and job.status not in ACTIVE:
                ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, hub, query, watched, SystemEnvironment(), on_news, token)
        if show is None:
            await draw(watched, ended)
        else:
            await ended.wait()
        nursery.cancel_scope.cancel()
    return 0 if job_id is None or watched.jobs[job_id].status == "completed" else JOB_FAILED


async def draw(watched: Watched, ended: trio.Event, footer: str = "") -> None:
    """Redraws the view on the terminal until `ended`, which is drawn as well."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from sendensed.cli import screen

    def view() -> Group:
        lost = None if watched.lost_at is None else trio.current_time() - watched.lost_at
        table = screen.render(list(watched.jobs.values()), watched.now(), lost, ready=watched.ready)
        return Group(table, Text(footer, style="dim"))

    with Live(view(), auto_refresh=False, vertical_overflow="ellipsis") as live:
        while not ended.is_set():
            live.update(view(), refresh=True)
            with trio.move_on_after(_REDRAW):
                await ended.wait()
        live.update(view(), refresh=True)


def _print_json(job: JobView) -> None:
    print(codec.encode(job).decode(), flush=True)


def print_line(job: JobView) -> None:
    """One change of a job as a line for people."""
    parts = [
        words.plain(job.id),
        job.status,
        words.plain(job.current_phase),
        words.percent(job.progress_percent),
        words.copied(job),
        words.speed(job),
        words.time_left(job),
    ]
    if job.error_message:
        parts.append(words.plain(job.error_message))
    print("  ".join(part for part in parts if part), flush=True)
