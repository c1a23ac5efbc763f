"""Main: the `clientd` command. What a command needs is imported when it runs, so that `--help` is quick."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from clientd.cli import parser
from clientd.errors import DaemonUnavailable, UsageError
from schemas import __version__

USAGE = 2
"""Exit code for an order that cannot be carried out."""

NO_DAEMON = 3
"""Exit code where no daemon answers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code is the answer."""
    if sys.stderr is None:  # closed by whoever started us: without a stand-in, a disk could get its number
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    try:
        return _command(arguments)
    except UsageError as error:
        print(f"clientd: {error}", file=sys.stderr)  # noqa: T201 - said before there are logs
        return USAGE
    except DaemonUnavailable as error:
        print(f"clientd: {error}", file=sys.stderr)  # noqa: T201 - said without logs
        return NO_DAEMON
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _command(arguments: Sequence[str] | None) -> int:
    whole = parser.parser()
    parsed = whole.parse_args(arguments)
    if parsed.version:
        print(f"clientd {__version__}")  # noqa: T201 - the answer itself
        return 0
    if parsed.command is None:
        whole.print_help()
        return USAGE
    return _carry_out(parsed)


def _carry_out(parsed: argparse.Namespace) -> int:
    """Imports late: most commands bring trio, httpx and structlog, and some need none of them."""
    match parsed.command:
        case "submit" | "list" | "cancel":
            from clientd.cli import asked

            return {"submit": asked.submit, "list": asked.show, "cancel": asked.cancel}[parsed.command](parsed)
        case "serve":
            from clientd.cli import serve

            return serve.run(parsed)
        case "doctor":
            from clientd.cli import doctor

            return doctor.run(parsed)
        case "flush":
            from clientd.cli import flush

            return flush.run(parsed)
    from clientd.cli import run

    return run.run(parsed)


if __name__ == "__main__":
    sys.exit(main())
