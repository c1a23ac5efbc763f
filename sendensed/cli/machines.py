"""Machines: lists the machines that backups came from, over their newest runs."""

import argparse

from sendensed.cli import columns, hub, output


def run(options: argparse.Namespace) -> int:
    """Prints all machines. Returns 0, also where there are none. Raises SendensedError."""
    with hub.of(options) as asked:
        machines = list(asked.machines(options.q))
    rows = output.ordered(columns.MACHINES, machines, options.sort_by, reverse=options.reverse)
    output.write(columns.MACHINES, rows, asked.now, options.output, headers=not options.no_headers)
    if not rows and options.q:
        output.say("no machine matches")
    elif not rows:
        output.say("no machines yet: a job tells its machine by clientd run --vm-name, or by its id")
    return 0
