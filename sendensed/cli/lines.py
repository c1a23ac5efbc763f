"""Lines: one change of a job as one line, for people and for programs; and what is told of a feed that is lost."""

from collections.abc import Callable

import trio

from schemas.job import JobView
from sendensed.cli import output, words
from sendensed.cli.feed import Watched

_LOOK = 0.5
"""Seconds between two looks at the feed's state."""


def show(form: str) -> Callable[[JobView], None]:
    """What prints a change in this form."""
    return {"json": print_json, "ndjson": print_json, "name": print_name}.get(form, print_line)


def print_json(job: JobView) -> None:
    """The job, whole, as one JSON object."""
    print(output.json(job), flush=True)


def print_name(job: JobView) -> None:
    """Its id alone."""
    print(words.plain(job.id), flush=True)


def print_line(job: JobView) -> None:
    """A line for people."""
    print("  ".join([words.plain(job.id), *standing(job)]), flush=True)


def standing(job: JobView) -> list[str]:
    """How the job stands, in a few words each."""
    left = words.time_left(job)
    parts = [
        job.status,
        words.plain(job.current_phase),
        words.percent(job.progress_percent),
        words.copied(job),
        words.speed(job),
        f"{left} left" if job.eta_seconds else left,
        words.error(job),
    ]
    return [part for part in parts if part]


async def tell_losses(watched: Watched) -> None:
    """Says when the live feed is lost and when it is back, until cancelled."""
    lost = False
    while True:
        await trio.sleep(_LOOK)
        if lost != (watched.lost_at is not None):
            lost = not lost
            output.say(f"sendensed: {_LOST if lost else _BACK}")


_LOST = "the live feed is lost; it is tried again, and what is missed comes then"
_BACK = "the live feed is back"
