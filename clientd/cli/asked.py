"""Asked: `clientd submit`, `list` and `cancel`: what the running daemon is asked, and how its answer is shown."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from clientd import files
from clientd.cli import options
from clientd.core import control, jobfile
from clientd.core.control import Answer, Cancel, JobView, ListJobs, Request, Submit
from clientd.errors import UsageError, printable
from clientd.net import asking
from clientd.state.directory import socket_path
from schemas.words import percent, size

REFUSED = 1
"""Exit code where the daemon does not do it."""

_HEADER = ("STATE", "PHASE", "DONE", "COPIED", "SPEED", "ATTEMPT", "ID", "ERROR")
_RIGHT = frozenset({"DONE", "SPEED", "ATTEMPT"})
_SPARE = ("ATTEMPT", "SPEED", "PHASE", "COPIED")
"""What a narrow terminal does without, the least wanted first; and the errors' column where there is none."""


def submit(arguments: argparse.Namespace) -> int:
    """0 when the job is durably in the queue. Raises UsageError for a wrong job file, DaemonUnavailable."""
    order = options.with_progress_id(files.read(Path(arguments.file)), os.environ)
    answer = _ask(arguments, Submit(msgspec.Raw(jobfile.write(order))))
    return _say(arguments, answer, lambda job: f"queued: {printable(job.job_id)}")


def cancel(arguments: argparse.Namespace) -> int:
    """0 when the job's end is certain. Raises DaemonUnavailable."""
    answer = _ask(arguments, Cancel(arguments.job_id))
    return _say(arguments, answer, lambda job: f"to be cancelled: {printable(job.job_id)}")


def show(arguments: argparse.Namespace) -> int:
    """0 when the jobs are shown, also where there are none. Raises DaemonUnavailable."""
    answer = _ask(arguments, ListJobs())
    if answer.error is None and not arguments.json:
        print(table(answer.jobs, _places()) if answer.jobs else "no jobs; give one: clientd submit FILE")
        return 0
    return _say(arguments, answer, lambda job: "")


def table(jobs: tuple[JobView, ...], places: int | None = None) -> str:
    """A line for each job; with as many columns as fit into `places` where the terminal has so many."""
    rows = [_HEADER, *(_row(job) for job in jobs)]
    widths = {name: max(len(row[at]) for row in rows) for at, name in enumerate(_HEADER)}
    if places is not None:
        spare = _SPARE if any(job.error for job in jobs) else ("ERROR", *_SPARE)
        for name in spare:
            if sum(widths.values()) + 2 * len(widths) - 2 > places:
                del widths[name]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: dict[str, int]) -> str:
    cells = (
        cell.rjust(widths[name]) if name in _RIGHT else cell.ljust(widths[name])
        for name, cell in zip(_HEADER, row, strict=True)
        if name in widths
    )
    return "  ".join(cells).rstrip()


def _places() -> int | None:
    """How wide the terminal behind standard output is; None where there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _row(job: JobView) -> tuple[str, ...]:
    done = "" if job.bytes_transferred is None else size(job.bytes_transferred)
    whole = "" if job.total_bytes is None else f" of {size(job.total_bytes)}"
    return (
        job.state,
        printable(job.phase or "-"),
        "-" if job.percent is None else percent(job.percent),
        f"{done}{whole}" or "-",
        f"{size(job.speed)}/s" if job.speed and job.state == "running" else "-",
        str(job.attempt or "-"),
        printable(job.job_id),
        printable(job.error or ""),
    )


def _ask(arguments: argparse.Namespace, request: Request) -> Answer:
    path = socket_path(arguments.socket, os.environ, root=os.geteuid() == 0)
    try:
        return asking.ask(path, request)
    except UnicodeEncodeError:
        raise UsageError("the job id is not valid UTF-8: name it as clientd list shows it") from None


def _say(arguments: argparse.Namespace, answer: Answer, words: Callable[[JobView], str]) -> int:
    if answer.error is not None:
        print(f"clientd: {printable(answer.error.sentence)}", file=sys.stderr)
        return REFUSED
    for job in answer.jobs:
        print(control.encode(job).decode() if arguments.json else words(job))
    return 0
