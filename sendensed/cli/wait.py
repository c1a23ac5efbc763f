"""Wait: until jobs have come to a state, for scripts; how far they are on the terminal meanwhile."""

import argparse
import math
import os
import sys
from functools import partial

import trio

from schemas.job import ACTIVE, JobView
from sendensed import errors
from sendensed.cli import hub as rest
from sendensed.cli import lines, output, words
from sendensed.cli.feed import Watched, follow
from sendensed.environment import SystemEnvironment

REACHED, NEVER, JOB_FAILED, TOO_LATE = 0, 1, 4, 5
"""Exit codes."""
_REDRAW = 0.25
"""Seconds between two states of the line on the terminal."""


def run(options: argparse.Namespace) -> int:
    """Returns 0 when every job has come to the state; 4 where one failed or was cancelled instead, 1 where one
    ended well but not as waited for, 5 at the timeout or for a stalled job that is not to be waited for."""
    with rest.of(options) as asked:
        for job_id in options.id:
            asked.job(job_id)
    watching = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb") and not options.quiet
    with errors.unwrapped():
        return trio.run(partial(_wait, options, asked.token, on_terminal=watching))


def verdict(job: JobView, goal: str, *, unless_stalled: bool) -> int | None:
    """The exit code that the job's present state means; None while it is to be waited for."""
    if goal in (job.status, "ended" if job.status not in ACTIVE else ""):
        return REACHED
    if job.status in ("failed", "cancelled"):
        return JOB_FAILED
    if job.status == "completed":
        return REACHED if goal == "running" else NEVER  # it has been
    return TOO_LATE if job.status == "stalled" and unless_stalled else None


async def _wait(options: argparse.Namespace, token: str | None, *, on_terminal: bool) -> int:
    watched, decided = Watched(), trio.Event()
    codes: dict[str, int] = {}
    query = [("job", job_id) for job_id in dict.fromkeys(options.id)]

    def on_news(news: list[JobView]) -> None:
        for job in news:
            code = verdict(job, options.goal, unless_stalled=options.unless_stalled)
            if code is not None and job.id not in codes:
                codes[job.id] = code
        if len(codes) == len(query) or any(codes.values()):
            decided.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, options.hub, query, watched, SystemEnvironment(), on_news, token)
        nursery.start_soon(_show, watched) if on_terminal else nursery.start_soon(lines.tell_losses, watched)
        with trio.move_on_after(math.inf if options.timeout is None else options.timeout):
            await decided.wait()
        nursery.cancel_scope.cancel()
    for job_id in dict.fromkeys(options.id):
        if job_id in watched.jobs:
            lines.print_line(watched.jobs[job_id])
    if not decided.is_set():
        output.say(
            f"sendensed: not {options.goal} within {words.duration(options.timeout)}; it goes on without us"
        )
        return TOO_LATE
    return next((code for code in codes.values() if code), REACHED)


async def _show(watched: Watched) -> None:
    """Keeps one line on the terminal up to date, and takes it away at the end."""
    try:
        while True:
            sys.stderr.write(f"\r\x1b[K{_cut(status_line(watched))}")
            sys.stderr.flush()
            await trio.sleep(_REDRAW)
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _cut(line: str) -> str:
    """No longer than the terminal is wide: what wraps cannot be taken away."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        columns = 80
    return output.cut(line, columns - 1)


def status_line(watched: Watched) -> str:
    """How far the jobs are, in one line."""
    jobs = [job for job in watched.jobs.values() if job.status in ACTIVE]
    if watched.lost_at is not None:
        return f"live feed lost {words.duration(trio.current_time() - watched.lost_at)} ago; trying again"
    if watched.sequence is None:
        return "asking the hub"
    if len(jobs) != 1:
        return f"{words.count(len(jobs), 'job')} to wait for"
    job = jobs[0]
    parts = [words.machine(job), words.bar(job.progress_percent), words.percent(job.progress_percent)]
    left = words.time_left(job)
    parts += [words.copied(job), words.speed(job), f"{left} left" if job.eta_seconds else left]
    return "  ".join(part for part in parts if part)
