"""Store: where jobs are kept. One Protocol, two implementations, one contract suite.

The stores are dumb: what an update does to a job is decided in `core/`, and a store writes whole rows
guarded by their revision.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from sendensed.core.alarm import Alarm
from sendensed.core.health import Pulse
from sendensed.core.model import Event, Job


class StoreUnavailable(Exception):
    """The database cannot be reached, or did not answer in time. The outcome of a save is unknown.

    The caller forgets what it cached of the jobs concerned, waits, reads them again and merges again.
    """


class RowRefused(Exception):
    """The database refuses a value in this save (SQLSTATE 22, 23). Nothing of the save was stored.

    The caller bisects: saved apart, all but the bad row succeed.
    """


class Change(msgspec.Struct, frozen=True, gc=False):
    """One job to save: the row as it shall be, the row it replaces, and the history it leaves.

    `before` is None exactly where `job.revision` is 0, else of the same revision. The save holds only if the
    stored revision is still that; the stored row gets one more. Disks stand in the order of their index.
    `sample` keeps a point of the job's chart, at its last telemetry.
    """

    job: Job
    before: Job | None
    events: tuple[Event, ...] = ()
    sample: bool = False


class Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A job's row as `changes` tells it: `changed` is the position of its last commit."""

    id: str
    revision: int
    changed: int


class Changes(msgspec.Struct, frozen=True):
    """What was committed since a position, and the next position."""

    position: int
    rows: tuple[Row, ...] = ()


class Store(Protocol):
    """Where jobs are kept. Every method raises StoreUnavailable; each has a deadline of its own.

    Cancellation of a save leaves its outcome unknown, as StoreUnavailable does.
    """

    async def now(self) -> datetime:
        """The store's clock, UTC: the one clock that silence is measured by."""

    async def load(self, ids: Collection[str]) -> dict[str, Job]:
        """The jobs of these ids that exist, with their disks."""

    async def save(self, changes: Sequence[Change]) -> set[str]:
        """Writes the changes in one transaction; returns, after COMMIT, the ids whose guard held.

        A change whose guard does not hold is left out (row, disks and events), the others are stored. Raises
        RowRefused where a value cannot be stored: then nothing is; ValueError for a save that contradicts
        itself (a job twice, a `before` of another revision). A deadlock with another hub is StoreUnavailable.
        """

    async def job(self, job_id: str) -> tuple[Job, tuple[Event, ...]] | None:
        """One job with its disks and its newest 500 events in the order they happened, or None."""

    async def jobs(self, *, limit: int, status: Collection[str] = (), job_type: str = "") -> list[Job]:
        """Jobs with their disks, newest created first, of these states and this type where given."""

    async def silent(self, before: datetime) -> list[Job]:
        """Active jobs not heard of since `before` (by last telemetry, else creation), longest silent first.

        One that was heard in the future, by a clock that has stepped back since, is among them.
        """

    async def unmoved(self, before: datetime) -> list[Job]:
        """Running jobs that have not moved since `before` and are not marked so, longest first."""

    async def active(self) -> int:
        """How many jobs may still be heard of."""

    async def beat(self, hub: str, gap: float, *, restart: bool) -> Pulse:
        """Writes the hub's row as `core.health.beat` has it, by the store's clock; returns what all hubs know.

        Rows of hubs that have been silent for a day are dropped.
        """

    async def raise_alarm(self, alarm: Alarm) -> Alarm:
        """Opens the alarm unless one of its kind is open; returns the open one, whoever raised it."""

    async def clear_alarm(self, alarm: Alarm, until: datetime) -> bool:
        """Closes the alarm; True where this call did it, so that of many hubs one says so."""

    async def changes(self, position: int, most: int | None = None) -> Changes:
        """What was committed at or after a position, of the jobs that ended the first `most`, and the position
        to go on from: whatever is below it is among these rows, or was at an earlier position."""

    async def hint(self) -> None:
        """Tells the other hubs that something was committed. A hint: it may be lost."""

    async def hints(self, heard: Callable[[], None]) -> None:
        """Calls `heard` at each hint, until cancelled. Raises StoreUnavailable where the hints have ended."""

    async def ended(self, *, limit: int) -> list[Job]:
        """Jobs that have ended, with their disks, latest end first."""
