"""Names: what a completion script asks of the hub, within a second or not at all."""

import argparse
from contextlib import suppress

from sendensed.cli import hub, words
from sendensed.errors import SendensedError

_PATIENCE = 1.0
"""Seconds: whoever pressed Tab waits."""
_MOST = 500
"""Jobs that are offered: the newest."""


def run(options: argparse.Namespace) -> int:
    """Prints the names, one a line, as far as the hub gives them. Returns 0; no complaint is in place here."""
    with suppress(SendensedError), hub.of(options, _PATIENCE) as asked:
        if options.kind == "jobs":
            found = [job.id for job in asked.jobs([], _MOST)[0]]
        elif options.kind == "machines":
            found = [machine.name for machine in asked.machines()]
        else:
            found = [appliance.name for appliance in asked.appliances().appliances]
        shown = [name for name in found if name == words.plain(name)]
        if shown:
            print("\n".join(shown))
    return 0
