"""Jobs: lists the hub's jobs."""

import argparse
import sys

from schemas import codec
from sendensed.cli import credentials, hub, words


def run(options: argparse.Namespace) -> int:
    """Prints the jobs, newest first. Returns 0, also where there are none."""
    query = [("limit", str(options.limit)), *(("status", status) for status in options.status)]
    if options.type:
        query.append(("type", options.type))
    jobs = hub.jobs(options.hub, query, credentials.token(options.token_file)).jobs
    if options.json:
        for job in jobs:
            print(codec.encode(job).decode())
        return 0
    if not jobs and (options.status or options.type):
        print("no job matches", file=sys.stderr)
        return 0
    if not jobs:
        print(
            f"no jobs yet; send one: clientd run --job-id ID --disk SOURCE=TARGET --hub {options.hub}",
            file=sys.stderr,
        )
        return 0
    rows = [
        (
            words.machine(job),
            job.job_type,
            job.status,
            words.percent(job.progress_percent),
            words.copied(job),
            words.speed(job),
            words.time_left(job),
            words.plain(job.id),
        )
        for job in jobs
    ]
    header = ("MACHINE", "TYPE", "STATE", "DONE", "COPIED", "SPEED", "LEFT", "ID")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0
