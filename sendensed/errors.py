"""Errors: what ends a command, as a sentence for the person at the terminal."""


class SendensedError(Exception):
    """What happened, on what, and what to do next. Printed without a stack; exit code 1."""

    exit_code = 1


class ConfigError(SendensedError):
    """The command line or the configuration is wrong; nothing was started. Exit code 2."""

    exit_code = 2


class HubUnreachable(SendensedError):
    """No hub answers at the address. Exit code 8."""

    exit_code = 8


class NotFound(SendensedError):
    """The hub knows no such thing. Exit code 6."""

    exit_code = 6
