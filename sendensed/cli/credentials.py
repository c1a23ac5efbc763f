"""Credentials: the token that a command shows to the hub; and files that only their owner reads."""

import os
import stat
from typing import TYPE_CHECKING

from sendensed.errors import ConfigError, SendensedError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "SENDENSE_TOKEN_FILE"


def own_file() -> str:
    """Where a user keeps the token of his own."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(folder, "sendense", "token")


def token(given: str | None) -> str | None:
    """The token of `--token-file`, else of $SENDENSE_TOKEN_FILE, else the user's own; None where there is none.

    Raises ConfigError for a file that cannot be read, that others may read, or without a token.
    """
    named = given or os.environ.get(VARIABLE)
    if named is None and not os.path.exists(own_file()):
        return None
    path = named or own_file()
    try:
        with open(path, encoding="ascii") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
                raise ConfigError(f"the token file {path} is open to others: run chmod 600 on it")
            found = file.read(4096).strip()
    except OSError as error:
        raise ConfigError(f"the token file {path} cannot be read: {error.strerror}; check its path") from None
    except UnicodeError:
        found = ""
    if not found or not found.isprintable() or " " in found:
        raise ConfigError(f"the token file {path} holds no token: put one line with it there")
    return found


def keep(path: "Path", text: str) -> None:
    """Writes a secret to a new file, 0600. Raises SendensedError, also where there is such a file already."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")
    except OSError as error:
        raise SendensedError(f"the token cannot be written to {path}: {error.strerror}") from None
