"""Appliances: lists who sends telemetry: version, last heard, clock, and what waits there."""

import argparse

from sendensed.cli import columns, hub, output


def run(options: argparse.Namespace) -> int:
    """Prints all appliances. Returns 0, also where there are none. Raises SendensedError."""
    with hub.of(options) as asked:
        appliances = asked.appliances().appliances
    rows = output.ordered(columns.APPLIANCES, appliances, options.sort_by, reverse=options.reverse)
    output.write(columns.APPLIANCES, rows, asked.now, options.output, headers=not options.no_headers)
    if not rows:
        output.say("no appliances yet: one is known, seconds later, by the first telemetry that it sends")
    return 0
