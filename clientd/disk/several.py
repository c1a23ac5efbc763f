"""Several: requests to a disk that count as one."""

from collections.abc import Sequence

from clientd.disk.protocol import Pending
from clientd.errors import DiskError


class Several:
    """Requests that count as one."""

    def __init__(self, pendings: Sequence[Pending]) -> None:
        self._pendings = pendings

    def wait(self) -> None:
        """For all of them, whatever happens. Raises the first DiskError."""
        first: DiskError | None = None
        for pending in self._pendings:
            try:
                pending.wait()
            except DiskError as error:
                first = first or error
        if first is not None:
            raise first
