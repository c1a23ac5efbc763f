"""Opening: disks by whatever an order names: a path, an NBD URI, or a command that serves one."""

from collections.abc import Sequence

from clientd.config import NbdSettings
from clientd.core import address
from clientd.core.address import Address, is_uri
from clientd.disk.command import CommandDisk
from clientd.disk.file import FileDisk, FileDisks
from clientd.disk.nbd.disk import NbdDisk
from clientd.errors import DiskError, printable

_FILES = FileDisks()


class SystemDisks:
    """The machine's own files and devices, and what NBD servers export."""

    def __init__(self, settings: NbdSettings) -> None:
        self._settings = settings

    def source(self, name: str, bitmap: str = "") -> "FileDisk | NbdDisk":
        """For reading. A file has no dirty bitmap."""
        if is_uri(name):
            return NbdDisk(_address(name), self._settings, writable=False, bitmap=bitmap)
        return _FILES.source(name)

    def command(self, arguments: Sequence[str], secret: str, bitmap: str = "") -> CommandDisk:
        """For reading, from an nbdkit of its own."""
        return CommandDisk(arguments, secret, self._settings, bitmap)

    def target(self, name: str, size: int, *, keep: bool = False) -> "FileDisk | NbdDisk":
        """For writing. An export keeps its size and content; one that is too small is refused."""
        if not is_uri(name):
            return _FILES.target(name, size, keep=keep)
        disk = NbdDisk(_address(name), self._settings, writable=True)
        if disk.size < size:
            disk.close()
            raise DiskError.too_small(disk.path, disk.size, size)
        return disk


def _address(name: str) -> Address:
    try:
        return address.parse(name)
    except address.Impossible as error:
        raise DiskError(name, "opening", None, printable(str(error))) from None
