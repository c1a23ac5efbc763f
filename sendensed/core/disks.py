"""Disks: how a job's disks take an update, and what they add up to.

The original sender reports one running total per disk, one disk after another, without saying which. The
hub then keeps the disks itself ("serial disks"): all but the last are finished, and an update speaks of the
last one.
"""

from operator import attrgetter

from msgspec.structs import replace

from schemas import telemetry
from sendensed.core.model import Disk

_FINISHED = frozenset({"completed", "failed", "cancelled"})
UNFINISHED_PERCENT = 99.9
"""Most that anything but a completed copy may show."""
_index, _bytes, _total = attrgetter("index"), attrgetter("bytes_transferred"), attrgetter("total_bytes")


def percent(done: int, total: int, said: float, before: float | None) -> float | None:
    """Progress of something that is not completed: from bytes where the total is known, else as said."""
    if total > 0:
        share = 100 * done / total
        return share if share < UNFINISHED_PERCENT else UNFINISHED_PERCENT
    if said > 0:
        return min(said, UNFINISHED_PERCENT)
    return before


def merge(disks: tuple[Disk, ...], updates: tuple[telemetry.Disk, ...]) -> tuple[Disk, ...]:
    """The disks after an update that names its disks. Bytes never fall; empty fields overwrite nothing."""
    if not updates:
        return disks
    if list(map(_index, disks)) == list(map(_index, updates)):
        return tuple(map(_merge_one, disks, updates))
    known = {disk.index: disk for disk in disks}
    for update in updates:
        known[update.index] = _merge_one(known.get(update.index) or Disk(update.index), update)
    return tuple([known[index] for index in sorted(known)])


def _merge_one(disk: Disk, update: telemetry.Disk) -> Disk:
    """Once for each disk of each update, so every step counts here."""
    done, total, status = update.bytes_transferred, update.total_bytes or disk.total_bytes, update.status
    if done < disk.bytes_transferred:
        done = disk.bytes_transferred
    share: float | None
    if total:  # as `percent` has it, without the call
        copied = 100 * done / total
        share = copied if copied < UNFINISHED_PERCENT else UNFINISHED_PERCENT
    else:
        share = percent(done, total, update.progress_percent, disk.progress_percent)
    merged = Disk(
        disk.index,
        done,
        total,
        share,
        status or disk.status,
        update.error_message or disk.error_message,
        update.bottleneck or disk.bottleneck,
    )
    return _finished(merged) if status == "completed" else merged


def merge_serial(disks: tuple[Disk, ...], update: telemetry.Telemetry) -> tuple[Disk, ...]:
    """The serial disks after an update of the original sender, which speaks of the last one."""
    says_something = update.bytes_transferred or update.total_bytes or update.status == "completed"
    if not disks and not says_something:
        return disks
    current = disks[-1] if disks else Disk(0)
    said = telemetry.Disk(
        index=current.index,
        bytes_transferred=update.bytes_transferred,
        total_bytes=update.total_bytes,
        progress_percent=update.progress_percent,
        status=update.status,
        error_message=update.error,
    )
    return (*disks[:-1], _merge_one(current, said))


def open_next(disks: tuple[Disk, ...]) -> tuple[Disk, ...]:
    """The serial disks with one more, which the next update speaks of."""
    return (*disks, Disk(len(disks)))


def complete(disks: tuple[Disk, ...]) -> tuple[Disk, ...]:
    """The disks of a job that has completed: those that nobody called failed or cancelled are too."""
    return tuple(disk if disk.status in _FINISHED else _finished(disk) for disk in disks)


def _finished(disk: Disk) -> Disk:
    return replace(
        disk,
        status="completed",
        progress_percent=100.0,
        total_bytes=disk.total_bytes or disk.bytes_transferred,
    )


def bytes_sum(disks: tuple[Disk, ...]) -> int:
    """Bytes transferred of all disks together."""
    return sum(map(_bytes, disks))


def total_sum(disks: tuple[Disk, ...]) -> int:
    """Total bytes of all disks together, as far as they are known."""
    return sum(map(_total, disks))


def is_total_known(disks: tuple[Disk, ...]) -> bool:
    """Whether the total of every unfinished disk is known."""
    return all(disk.total_bytes or disk.status == "completed" for disk in disks)
