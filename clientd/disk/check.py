"""Check: what can be seen to be wrong with an order before anything is touched.

Each problem is a sentence: what is wrong, on what, and what to do next.
"""

import os
import stat
from collections.abc import Sequence

from clientd.core import address
from clientd.core.address import is_uri
from clientd.core.order import DiskOrder
from clientd.errors import UsageError, printable, reason

_Key = tuple[int, ...] | str
"""Of a disk: two names with the same one are the same disk."""


def check(disks: Sequence[DiskOrder]) -> None:
    """Raises UsageError for the first disk that cannot be copied. Opens sources, writes nothing.

    What an NBD server or a source's command has to say is learned when it is asked.
    """
    addresses = {name: _address(name) for disk in disks for name in (disk.source, disk.target)}
    sources: dict[_Key, str] = {}
    targets: dict[_Key, str] = {}
    for disk in disks:
        for path in (disk.source_secret, disk.changes):
            if path.startswith("/"):
                _check_readable(path)
        if disk.source:
            sources[addresses[disk.source] or _check_source(disk.source)] = disk.source
    for disk in disks:
        target = disk.target
        key = addresses[target] or _check_target(disk.source, target) or os.path.realpath(target)
        if key in targets:
            raise UsageError(
                f"the target {_name(target)} is named twice (also as {_name(targets[key])}): "
                "give every disk a target of its own"
            )
        if key in sources:
            raise UsageError(
                f"the target {_name(target)} is the source {_name(sources[key])} itself: "
                "name another target, or the source would be overwritten"
            )
        targets[key] = target


def _address(name: str) -> str:
    """The same for all spellings of an NBD address; '' for a path."""
    try:
        found = address.find(name)
    except address.Impossible as error:
        raise UsageError(printable(str(error))) from None
    return found.name if found is not None else ""


def _check_readable(path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise UsageError(f"the file {_name(path)} cannot be read: {reason(error)}: check its path") from None


def _check_source(path: str) -> _Key:
    try:
        there = os.stat(path)
        _refuse_odd(path, there.st_mode, "source")
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise UsageError(f"the source {_name(path)} cannot be read: {reason(error)}: check its path") from None
    return _key(there)


def _check_target(source: str, path: str) -> _Key | None:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        _check_new(path)
        return None
    except OSError as error:
        raise UsageError(f"the target {_name(path)} cannot be used: {reason(error)}: name another") from None
    _refuse_odd(path, there.st_mode, "target")
    if stat.S_ISREG(there.st_mode) and os.path.islink(path):
        raise UsageError(f"the target {_name(path)} is a symbolic link: name the file that it points to")
    if not os.access(path, os.W_OK):
        raise UsageError(f"the target {_name(path)} may not be written: change its mode, or name another")
    if stat.S_ISBLK(there.st_mode) and source and not is_uri(source):
        _check_room(source, path)
    return _key(there)


def _check_new(path: str) -> None:
    parent = os.path.dirname(path) or "."
    if os.path.islink(path):
        raise UsageError(f"the target {_name(path)} is a symbolic link to nothing: name the file itself")
    if path.endswith("/"):
        raise UsageError(f"the target {_name(path)} is a directory's name: name a file in it")
    if not os.path.isdir(parent):
        raise UsageError(f"the target {_name(path)} has no directory to lie in: create {_name(parent)} first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(
            f"the target {_name(path)} may not be created in {_name(parent)}: change its mode, or name another"
        )


def _check_room(source: str, path: str) -> None:
    wanted, there = _size(source, 0), _size(path, os.O_EXCL)  # exclusively: refused where it is mounted
    if there < wanted:
        raise UsageError(
            f"the block device {_name(path)} has {there} bytes, the source {_name(source)} has {wanted}: "
            "name a larger device"
        )


def _size(path: str, flags: int) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    except OSError as error:
        raise UsageError(f"{_name(path)} cannot be opened: {reason(error)}: check who uses it") from None
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def _refuse_odd(path: str, mode: int, role: str) -> None:
    if stat.S_ISDIR(mode):
        raise UsageError(f"the {role} {_name(path)} is a directory: name a raw image file or a block device")
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise UsageError(f"the {role} {_name(path)} is neither a file nor a block device: name one of these")


def _key(there: os.stat_result) -> _Key:
    return (there.st_rdev,) if stat.S_ISBLK(there.st_mode) else (there.st_dev, there.st_ino)


def _name(path: str) -> str:
    return f"'{printable(path)}'"
