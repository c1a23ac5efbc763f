"""Changes: reads an extents file from disk."""

from clientd.core import changes
from clientd.core.changes import ChangesInvalid
from clientd.core.extents import Extent
from clientd.errors import DiskError


def read(path: str) -> list[Extent]:
    """The changed ranges that the file names, as they come. Raises DiskError."""
    try:
        with open(path, "rb") as file:
            return changes.parse(iter(lambda: file.readline(changes.LINE + 1), b""))
    except OSError as error:
        raise DiskError.of(error, path, "reading the changes in", final=True) from None
    except ChangesInvalid as error:
        raise DiskError(path, "reading the changes in", None, str(error)) from None
