"""Errors: what ends a command, as a sentence for the person at the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager


class SendensedError(Exception):
    """What happened, on what, and what to do next. Printed without a stack; exit code 1."""

    exit_code = 1


class ConfigError(SendensedError):
    """The command line or the configuration is wrong; nothing was started. Exit code 2."""

    exit_code = 2


class Partial(SendensedError):
    """Of several things asked for some were done, and some were not. Exit code 3."""

    exit_code = 3


class HubUnreachable(SendensedError):
    """No hub answers at the address. Exit code 8."""

    exit_code = 8


class Denied(SendensedError):
    """The hub wants a token, or one with another role. Exit code 7."""

    exit_code = 7


class NotFound(SendensedError):
    """The hub knows no such thing. Exit code 6."""

    exit_code = 6


class Unwritable(OSError):
    """Standard output takes no more: its reader, disk or terminal is gone. Of the commands' own output alone: a
    broken pipe to a hub or a database is another matter."""


@contextmanager
def unwrapped() -> Iterator[None]:
    """Lets a SendensedError, Ctrl-C or Unwritable come out of a nursery's exception group by itself.

    A group that holds anything else besides is a bug and passes as it is.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        known = (SendensedError, KeyboardInterrupt, Unwritable)
        if group.split(known)[1] is not None:
            raise
        raise _first_leaf(group) from None


def _first_leaf(error: BaseException) -> BaseException:
    return _first_leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
