"""Cancel: asks a job to stop."""

import argparse

from sendensed.cli import credentials, hub


def run(options: argparse.Namespace) -> int:
    """Returns 0 where the job is cancelled, or will be when its sender hears of it. Raises SendensedError."""
    answer = hub.cancel(options.hub, options.id, credentials.token(options.token_file))
    if answer.status == "cancelled":
        print("cancelled")
    else:
        print("asked to stop; the job is cancelled when its sender says so, seconds from now")
    return 0
