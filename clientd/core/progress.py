"""Progress: counted bytes, their sums and their speed. Counters never go backwards.

Three counters that are never mixed, per disk:

        examined  >=  copied  >=  durable
        read          written     flushed         (bytes of the plan's data extents)

A chunk of data that turned out to be all zeros counts as copied although it is left as a hole: the target reads
as it should. What a verification has read of the target again, zeros and all, is counted by itself.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec


class Busy(msgspec.Struct, frozen=True, gc=False):
    """What the time of a disk's workers went into, in seconds, summed over them.

    `read` is waiting for the source, `write` for the target, `network` moving bytes from and to their servers.
    """

    read: float = 0.0
    write: float = 0.0
    network: float = 0.0

    def since(self, before: "Busy") -> "Busy":
        """What has come since `before`."""
        return Busy(self.read - before.read, self.write - before.write, self.network - before.network)

    @property
    def bottleneck(self) -> Literal["read", "write", "network"] | None:
        """Where most of it went; None before any did."""
        shares: dict[Literal["read", "write", "network"], float]
        shares = {"read": self.read, "write": self.write, "network": self.network}
        most = max(shares, key=lambda each: shares[each])
        return most if shares[most] > 0 else None


IDLE = Busy()
"""Nothing done yet."""


class Count(msgspec.Struct, frozen=True, gc=False):
    """How far one disk is, in bytes, and what its workers were busy with."""

    examined: int = 0
    copied: int = 0
    durable: int = 0
    busy: Busy = IDLE
    verified: int = 0


class Speed(msgspec.Struct, frozen=True):
    """Bytes per second over a window, from samples (seconds, bytes), oldest first."""

    window: float
    samples: tuple[tuple[float, int], ...] = ()

    def add(self, now: float, copied: int) -> "Speed":
        """With one more sample; those are forgotten that the window no longer needs."""
        kept = [*self.samples, (now, copied)]
        while len(kept) > 2 and kept[1][0] <= now - self.window:
            del kept[0]
        return Speed(self.window, tuple(kept))

    @property
    def bytes_per_second(self) -> int:
        """From the oldest sample to the newest; 0 where they tell nothing."""
        if len(self.samples) < 2:
            return 0
        (began, before), (now, copied) = self.samples[0], self.samples[-1]
        return round((copied - before) / (now - began)) if now > began else 0


def advance(known: Sequence[Count], seen: Sequence[Count]) -> tuple[Count, ...]:
    """What is known after a look at the counters: each the larger of both, so nothing ever falls."""
    return tuple(
        Count(
            max(old.examined, new.examined),
            max(old.copied, new.copied),
            max(old.durable, new.durable),
            Busy(
                max(old.busy.read, new.busy.read),
                max(old.busy.write, new.busy.write),
                max(old.busy.network, new.busy.network),
            ),
            max(old.verified, new.verified),
        )
        for old, new in zip(known, seen, strict=True)
    )


def busy(counts: Sequence[Count]) -> Busy:
    """Of all disks of a job."""
    return Busy(
        sum(count.busy.read for count in counts),
        sum(count.busy.write for count in counts),
        sum(count.busy.network for count in counts),
    )


def verified(counts: Sequence[Count]) -> int:
    """What was read of the targets again."""
    return sum(count.verified for count in counts)


def copied(counts: Sequence[Count]) -> int:
    """The job's completed bytes: the sum of its disks'."""
    return sum(count.copied for count in counts)


def percent(done: int, whole: int, *, completed: bool) -> float:
    """0 to 100 with two decimals; 100 only for what is completed, flush and all."""
    if completed:
        return 100.0
    return min(round(100 * done / whole, 2), 99.99) if whole else 0.0
