"""Looking: at the disks of an order, as the doctor does: opened where that changes nothing, and let go of."""

import contextlib
import os
import shutil
import subprocess

from msgspec.structs import replace

from clientd.core.address import is_uri
from clientd.core.doctor import Disk
from clientd.core.order import DiskOrder, Order
from clientd.disk import check, protocol
from clientd.errors import DiskError, UsageError, printable, reason

_PATIENCE = 10.0
"""Seconds for nbdkit to say its version."""
_BLOCK = 512
"""Bytes of one of a file's blocks, as stat counts them."""


def nbdkit() -> str | None:
    """What nbdkit says of itself; None where it cannot be run. Blocks."""
    program = shutil.which("nbdkit")
    if program is None:
        return None
    try:
        said = subprocess.run([program, "--version"], capture_output=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return printable(said.stdout.decode(errors="replace").strip()[:200])


def look(order: Order, disks: protocol.Disks) -> list[Disk]:
    """Both ends of every disk. Blocks; writes nothing: of a file that is a target only its place is looked at."""
    found = []
    for asked in order.disks:
        source = _source(asked, disks)
        found += [source, _target(asked, disks, source.size)]
    try:
        check.check(order.disks)
    except UsageError as error:
        if not any(disk.error for disk in found):
            first = order.disks[0]
            found.append(Disk(index=first.index, role="target", name=printable(first.target), error=str(error)))
    return found


def _source(asked: DiskOrder, disks: protocol.Disks) -> Disk:
    name = printable(asked.name)
    try:
        if asked.source:
            disk = disks.source(asked.source, asked.bitmap)
        else:
            disk = disks.command(asked.source_command, asked.source_secret, asked.bitmap)
    except DiskError as error:
        return Disk(index=asked.index, role="source", name=name, error=_with(error, "look at the source"))
    size = disk.size
    _let_go(disk)
    return Disk(index=asked.index, role="source", name=name, size=size)


def _with(error: DiskError, advice: str) -> str:
    return str(error) if error.advice else f"{error}: {advice}"


def _target(asked: DiskOrder, disks: protocol.Disks, size: int | None) -> Disk:
    name = printable(asked.target)
    if is_uri(asked.target):
        try:
            disk = disks.target(asked.target, size or 0, keep=True)
        except DiskError as error:
            return Disk(index=asked.index, role="target", name=name, error=_with(error, "look at the server"))
        there = disk.size
        _let_go(disk)
        return Disk(index=asked.index, role="target", name=name, size=there)
    try:
        told = size is None  # what is wrong with the source is said already
        seen = replace(asked, source="", changes="", source_secret="") if told else asked
        check.check([seen])
        return Disk(index=asked.index, role="target", name=name, free=_free(asked.target))
    except UsageError as error:
        return Disk(index=asked.index, role="target", name=name, error=str(error))
    except OSError as error:
        return Disk(
            index=asked.index, role="target", name=name, error=f"{name}: {reason(error)}: look at its place"
        )


def _free(path: str) -> int | None:
    """Bytes that a file there may come to have; None for a device."""
    if os.path.exists(path) and not os.path.isfile(path):
        return None
    room = os.statvfs(os.path.dirname(path) or ".")
    there = os.stat(path).st_blocks * _BLOCK if os.path.exists(path) else 0
    return room.f_bavail * room.f_frsize + there


def _let_go(disk: protocol.Disk) -> None:
    with contextlib.suppress(DiskError):  # it was only looked at
        disk.close()
