"""Fan-out: takes what was committed to the board, and from there to every viewer.

A frame is encoded once for all viewers of one filter, and handed to their sockets without waiting. Who has no
room finds the news in his own mailbox, one slot a job, and his own task sends it when there is room again: the
fan-out never waits for a viewer.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import trio

from sendensed.core.board import Board, Entry
from sendensed.core.model import Job
from sendensed.core.view import Filter
from sendensed.mailbox import Mailbox

TrySend = Callable[[bytes], bool]
"""Hands a frame to a socket if it takes it now. Never waits, never raises."""


class Viewer:
    """What the fan-out knows of one viewer: what it asked for, and where its news goes.

    `direct` is set while the viewer has been sent everything and waits.
    """

    def __init__(self, wanted: Filter) -> None:
        self.wanted = wanted
        self.mailbox: Mailbox[str, Entry] = Mailbox()
        self.direct: TrySend | None = None

    def offer(self, news: dict[str, Entry], frame: bytes) -> int:
        """Sends the frame at once or keeps its news for later; returns how many states are thereby skipped."""
        if self.direct is not None and not len(self.mailbox) and self.direct(frame):
            return 0
        return self.mailbox.put(news)


class Fanout:
    """The board and the viewers before it."""

    def __init__(self, board: Board, pace: float, wrap: Callable[[bytes], bytes] = bytes) -> None:
        """`pace` is the shortest time between two rounds, in seconds; `wrap` makes a frame of a message.

        `skips` counts states that a viewer did not see, `rounds` those that had news of this hub's own commits.
        """
        self.board = board
        self._pace = pace
        self._wrap = wrap
        self._viewers: set[Viewer] = set()
        self._committed: Mailbox[str, Job] | None = None
        self._snapshots: dict[Filter, bytes] = {}
        self.skips = 0
        self.rounds = 0

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
        self._committed = committed
        try:
            while True:
                self._own(await committed.take())
                await trio.sleep(self._pace)
        except trio.EndOfChannel:
            return
        finally:
            self.close()

    def absorb(self) -> None:
        """Publishes at once what this hub has committed and not published yet."""
        if self._committed is not None and (jobs := self._committed.drain()):
            self._own(jobs)

    def _own(self, jobs: dict[str, Job]) -> None:
        self.rounds += 1
        self.publish(jobs.values())

    def publish(self, jobs: Iterable[Job]) -> None:
        """Puts committed jobs on the board, and what is news of them before the viewers."""
        news = self.board.publish(jobs)
        if not news:
            return
        self._snapshots.clear()
        shares: dict[Filter, tuple[dict[str, Entry], bytes]] = {}
        for viewer in self._viewers:
            wanted = viewer.wanted
            share = shares.get(wanted)
            if share is None:
                share = shares[wanted] = self._share(news, wanted)
            if share[0]:
                self.skips += viewer.offer(*share)

    def _share(self, news: dict[str, Entry], wanted: Filter) -> tuple[dict[str, Entry], bytes]:
        asked = {
            job_id: entry
            for job_id, entry in news.items()
            if wanted.wants(entry.job, (entry.job.status, entry.was))
        }
        return asked, self._wrap(changes(self.board.sequence, list(asked.values()))) if asked else b""

    def settle(self, position: int, rows: Iterable[tuple[str, int, int]]) -> None:
        """All that was committed below the position has been published; `rows` as `Board.settle` takes them."""
        self.board.settle(position, rows)
        self._snapshots.clear()

    def snapshot(self, wanted: Filter) -> bytes:
        """The message with all jobs asked for; made once for all who ask before the next change."""
        message = self._snapshots.get(wanted)
        if message is None:
            message = jobs_message("snapshot", self.board.sequence, self.board.snapshot(wanted))
            self._snapshots[wanted] = message
        return message

    def close(self) -> None:
        """Tells every viewer that the hub is going."""
        for viewer in self._viewers:
            viewer.mailbox.close()


def changes(sequence: int, entries: Sequence[Entry]) -> bytes:
    """The message that brings news of these jobs."""
    return jobs_message("changes", sequence, entries)


def jobs_message(kind: str, sequence: int, entries: Sequence[Entry]) -> bytes:
    """A message with jobs, put together from what was encoded once for all viewers."""
    jobs = b",".join([entry.encoded for entry in entries])
    return b'{"type":"%s","sequence":%d,"jobs":[%s]}' % (kind.encode(), sequence, jobs)
