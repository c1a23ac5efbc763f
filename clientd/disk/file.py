"""File: raw image files and block devices.

A source is opened read-only. A target file is emptied and set to its size, so that it is one hole and zeros need
no writing; a block device keeps its size and its old content, so that zeros must be made. Targets are claimed:
a file that another copy is writing, and a device that is mounted or otherwise in use, are refused.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator

from clientd.advice import LIVE
from clientd.core.extents import Extent
from clientd.disk import kernel
from clientd.disk.direct import DirectLane
from clientd.errors import DiskError

_ZEROS = memoryview(bytes(1024 * 1024))
_HOLES_UNKNOWN = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY, errno.ESPIPE})


class FileDisks:
    """Opens files and block devices by path."""

    def source(self, name: str, bitmap: str = "") -> "FileDisk":
        """An existing file or block device, for reading."""
        return _open(name, os.O_RDONLY, None)

    def target(self, name: str, size: int, *, keep: bool = False) -> "FileDisk":
        """A file, made with mode 0600 where there is none; or a block device.

        A file that is there is emptied. With `keep` it must be there, and is only brought to its size.

        A file that another copy has open as its target is refused and keeps its content.

        A symbolic link is followed to a block device only: a link in the way of a new file is refused by the
        kernel. Raises DiskError for a device smaller than `size`.
        """
        if _is_block_device(name):
            return _open(name, os.O_RDWR | os.O_EXCL, size)
        making = 0 if keep else os.O_CREAT
        return _open(name, os.O_RDWR | making | os.O_NOFOLLOW, size, keep=keep)


class FileDisk:
    """An open file or block device. Every call names its own offset, so threads share the descriptor."""

    def __init__(
        self,
        descriptor: int,
        path: str,
        size: int,
        *,
        block_device: bool,
        target: bool,
        fresh: bool,
        found: int | None = None,
    ) -> None:
        """`found` is the size that the disk had when it was opened, where it was brought to another one."""
        self._descriptor = descriptor
        self._path = path
        self._size = size
        self._block_device = block_device
        self._target = target
        self._fresh = fresh
        self._found = size if found is None else found
        self._unlisted = target and not block_device

    @property
    def path(self) -> str:
        """As it was given."""
        return self._path

    @property
    def size(self) -> int:
        """Bytes, as of its opening."""
        return self._size

    @property
    def fresh(self) -> bool:
        """True for a target file, which was emptied."""
        return self._fresh

    @property
    def block(self) -> int:
        """A file may be cut anywhere, and so may what goes to a device through the page cache."""
        return 1

    @property
    def identity(self) -> str:
        """The file or the device, and its size; when the file was made, for its number may be that of one before.

        The size is that which a kept target had: one that was cut or written on is no longer what it was.
        """
        try:
            there, made = os.fstat(self._descriptor), kernel.born(self._descriptor)
        except OSError as error:
            raise DiskError.of(error, self._path, "looking at") from None
        if self._block_device:
            return f"device={there.st_rdev} size={self._size}"
        return f"file={there.st_dev}:{there.st_ino} made={made} size={self._found}"

    @property
    def version(self) -> str | None:
        """A file's time of last modification; a block device tells nothing."""
        return None if self._block_device else f"mtime={os.fstat(self._descriptor).st_mtime_ns}"

    @property
    def request(self) -> int:
        """There is no server."""
        return 0

    @property
    def far(self) -> bool:
        """There is no server."""
        return False

    @property
    def network(self) -> float:
        """There is no server."""
        return 0.0

    @property
    def said(self) -> str:
        """Nothing: there is no server of its own."""
        return ""

    def lane(self) -> DirectLane:
        """Onto the one descriptor."""
        return DirectLane(self)

    def changed(self, offset: int, length: int) -> None:
        """A file has no dirty bitmap."""

    def extents(self, offset: int, length: int) -> Iterator[Extent]:
        """By SEEK_DATA and SEEK_HOLE; all data where these are not known, as on block devices."""
        stop = offset + length
        while offset < stop:
            data = stop if self._block_device else self._seek(offset, os.SEEK_DATA, stop)
            if self._block_device or data is None:
                yield Extent(offset, stop - offset)
                return
            if offset < data:
                yield Extent(offset, data - offset, zero=True)
            if data >= stop:
                return
            hole = self._seek(data, os.SEEK_HOLE, stop)
            offset = hole if hole is not None and hole > data else stop
            yield Extent(data, offset - data)

    def measure(self) -> int:
        """By seeking its end."""
        try:
            return os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError as error:
            raise DiskError.of(error, self._path, "measuring") from None

    def read_into(self, offset: int, view: memoryview) -> None:
        """By preadv, again after a short read."""
        done = 0
        while done < len(view):
            try:
                count = os.preadv(self._descriptor, [view[done:]], offset + done)
            except OSError as error:
                raise DiskError.of(error, self._path, "reading", offset + done) from None
            if count == 0:
                cause = f"it ends there, though it had {self._size} bytes when the copy began"
                raise DiskError(self._path, "reading", offset + done, cause, advice=LIVE)
            done += count

    def write(self, offset: int, view: memoryview) -> None:
        """By pwrite, again after a short write."""
        done = 0
        while done < len(view):
            try:
                done += os.pwrite(self._descriptor, view[done:], offset + done)
            except OSError as error:
                raise DiskError.of(error, self._path, "writing", offset + done) from None

    def zero(self, offset: int, length: int) -> None:
        """By punching a hole, or by writing zeros where that cannot be done."""
        try:
            if kernel.punch_hole(self._descriptor, offset, length):
                return
        except OSError as error:
            raise DiskError.of(error, self._path, "zeroing", offset) from None
        for start in range(offset, offset + length, len(_ZEROS)):
            self.write(start, _ZEROS[: offset + length - start])

    def settle(self, offset: int, length: int) -> None:
        """Begins writing the range back. A failure shows in `flush`, where it counts."""
        try:
            kernel.begin_writeback(self._descriptor, offset, length)
        except OSError:
            return

    def flush(self) -> None:
        """By fsync, of a target file's directory as well: a new file must be found after a crash."""
        try:
            os.fsync(self._descriptor)
            if self._unlisted:
                _flush_directory(os.path.dirname(self._path) or ".")
                self._unlisted = False
        except OSError as error:  # never passing: the kernel tells once, and a second try would find nothing wrong
            raise DiskError.of(error, self._path, "flushing", final=True) from None

    def renew(self) -> None:
        """There is no connection to lose."""

    def forget(self) -> None:
        """Lets the kernel drop what it has cached, which must be flushed."""
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Closes the descriptor."""
        try:
            os.close(self._descriptor)
        except OSError as error:
            raise DiskError.of(error, self._path, "closing") from None

    def _seek(self, offset: int, whence: int, stop: int) -> int | None:
        """The place sought, `stop` at most; None where the file system cannot tell."""
        try:
            return min(os.lseek(self._descriptor, offset, whence), stop)
        except OSError as error:
            if error.errno == errno.ENXIO and self.measure() >= stop:
                return stop
            if error.errno in _HOLES_UNKNOWN:
                return None
            raise DiskError.of(error, self._path, "mapping", offset) from None


def _open(path: str, flags: int, target_size: int | None, *, keep: bool = False) -> FileDisk:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DiskError.of(error, path, "opening") from None
    try:
        return _opened(descriptor, path, target_size, keep=keep)
    except OSError as error:
        os.close(descriptor)
        raise DiskError.of(error, path, "opening") from None
    except DiskError:
        os.close(descriptor)
        raise


def _opened(descriptor: int, path: str, target_size: int | None, *, keep: bool) -> FileDisk:
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise DiskError(path, "opening", None, "it is neither a file nor a block device: name one of these")
    device = stat.S_ISBLK(mode)
    found = None
    if target_size is not None and not device:
        _claim(descriptor, path)
        if keep:
            found = os.fstat(descriptor).st_size
        else:
            os.ftruncate(descriptor, 0)
        os.ftruncate(descriptor, target_size)
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if target_size is not None and size < target_size:
        raise DiskError.too_small(path, size, target_size)
    target = target_size is not None
    fresh = target and not device and not keep
    return FileDisk(descriptor, path, size, block_device=device, target=target, fresh=fresh, found=found)


def _claim(descriptor: int, path: str) -> None:
    """Until it is closed, no other copy gets this file as its target. Some file systems cannot tell."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DiskError(path, "opening", None, "another process is writing it: wait for its end (fuser)") from None
    except OSError:
        return


def _flush_directory(path: str) -> None:
    """Raises OSError. Where a directory may not be opened, or cannot be flushed, nothing is to be done."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _is_block_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False
