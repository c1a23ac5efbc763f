"""Spool: what outlives the process, so that an end that was told to nobody is told by whoever comes next.

A lot is all that waits of one attempt at a job. It belongs to the process that began the attempt, until that
process lets go of it or dies; then any other may take it over.

        begin ──▶ held ──save(held=False) or death──▶ left ──claim──▶ held by another ──▶ ...
"""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from clientd.core.moment import Moment
from clientd.core.outbox import Refused, Update
from schemas.telemetry import TelemetryBody

INTERRUPTED_SEQUENCE = 2**53 - 1
"""Of an end that somebody else tells: behind all that the attempt itself can have sent."""

INTERRUPTED = "interrupted: the clientd that ran it ended before the job did"
"""What is told of a job whose process died."""


class Lot(msgspec.Struct, frozen=True):
    """One attempt's events that wait, in order, and those set aside.

    `ended`: nobody has to tell its end any more. `held`: its process goes on with it.
    """

    job_id: str
    job_type: str
    attempt: int
    waiting: tuple[Update, ...] = ()
    aside: tuple[Refused, ...] = ()
    ended: bool = False
    held: bool = True


class Begun(msgspec.Struct, frozen=True):
    """An attempt that has begun, and what is left of the job's earlier ones, now in the same hands."""

    attempt: int
    left: tuple[Lot, ...] = ()


class Holding(msgspec.Struct, frozen=True):
    """How much there is: events that wait, of how many jobs, events set aside, and the bytes of all."""

    waiting: int = 0
    jobs: int = 0
    aside: int = 0
    bytes: int = 0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Most events, most bytes of them, and most jobs whose last attempt is remembered."""

    events: int
    bytes: int
    jobs: int


class Spool(Protocol):
    """Blocking calls, made from one thread at a time; several processes may share what is behind them.

    Each is all or nothing, and on stable storage when it returns. Raises SpoolUnavailable: then nothing is known
    to be kept, and the same call may be made again later.
    """

    def begin(self, job_id: str, job_type: str, attempt: int | None) -> Begun:
        """A new attempt, held by us: the one after the job's last, or the one given."""
        ...

    def save(self, lots: Sequence[Lot]) -> int:
        """Makes what is kept of these attempts what the lots say. Returns how many events found no room.

        An event once set aside stays so.
        """
        ...

    def claim(self, most: int, resuming: Collection[str] = ()) -> list[Lot]:
        """Up to `most` lots that wait for anybody, now held by us. One whose process died gets its end.

        Jobs in `resuming` get none: another attempt follows at once.
        """
        ...

    def holding(self) -> Holding:
        """How much there is, whoever holds it."""
        ...

    def close(self) -> None:
        """Lets go of everything that is held. Raises nothing."""
        ...


def interrupted(lot: Lot, now: Moment, timestamp: str, sender: str) -> Lot:
    """The lot with the end that its own process did not tell."""
    end = TelemetryBody(
        job_id=lot.job_id,
        job_type=lot.job_type,
        status="failed",
        error=INTERRUPTED,
        timestamp=timestamp,
        attempt=lot.attempt,
        sequence=INTERRUPTED_SEQUENCE,
        sender=sender,
    )
    return msgspec.structs.replace(lot, waiting=(*lot.waiting, Update(end, now)), ended=True)
