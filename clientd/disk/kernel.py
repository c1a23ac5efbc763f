"""Kernel: the calls that Python's os module lacks: fallocate, sync_file_range, and statx for a file's birth.

Each is asked for once; where the C library has none, callers take their other way.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from typing import Any

FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02
SYNC_FILE_RANGE_WRITE = 0x02
STATX_BTIME = 0x800
AT_EMPTY_PATH = 0x1000

CANNOT = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.EPERM})
"""What a call answers where file system or device do not know it, or not for this alignment."""

_libc = ctypes.CDLL(None, use_errno=True)
_INT = ctypes.c_int
_OFFSET = ctypes.c_int64
_PROTOTYPES: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "fallocate": (_INT, _INT, _OFFSET, _OFFSET),
    "sync_file_range": (_INT, _OFFSET, _OFFSET, ctypes.c_uint),
    "statx": (_INT, ctypes.c_char_p, _INT, ctypes.c_uint, ctypes.c_void_p),
}
_STATX = struct.Struct("=I76xqI164x")
"""What it tells (a mask); seconds and nanoseconds of the birth; as statx(2) has it, in 256 bytes."""


def punch_hole(descriptor: int, offset: int, length: int) -> bool:
    """Makes the range read as zeros and gives its blocks back. False, and nothing done, where it cannot be.

    Works on files, and on block devices in whole logical blocks. Raises OSError for a real failure.
    """
    return _call("fallocate", descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length)


def begin_writeback(descriptor: int, offset: int, length: int) -> bool:
    """Asks for the range's dirty pages to be written, without waiting. False where that cannot be done."""
    return _call("sync_file_range", descriptor, offset, length, SYNC_FILE_RANGE_WRITE)


def born(descriptor: int) -> int | None:
    """When the file was made, in nanoseconds since 1970. None where the file system does not tell.

    Raises OSError for a real failure.
    """
    told = ctypes.create_string_buffer(_STATX.size)
    if not _call("statx", descriptor, b"", AT_EMPTY_PATH, STATX_BTIME, ctypes.addressof(told)):
        return None
    mask, seconds, nanoseconds = _STATX.unpack(told.raw)
    return seconds * 10**9 + nanoseconds if mask & STATX_BTIME else None


def _call(name: str, descriptor: int, *arguments: int | bytes) -> bool:
    function = getattr(_libc, name, None)
    if function is None:
        return False
    kinds = _PROTOTYPES[name]
    values = [kind(value) for kind, value in zip(kinds, (descriptor, *arguments), strict=True)]
    while function(*values) != 0:
        number = ctypes.get_errno()
        if number in CANNOT:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True
