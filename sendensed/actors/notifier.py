"""Notifier: brings what other hubs committed to this hub's board, and tells them of what this one did.

    another hub's COMMIT ── NOTIFY, a hint ──▶ look now ─┐
    a second has passed ─────────────────────▶ look now ─┴▶ changes since the position ──▶ board, viewers

The hints make it quick; reading again from the last position makes it true. A hint that is lost costs a second.
"""

from collections.abc import Collection

import structlog
import trio

from schemas import ids
from sendensed import config
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.core.model import Job
from sendensed.store import Store, StoreUnavailable

log = structlog.get_logger()

_MOST = 2_000
"""Jobs that a viewer who comes back is told of one by one; more is a lost position, and a snapshot."""


class Notifier:
    """What keeps the board complete. `refresh` may be called by any task."""

    def __init__(self, store: Store, fanout: Fanout, hearing: Hearing, settings: config.Feed) -> None:
        self._store = store
        self._fanout = fanout
        self._hearing = hearing
        self._settings = settings
        self._reading = trio.Lock()
        self._begun = 0
        self._failed = False
        self._hinted = trio.Event()

    async def run(self) -> None:
        """Reads, listens and tells until cancelled. While the store does not answer it tries again."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._tell)
            while True:
                with trio.move_on_after(self._settings.reread):
                    await self._hinted.wait()
                self._hinted = trio.Event()
                try:
                    await self.refresh()
                except StoreUnavailable as error:
                    log.warning("other hubs' changes not read", reason=str(error))
                await trio.sleep(self._settings.pace)

    async def refresh(self) -> None:
        """Returns when all that was committed before this call is on the board. Raises StoreUnavailable.

        Those who call while a read is under way share the next one.
        """
        asked = self._begun
        async with self._reading:
            if self._begun == asked or self._failed:
                self._begun += 1
                self._failed = True
                await self._read()
                self._failed = False

    async def _read(self) -> None:
        board = self._fanout.board
        changes = await self._store.changes(board.sequence)
        self._fanout.absorb()
        missing = board.behind((row.id, row.revision) for row in changes.rows)
        if missing:
            self._fanout.publish((await self._store.load(missing)).values())
        self._fanout.settle(changes.position, ((row.id, row.revision, row.changed) for row in changes.rows))

    async def left(self, since: int) -> list[Job] | None:
        """Jobs that ended at this position or later and have left the board already; None where there are too
        many to tell one by one. Raises StoreUnavailable."""
        rows = (await self._store.changes(since, _MOST)).rows
        absent = self._fanout.board.absent(row.id for row in rows)
        return None if len(absent) >= _MOST else await self.look_up(absent)

    async def look_up(self, job_ids: Collection[str]) -> list[Job]:
        """Those of the jobs that exist. Raises StoreUnavailable."""
        possible = [one for one in job_ids if not ids.job_id_problem(one)]
        return list((await self._store.load(possible)).values()) if possible else []

    async def _listen(self) -> None:
        while True:
            try:
                await self._store.hints(lambda: self._hinted.set())
            except StoreUnavailable as error:
                log.warning("hints of other hubs are not heard", reason=str(error))
            await trio.sleep(self._settings.reread)

    async def _tell(self) -> None:
        """Hints at this hub's own commits, at a pace, and only where another hub is there to hear it."""
        told = self._fanout.rounds
        while True:
            await trio.sleep(2 * self._settings.pace)
            if self._fanout.rounds == told or not self._hearing.others:
                continue
            told = self._fanout.rounds
            try:
                await self._store.hint()
            except StoreUnavailable as error:
                log.warning("other hubs not told", reason=str(error))
