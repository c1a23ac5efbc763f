"""Checkpoint: how much of a disk is safely at the target, so that the next attempt need not copy it again."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Witness(msgspec.Struct, frozen=True):
    """What a range of the target held when the checkpoint was made: with anything else it is another target."""

    offset: int
    length: int
    digest: bytes


class Checkpoint(msgspec.Struct, frozen=True):
    """As of a flush. It holds only while source and target are the same, in the same version.

    `source` and `target` tell which ones they were: text, only to be compared. Everything that is to be done
    before the offset `mark` is done and durable; one at 0 is left by a verification that found a difference.
    """

    source: str
    target: str
    size: int
    mark: int
    witnesses: tuple[Witness, ...] = ()


class Checkpoints(Protocol):
    """Where one job's checkpoints are kept. Blocking calls, made from threads.

    Raises nothing, but for `revoke`: where they cannot be kept that is logged, and the next attempt begins at the
    start, or at an older one.
    """

    def load(self, index: int) -> Checkpoint | None:
        """The disk's last one, of any earlier attempt."""
        ...

    def save(self, index: int, checkpoint: Checkpoint) -> None:
        """In place of the disk's last one, on stable storage when this returns."""
        ...

    def revoke(self, index: int, instead: Checkpoint | None = None) -> None:
        """The disk's last one is not gone on with by any attempt: another one takes its place, or none.

        So on stable storage when this returns. Raises SpoolUnavailable where that cannot be: the last one may be
        found again.
        """
        ...

    def clear(self) -> None:
        """Those of all the job's disks: it is complete."""
        ...


class MemoryCheckpoints:
    """Live and die with the process."""

    def __init__(self, kept: Mapping[int, Checkpoint] | None = None) -> None:
        self.kept = dict(kept or {})

    def load(self, index: int) -> Checkpoint | None:
        """The disk's last one."""
        return self.kept.get(index)

    def save(self, index: int, checkpoint: Checkpoint) -> None:
        """In place of the last one."""
        self.kept[index] = checkpoint

    def revoke(self, index: int, instead: Checkpoint | None = None) -> None:
        """Always done."""
        self.kept.pop(index, None)
        if instead is not None:
            self.kept[index] = instead

    def clear(self) -> None:
        """All of them."""
        self.kept.clear()
