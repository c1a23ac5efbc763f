"""Files: job files as they lie on a disk."""

import os
import stat
from pathlib import Path

from clientd.core import jobfile
from clientd.core.order import Order
from clientd.errors import UsageError, printable, reason


def read(path: Path) -> Order:
    """The order of the job file. It is JSON if its name ends in `.json`, else TOML.

    Raises UsageError where it cannot be read or is wrong. Blocks, but never on anything other than a regular file.
    """
    name = f"the job file '{printable(str(path))}'"
    try:
        content = _content(path)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {reason(error)}: check its path") from None
    if content is None:
        raise UsageError(f"{name} is not a file: name one that holds the job as TOML or JSON")
    try:
        form: jobfile.Form = "json" if path.suffix.lower() == ".json" else "toml"
        return jobfile.parse(content, form, str(path.absolute().parent))
    except jobfile.Wrong as error:
        raise UsageError(f"{name} is wrong: {printable(str(error))}") from None


def _content(path: Path) -> bytes | None:
    """At most a byte more than a job file may have; None where it is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(jobfile.LARGEST + 1)
    finally:
        os.close(descriptor)
