"""Cancel: asks jobs to stop."""

import argparse

from sendensed.cli import hub, several, words


def run(options: argparse.Namespace) -> int:
    """Returns 0 where all are cancelled, or will be when their sender hears of it. Raises SendensedError."""
    with hub.of(options) as asked:

        def cancel(job_id: str) -> None:
            answer = asked.cancel(job_id)
            before = f"{words.plain(job_id)}: " if len(options.id) > 1 else ""
            if answer.status == "cancelled":
                print(f"{before}cancelled")
            else:
                print(f"{before}asked to stop; it is cancelled when its sender says so, seconds from now")

        return several.each(options.id, cancel, "asked to stop")
