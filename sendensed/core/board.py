"""Board: the jobs that viewers watch, each with the sequence of its last change.

Active jobs are all here; of finished ones, the most recent. A snapshot and the changes after it come from
the same place, so no change falls between them and no position goes back.
"""

from collections.abc import Iterable

import msgspec

from schemas import codec
from schemas.job import ACTIVE
from sendensed.core.model import Job
from sendensed.core.view import Filter, job_view

FINISHED_KEPT = 500
"""Finished jobs kept for viewers that come later; older ones are read over REST."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A job as last published: encoded once for all viewers. `was` is the state it had before."""

    job: Job
    sequence: int
    was: str
    encoded: msgspec.Raw


class Board:
    """Not for sharing between tasks that wait in the middle of a change; no method waits."""

    def __init__(self, sequence: int) -> None:
        """`sequence` must be above every sequence that an earlier hub may have given out."""
        self.sequence = sequence
        self._oldest = sequence
        self._entries: dict[str, Entry] = {}
        self._finished: dict[str, None] = {}

    def publish(self, jobs: Iterable[Job]) -> dict[str, Entry]:
        """Takes committed jobs; returns the entries that are news, under a new sequence where there are any."""
        news = {}
        for job in jobs:
            known = self._entries.get(job.id)
            if known is not None and known.job.revision >= job.revision:
                continue
            was = known.job.status if known else job.status
            news[job.id] = Entry(job, self.sequence + 1, was, _encoded(job))
        if news:
            self.sequence += 1
            self._keep(news)
        return news

    def _keep(self, news: dict[str, Entry]) -> None:
        for job_id, entry in news.items():
            self._entries.pop(job_id, None)  # so that the newest stand last
            self._entries[job_id] = entry
            self._finished.pop(job_id, None)
            if entry.job.status not in ACTIVE:
                self._finished[job_id] = None
        while len(self._finished) > FINISHED_KEPT:
            oldest = next(iter(self._finished))
            del self._finished[oldest]
            self._oldest = max(self._oldest, self._entries.pop(oldest).sequence)

    def snapshot(self, wanted: Filter) -> list[Entry]:
        """All jobs asked for, as they stand at `sequence`."""
        return [entry for entry in self._entries.values() if wanted.wants(entry.job, (entry.job.status,))]

    def absent(self, job_ids: Iterable[str]) -> list[str]:
        """Those of the ids that are not on the board."""
        return [job_id for job_id in job_ids if job_id not in self._entries]

    def aside(self, jobs: Iterable[Job], wanted: Filter) -> list[Entry]:
        """Jobs that are asked for and not on the board, as its entries would be; the board stays as it is."""
        return [
            Entry(job, self.sequence, job.status, _encoded(job))
            for job in jobs
            if job.id not in self._entries and wanted.wants(job, (job.status,))
        ]

    def since(self, sequence: int, wanted: Filter) -> list[Entry] | None:
        """The jobs changed after `sequence`; None where that position is lost and a snapshot is needed.

        Whatever state they are in now: one that left the states asked for meanwhile is news as well.
        """
        if not self._oldest <= sequence <= self.sequence:
            return None
        changed = []
        for entry in reversed(self._entries.values()):
            if entry.sequence <= sequence:
                break
            if wanted.wants(entry.job, wanted.statuses):
                changed.append(entry)
        return changed


def _encoded(job: Job) -> msgspec.Raw:
    return msgspec.Raw(codec.encode(job_view(job)))
