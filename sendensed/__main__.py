"""Main: the command line of sendensed. What a command needs is imported when it runs."""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from sendensed.cli import parser, terminal
from sendensed.errors import SendensedError, Unwritable

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. docs/cli.md lists them.

    A reader of standard output that went away ends it quietly.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    terminal.set_up_output()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except SendensedError as error:
        terminal.talk(f"sendensed: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Unwritable as error:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the interpreter would try again at its end
        if error.errno == errno.EPIPE:
            return 0
        terminal.talk(f"sendensed: standard output cannot be written: {error.strerror}; part of it is missing")
        return SendensedError.exit_code
    return code


def _run(arguments: Sequence[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    whole = parser.parser(parser.command_in(words))
    options = whole.parse_args(words)
    if options.command is None:
        whole.print_help(sys.stderr)
        return 2
    if options.command != "completion":
        _import_msgspec()
    result: int = import_module(f"sendensed.cli.{options.command.lstrip('_')}").run(options)
    return result


def _import_msgspec() -> None:
    """Imports msgspec without typing_extensions, which it uses where that is there: it takes longer to import.

    All that msgspec would use of it is in this Python's own typing. Whoever imports it later gets it.
    """
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment] # what Python heeds as "cannot be imported"
    try:
        import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]


if __name__ == "__main__":
    sys.exit(main())
