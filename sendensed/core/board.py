"""Board: the jobs that viewers watch, and the position up to which it is complete.

Active jobs are all here; of finished ones, the most recent. A snapshot and the changes after it come from
the same place, so no change falls between them and no position goes back.

A position is the store's and means the same on every hub: what was committed below `sequence` is on the board.
A job that this hub has just committed may be shown before its own position is known. Until then it counts as news
to everybody who comes back: that is sent twice rather than never.
"""

from collections.abc import Iterable

from schemas import codec
from schemas.job import ACTIVE
from sendensed.core.model import Job
from sendensed.core.view import Filter, job_view

FINISHED_KEPT = 500
"""Finished jobs kept for viewers that come later; older ones are read from the store."""


class Entry:
    """A job as last published, and how it goes out.

    `was` is the state it had before; `changed` the position of its commit, None while that is unknown.
    """

    __slots__ = ("_encoded", "changed", "job", "was")

    def __init__(self, job: Job, was: str, changed: int | None = None) -> None:
        self.job = job
        self.was = was
        self.changed = changed
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The job as JSON: made once for all viewers, and where nobody watches not at all."""
        if self._encoded is None:
            self._encoded = codec.encode(job_view(self.job))
        return self._encoded


class Board:
    """Not for sharing between tasks that wait in the middle of a change; no method waits."""

    def __init__(self, sequence: int) -> None:
        """`sequence` is the position from which on the board will be told of everything."""
        self.sequence = sequence
        self._oldest = sequence
        self._entries: dict[str, Entry] = {}
        self._unknown: set[str] = set()
        self._finished: dict[str, None] = {}

    def publish(self, jobs: Iterable[Job], changed: int | None = None) -> dict[str, Entry]:
        """Takes committed jobs; returns the entries that are news."""
        news = {}
        for job in jobs:
            known = self._entries.get(job.id)
            if known is not None and known.job.revision >= job.revision:
                continue
            news[job.id] = self._keep(Entry(job, known.job.status if known else job.status, changed))
        self._drop()
        return news

    def behind(self, revisions: Iterable[tuple[str, int]]) -> list[str]:
        """Those of the jobs that the board does not have at this revision, or a newer one."""
        return [
            job_id
            for job_id, revision in revisions
            if (known := self._entries.get(job_id)) is None or known.job.revision < revision
        ]

    def settle(self, position: int, rows: Iterable[tuple[str, int, int]]) -> None:
        """All that was committed below `position` is on the board; `rows` (id, revision, position) are the jobs
        committed since the last one."""
        for job_id, revision, changed in rows:
            known = self._entries.get(job_id)
            if known is not None and known.job.revision == revision:
                known.changed = changed
                self._unknown.discard(job_id)
        self.sequence = max(self.sequence, position)
        self._drop()

    def _keep(self, entry: Entry) -> Entry:
        job = entry.job
        self._entries[job.id] = entry
        if entry.changed is None:
            self._unknown.add(job.id)
        self._finished.pop(job.id, None)  # so that the newest stand last
        if job.status not in ACTIVE:
            self._finished[job.id] = None
        return entry

    def _drop(self) -> None:
        """Forgets the oldest finished jobs whose position is known: who asks from before, the store tells."""
        surplus = len(self._finished) - FINISHED_KEPT
        if surplus <= 0:
            return
        for job_id in [one for one in self._finished if one not in self._unknown][:surplus]:
            del self._finished[job_id]
            self._oldest = max(self._oldest, (self._entries.pop(job_id).changed or 0) + 1)

    def snapshot(self, wanted: Filter) -> list[Entry]:
        """All jobs asked for, as they stand at `sequence` or later."""
        return [entry for entry in self._entries.values() if wanted.wants(entry.job, (entry.job.status,))]

    def absent(self, job_ids: Iterable[str]) -> list[str]:
        """Those of the ids that are not on the board."""
        return [job_id for job_id in job_ids if job_id not in self._entries]

    def aside(self, jobs: Iterable[Job], wanted: Filter, states: frozenset[str] | None = None) -> list[Entry]:
        """Jobs that are asked for and not on the board, as its entries would be; the board stays as it is.

        With `states` (those asked for) whatever state they are in now.
        """
        return [
            Entry(job, job.status)
            for job in jobs
            if job.id not in self._entries and wanted.wants(job, (job.status,) if states is None else states)
        ]

    @property
    def oldest(self) -> int:
        """The position from which on the board holds everything; it moves when a finished job leaves the board."""
        return self._oldest

    def reaches(self, sequence: int) -> bool:
        """Whether the board holds everything committed since; of older positions the ends may have left it."""
        return self._oldest <= sequence

    def since(self, sequence: int, wanted: Filter) -> list[Entry]:
        """The jobs on the board that were committed at `sequence` or later, or whose position is unknown yet.

        Whatever state they are in now: one that left the states asked for meanwhile is news as well.
        """
        return [
            entry
            for entry in self._entries.values()
            if (entry.changed is None or entry.changed >= sequence) and wanted.wants(entry.job, wanted.statuses)
        ]
