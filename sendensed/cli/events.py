"""Events: what happened to jobs, in order of time: who said it, and on what evidence."""

import argparse

from schemas.job import JobDetail
from sendensed.cli import columns, hub, output, select, several, words
from sendensed.cli.columns import Told
from sendensed.cli.jobs import clock_of
from sendensed.errors import ConfigError


def run(options: argparse.Namespace) -> int:
    """Prints the events of the jobs named, or of those selected that were heard last. Raises SendensedError.

    With `--follow` what happens from then on as well, until interrupted.
    """
    if options.follow and (options.sort_by != "time" or options.reverse):
        raise ConfigError("--follow tells what happens in order of time: leave out --sort-by and --reverse")
    rows: list[Told] = []
    details: list[JobDetail] = []
    with hub.of(options) as asked:
        wanted = select.of(options, clock_of(asked))
        since = clock_of(asked)() if options.follow else None
        names, more = list(options.id), False
        if not names:
            jobs, more = asked.jobs([*wanted.query(), ("sort", "heard")], options.limit)
            names = [job.id for job in jobs]

        def read(job_id: str) -> None:
            detail = asked.job(job_id)
            details.append(detail)
            rows.extend(columns.told(job_id, event) for event in detail.events)

        if since is not None:
            from sendensed.cli import tail

            several.each(names, read, "read")
            return tail.run(options, asked, wanted, details, since)
        try:
            code = several.each(names, read, "read")
        finally:
            ordered = output.ordered(columns.EVENTS, rows, options.sort_by, reverse=options.reverse)
            output.write(columns.EVENTS, ordered, asked.now, options.output, headers=not options.no_headers)
    if not names:
        output.say("no jobs yet" if wanted.is_all else "no job matches")
    if more:
        output.say(
            f"there are more: these are of the {words.count(len(names), 'job')} heard last; --limit N shows more"
        )
    return code
