"""Main: the command line of sendensed. What a command needs is imported when it runs."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from sendensed.cli import parser
from sendensed.errors import SendensedError

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. docs/cli.md lists them.

    A reader of standard output that went away ends it quietly.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that knows few signs is no reason to fail
            stream.reconfigure(errors="replace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except SendensedError as error:
        sys.stderr.write(f"sendensed: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(arguments: Sequence[str] | None) -> int:
    whole = parser.parser()
    options = whole.parse_args(arguments)
    if options.command is None:
        whole.print_help(sys.stderr)
        return 2
    result: int = import_module(f"sendensed.cli.{options.command.lstrip('_')}").run(options)
    return result


if __name__ == "__main__":
    sys.exit(main())
