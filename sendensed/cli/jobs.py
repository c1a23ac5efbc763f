"""Jobs: lists the hub's jobs."""

import argparse
from collections.abc import Callable
from datetime import datetime

from sendensed.cli import columns, hub, output, select
from sendensed.cli.hub import Hub

_BY_THE_HUB = frozenset({"created", "started", "completed", "heard", "bytes", "duration"})
"""Orders that the hub keeps for all of its jobs; by any other the newest are ordered here."""


def run(options: argparse.Namespace) -> int:
    """Prints the jobs. Returns 0, also where there are none. Raises SendensedError."""
    with hub.of(options) as asked:
        wanted = select.of(options, clock_of(asked))
        by_hub = options.sort_by in _BY_THE_HUB
        order = [("sort", options.sort_by), ("order", "asc" if options.reverse else "desc")] if by_hub else []
        jobs, more = asked.jobs([*wanted.query(), *order], options.limit)
    if not by_hub:
        jobs = output.ordered(columns.JOBS, jobs, options.sort_by, reverse=options.reverse)
    output.write(columns.JOBS, jobs, asked.now, options.output, headers=not options.no_headers)
    if not jobs and wanted.is_all:
        output.say(f"no jobs yet; send one: clientd run --job-id ID --disk SOURCE=TARGET --hub {options.hub}")
    elif not jobs:
        output.say("no job matches")
    elif more:
        which = "first by that order" if by_hub and (options.sort_by != "created" or options.reverse) else "newest"
        output.say(f"there are more: these are the {len(jobs)} {which}; --limit N shows more")
    return 0


def clock_of(asked: Hub) -> Callable[[], datetime]:
    """The hub's own clock, asked when it is needed."""
    return lambda: asked.now or asked.health().time
