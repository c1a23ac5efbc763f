"""Asking: what commands ask the daemon over its socket. Blocking, without trio: a command starts quickly."""

import contextlib
import os
import socket
from pathlib import Path

from clientd.core import control
from clientd.core.control import Answer, Request
from clientd.errors import DaemonUnavailable, UsageError, printable, reason

_PART = 256 * 1024
_PATIENCE = 30.0
"""Seconds for each step: longer than the daemon takes for the disks, and for the queue's."""


def ask(path: Path, request: Request) -> Answer:
    """The daemon's answer. Raises DaemonUnavailable where none comes, UsageError where none can."""
    name = f"'{printable(str(path))}'"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as way:
            way.settimeout(_PATIENCE)
            way.connect(os.fspath(path))
            with contextlib.suppress(
                BrokenPipeError, ConnectionResetError
            ):  # a daemon that is too busy says so without reading
                way.sendall(control.encode(request) + b"\n")
            return control.answer(_line(way))
    except (FileNotFoundError, ConnectionRefusedError):
        raise DaemonUnavailable(
            f"no clientd serves at {name}: start it with clientd serve, or name its socket with --socket"
        ) from None
    except TimeoutError:
        raise DaemonUnavailable(
            f"clientd at {name} does not answer within {_PATIENCE:g} s: look at its log"
        ) from None
    except OSError as error:
        if error.errno is None:  # Python's own, of a path that no socket can have
            raise UsageError(f"{name} is no path of a socket ({error}): name its own with --socket") from None
        raise DaemonUnavailable(f"clientd at {name} cannot be asked: {reason(error)}: look at its log") from None
    except ValueError:
        raise DaemonUnavailable(f"what answers at {name} is no clientd of this version: look what it is") from None


def _line(way: socket.socket) -> bytes:
    """Up to the line's end. Raises ValueError where there is none."""
    parts, size = [], 0
    while size <= control.LONGEST_ANSWER:
        part = way.recv(_PART)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
    raise ValueError
