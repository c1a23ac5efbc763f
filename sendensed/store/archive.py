"""Archive: what readers ask of the jobs, and the care for their history. One Protocol, two implementations."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from sendensed.core.appliance import Appliance
from sendensed.core.calendar import Tally
from sendensed.core.listing import Page, Query
from sendensed.core.prediction import Run
from sendensed.core.retention import Limits
from sendensed.core.samples import Found, Outage, Window
from sendensed.core.summary import Counts

COUNTED = 100_000
"""Machines that are counted where only so many are told."""


class Successes(msgspec.Struct, frozen=True):
    """Machines in order of name, each with the end of its newest completed run; those with none are not there.

    `beyond` counts the machines that were not looked at, with or without a run that completed.
    """

    ends: list[tuple[str, datetime]]
    beyond: int


class Archive(Protocol):
    """The reading side of a store. Every method raises StoreUnavailable; each has a deadline of its own."""

    async def page(self, query: Query) -> Page:
        """The jobs asked for that come after the query's mark, with their disks, in the query's order.

        Whoever goes on from mark to mark meets each job whose key does not change just once.
        """

    async def samples(self, job_id: str, window: Window) -> Found:
        """A job's samples in order of time, one a step, and the holes between them; empty for unknown jobs."""

    async def outages(self, start: datetime, end: datetime) -> list[Outage]:
        """The times between `start` and `end` in which no hub was there to hear."""

    async def machines(
        self, *, limit: int, after: str = "", text: str = "", names: Collection[str] = ()
    ) -> list[tuple[str, list[Run]]]:
        """Machines after this name with this text in theirs (or those of these names), each with its newest runs.

        In order of name. The nameless machine, '', is none. A to Z are the same in capitals or not.
        """

    async def calendar(
        self, bounds: Sequence[datetime], *, limit: int, after: str = "", text: str = ""
    ) -> list[tuple[str, list[Tally]]]:
        """Machines after this name with this text in theirs, by name, each with the days that had a run, in order.

        `bounds` are where each day begins and the last one ends, rising; a run is of the day it was created on.
        """

    async def recent(self, *, limit: int) -> list[Run]:
        """The runs of all machines that ended last, latest first."""

    async def successes(self, *, limit: int) -> Successes:
        """The first `limit` machines in order of name, and how many there are beyond."""

    async def appliances(self) -> list[tuple[Appliance, int]]:
        """All appliances in order of name, each with the number of its active jobs."""

    async def summary(self) -> Counts:
        """How things stand."""

    async def note(self, appliances: Sequence[Appliance]) -> None:
        """Keeps what is newer of these appliances, and that a hub was there; after a pause, that none was."""

    async def tend(self, limits: Limits) -> list[str]:
        """Makes, thins and drops days of history as `core.retention` says; returns what was done.

        Never makes a save wait for longer than `LOCK_WAIT`: what cannot be had is left for the next time, as is
        everything while another hub is at it.
        """


LOCK_WAIT = 0.25
"""Seconds that tending waits for a lock, and others behind it."""
BEAT = 10.0
"""Seconds between two notes."""
PAUSE = 45.0
"""Seconds without a note after which no hub was there."""
