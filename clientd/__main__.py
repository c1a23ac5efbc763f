"""Main: the `clientd` command. What a command needs is imported when it runs, so that `--help` is quick."""

import os
import signal
import sys
from collections.abc import Sequence

from clientd.cli import parser
from clientd.errors import UsageError
from schemas import __version__

USAGE = 2
"""Exit code for an order that cannot be carried out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code is the answer."""
    if sys.stderr is None:  # closed by whoever started us: without a stand-in, a disk could get its number
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    try:
        return _command(arguments)
    except UsageError as error:
        print(f"clientd: {error}", file=sys.stderr)  # noqa: T201 - said before there are logs
        return USAGE
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
    from clientd.cli import flush, run  # late: they bring trio, httpx and structlog

    return {"run": run.run, "flush": flush.run}[parsed.command](parsed)


if __name__ == "__main__":
    sys.exit(main())
