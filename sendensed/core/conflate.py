"""Conflate: the queue before the writer when it fills: what gives way, what is kept room for, what is refused.

    0 %                                80 %          90 %         100 %
    ├───────── all are taken ───────────┼─ conflated ─┼─ ends only ─┤ full: 503
                                        an older waiting update of the same job gives its place to a newer one
                                        that says all it said; it is answered with the newer one's commit

Both bounds, the number of updates and their bytes, count. Nothing that was taken is ever dropped: it is
committed, or stands aside for one that makes the job no other than both would have.
"""

from collections import deque
from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from schemas.telemetry import Acknowledgement, Disk, Telemetry
from sendensed.core.answer import Answer, Refusal, Slip
from sendensed.core.batch import Post

T = TypeVar("T")
Outcome = Literal["queued", "conflated", "full"]

_ENDS = frozenset({"completed", "failed", "cancelled"})
_UNDER_WAY = frozenset({"", "pending", "running"})

AGAIN = Refusal(
    503, "overtaken", "a newer update took this one's place and was refused; send the newest state again"
)


class Room(msgspec.Struct, frozen=True):
    """How much may wait: updates and bytes. Shares are of both: from which on it conflates, up to which progress
    is taken."""

    count: int
    bytes: int
    conflate: float = 0.8
    progress: float = 0.9


class Waiting(Generic[T]):
    """The queue. `T` is what goes through besides telemetry; it is always taken, so its senders look first."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._entries: deque[_Entry[T]] = deque()
        self._last: dict[str, _Entry[T]] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1 and a little over: the fuller of its two measures."""
        return max(len(self._entries) / self._room.count, self.bytes / self._room.bytes)

    @property
    def is_full(self) -> bool:
        """Whether only the ends of jobs find room: whatever else comes is refused, but for what conflates."""
        return (
            max((len(self._entries) + 1) / self._room.count, self.bytes / self._room.bytes) > self._room.progress
        )

    def put(self, item: T) -> None:
        """Takes what is no telemetry. Nothing behind it conflates with what is before it."""
        self._entries.append(_Entry(item))
        self._last.clear()

    def offer(self, post: Post, size: int) -> Outcome:
        """Takes an update of `size` bytes, or refuses it as it is. An empty queue takes any."""
        fill = max((len(self._entries) + 1) / self._room.count, (self.bytes + size) / self._room.bytes)
        if self._entries and fill > self._room.conflate:
            waiting = self._last.get(post.job_id)
            if waiting is not None and self._gives_way(waiting, post, size):
                return "conflated"
            if fill > (1 if post.update.status in _ENDS else self._room.progress):
                return "full"
        entry: _Entry[T] = _Entry(post, size)
        self._entries.append(entry)
        self._last[post.job_id] = entry
        self.bytes += size
        return "queued"

    def take(self) -> "Post | T":
        """The oldest. Raises IndexError where nothing waits."""
        entry = self._entries.popleft()
        self.bytes -= entry.size
        if isinstance(entry.item, Post) and self._last.get(entry.item.job_id) is entry:
            del self._last[entry.item.job_id]
        return entry.item

    def _gives_way(self, entry: "_Entry[T]", post: Post, size: int) -> bool:
        older = entry.item
        if not isinstance(older, Post) or older.appliance != post.appliance:
            return False
        if size > entry.size and self.bytes + size - entry.size > self._room.bytes:
            return False
        if not says_all(post.update, older.update):
            return False
        entry.item = replace(post, receipt=Together(post.receipt, older.receipt))
        self.bytes += size - entry.size
        entry.size = size
        return True


class _Entry(Generic[T]):
    __slots__ = ("item", "size")

    def __init__(self, item: Post | T, size: int = 0) -> None:
        self.item = item
        self.size = size


class Together:
    """The slips of an update and of the one that gave way to it."""

    __slots__ = ("_newer", "_older")

    def __init__(self, newer: Slip, older: Slip) -> None:
        self._newer = newer
        self._older = older

    def settle(self, answer: Answer) -> None:
        """Answers both; one that gave way is never refused for what the newer one said."""
        self._newer.settle(answer)
        self._older.settle(answer if isinstance(answer, Acknowledgement) else AGAIN)


def says_all(newer: Telemetry, older: Telemetry) -> bool:
    """Whether a job is the same after `newer` alone as after both, but for what was measured between them.

    Both are of one job. The older one is progress, of the same attempt and before the newer one.
    """
    return (
        newer.job_type == older.job_type
        and newer.attempt == older.attempt
        and older.status in _UNDER_WAY
        and _is_after(newer, older)
        and newer.bytes_transferred >= older.bytes_transferred
        and _has(newer.total_bytes, older.total_bytes)
        and (newer.total_bytes > 0 or _has(newer.progress_percent, older.progress_percent))
        and _has(newer.current_phase, older.current_phase)
        and _has(newer.error, older.error)
        and _has(newer.vm_name, older.vm_name)
        and _has(newer.backup_type, older.backup_type)
        and _has(newer.total_kind, older.total_kind)
        and _has(newer.sender, older.sender)
        and _has_disks(newer.disks, older.disks)
    )


def _has(newer: object, older: object) -> bool:
    return bool(newer) or not older


def _is_after(newer: Telemetry, older: Telemetry) -> bool:
    """By sequence. The original sender has none: there both have to be progress, in the order of its clock."""
    if newer.sequence is not None and older.sequence is not None:
        return newer.sequence > older.sequence and (newer.status == "running" or newer.status in _ENDS)
    return (
        newer.sequence is None
        and older.sequence is None
        and newer.status == "running"
        and bool(newer.disks) == bool(older.disks)
        and _is_later(newer.timestamp, older.timestamp)
    )


def _is_later(newer: datetime | None, older: datetime | None) -> bool:
    return newer is older is None or (newer is not None and older is not None and newer >= older)


def _has_disks(newer: tuple[Disk, ...], older: tuple[Disk, ...]) -> bool:
    if not older:
        return True
    said = {disk.index: disk for disk in newer}
    return all(disk.index in said and _has_disk(said[disk.index], disk) for disk in older)


def _has_disk(newer: Disk, older: Disk) -> bool:
    return (
        older.status in _UNDER_WAY | {newer.status}
        and _has(newer.status, older.status)
        and newer.bytes_transferred >= older.bytes_transferred
        and _has(newer.total_bytes, older.total_bytes or older.status == "completed")
        and (newer.total_bytes > 0 or _has(newer.progress_percent, older.progress_percent))
        and _has(newer.error_message, older.error_message)
    )
