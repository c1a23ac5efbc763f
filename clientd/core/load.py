"""Load: what a job's disks were busy with lately, and whether the job moves at all."""

from collections.abc import Sequence

import msgspec

from clientd.core.cadence import Picture
from clientd.core.progress import Busy, Count


class Load(msgspec.Struct, frozen=True):
    """Busy seconds of each disk over a window, from samples (seconds, busy), oldest first."""

    window: float
    samples: tuple[tuple[float, tuple[Busy, ...]], ...] = ()

    def add(self, now: float, counts: Sequence[Count]) -> "Load":
        """With one more sample; those are forgotten that the window no longer needs."""
        kept = [*self.samples, (now, tuple(count.busy for count in counts))]
        while len(kept) > 2 and kept[1][0] <= now - self.window:
            del kept[0]
        return Load(self.window, tuple(kept))

    @property
    def bottlenecks(self) -> tuple[str | None, ...]:
        """Of each disk: what took most of its workers' time."""
        if not self.samples:
            return ()
        (_, before), (_, now) = self.samples[0], self.samples[-1]
        return tuple(new.since(old).bottleneck for old, new in zip(before, now, strict=True))


class Movement(msgspec.Struct, frozen=True):
    """When a job last moved (seconds): a byte, a phase, a disk's status. `told`: its standing still was reported.

    Being busy is no movement, and no beat is.
    """

    at: float
    picture: Picture | None = None
    bytes: tuple[tuple[int, ...], ...] = ()
    told: bool = False

    def look(self, now: float, picture: Picture, counts: Sequence[Count]) -> "Movement":
        """After one more look; the same object where nothing has moved."""
        bytes_ = tuple((count.examined, count.copied, count.durable, count.verified) for count in counts)
        return self if (picture, bytes_) == (self.picture, self.bytes) else Movement(now, picture, bytes_)
