"""Events: what happened to jobs, in order of time: who said it, and on what evidence."""

import argparse

from sendensed.cli import columns, hub, output, select, several
from sendensed.cli.columns import Told
from sendensed.cli.jobs import clock_of


def run(options: argparse.Namespace) -> int:
    """Prints the events of the jobs named, or of those selected that were heard last. Raises SendensedError."""
    rows: list[Told] = []
    with hub.of(options) as asked:
        wanted = select.of(options, clock_of(asked))
        names, more = list(options.id), False
        if not names:
            jobs, more = asked.jobs([*wanted.query(), ("sort", "heard")], options.limit)
            names = [job.id for job in jobs]

        def read(job_id: str) -> None:
            detail = asked.job(job_id)
            rows.extend(columns.told(job_id, event) for event in detail.events)

        try:
            code = several.each(names, read, "read")
        finally:
            ordered = output.ordered(columns.EVENTS, rows, options.sort_by, reverse=options.reverse)
            output.write(columns.EVENTS, ordered, asked.now, options.output, headers=not options.no_headers)
    if not names:
        output.say("no jobs yet" if wanted.is_all else "no job matches")
    if more:
        output.say(f"there are more: these are of the {len(names)} jobs heard last; --limit N shows more")
    return code
