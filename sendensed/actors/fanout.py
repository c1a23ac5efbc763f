"""Fan-out: takes what was committed to the board, and from there to every viewer's own mailbox.

It never waits for a viewer: a slow one's mailbox conflates, one slot a job.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from sendensed.core.board import Board, Entry
from sendensed.core.model import Job
from sendensed.core.view import Filter
from sendensed.mailbox import Mailbox


class Viewer:
    """What the fan-out knows of one viewer: what it asked for, and where its news goes."""

    def __init__(self, wanted: Filter) -> None:
        self.wanted = wanted
        self.mailbox: Mailbox[str, Entry] = Mailbox()

    def offer(self, news: dict[str, Entry]) -> int:
        """Puts what the viewer asked for into its mailbox; returns how many states it thereby skips."""
        wanted = self.wanted
        return self.mailbox.put(
            {
                job_id: entry
                for job_id, entry in news.items()
                if wanted.wants(entry.job, (entry.job.status, entry.was))
            }
        )


class Fanout:
    """The board and the viewers before it."""

    def __init__(self, board: Board, pace: float) -> None:
        """`pace` is the shortest time between two rounds, in seconds; `skips` counts states that no viewer saw."""
        self.board = board
        self._pace = pace
        self._viewers: set[Viewer] = set()
        self.skips = 0

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._viewers)

    @contextmanager
    def viewer(self, wanted: Filter) -> Iterator[Viewer]:
        """A viewer that is offered every change from now on; no change is missed between this and a snapshot."""
        viewer = Viewer(wanted)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    async def run(self, committed: Mailbox[str, Job]) -> None:
        """Returns when the mailbox is closed and empty; then every viewer's mailbox is closed too."""
        try:
            while True:
                jobs = await committed.take()
                news = self.board.publish(jobs.values())
                for viewer in self._viewers:
                    self.skips += viewer.offer(news)
                await trio.sleep(self._pace)
        except trio.EndOfChannel:
            return
        finally:
            self.close()

    def close(self) -> None:
        """Tells every viewer that the hub is going."""
        for viewer in self._viewers:
            viewer.mailbox.close()
