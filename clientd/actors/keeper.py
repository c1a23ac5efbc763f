"""Keeper: carries what the outboxes hold to the spool, behind everybody's back.

The outboxes live in memory; what they hold is saved as a whole, so a save whose outcome is unknown is simply made
again. The spool's disk may be slow, full or gone: then the outboxes go on without it.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec
import structlog
import trio

from clientd.config import TelemetrySettings
from clientd.core.outbox import MemoryOutbox, Position, Update
from clientd.core.spool import Begun, Holding, Lot, Spool
from clientd.environment import Environment
from clientd.errors import SpoolUnavailable

log = structlog.get_logger()

T = TypeVar("T")

_MINUTE = 60
_CLOSING = 1.0
"""Seconds that closing the spool may take: it holds nothing back, and the process is about to end."""


class Keeper:
    """One for each process. `run` must be running for anything to be kept."""

    def __init__(self, spool: Spool, *, environment: Environment, settings: TelemetrySettings) -> None:
        self._spool = spool
        self._environment = environment
        self._settings = settings
        self._outboxes: list[KeptOutbox] = []
        self._threads = trio.CapacityLimiter(1)
        self._changed = trio.Event()
        self._wanted = trio.Event()
        self._tried = trio.Event()
        self._trouble = False
        self._full = False

    async def run(self) -> None:
        """Saves what has changed, again and again until it is kept. Cancellation abandons a save under way."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            outboxes = [(outbox, outbox.version) for outbox in self._outboxes]
            lots = [lot for outbox, _ in outboxes for lot in outbox.lots()]
            await self._environment.failpoint("outbox.writing")
            try:
                dropped = await self._ask(partial(self._spool.save, lots))
            except SpoolUnavailable as error:
                self._note(error)
                self._changed.set()
                self._over(outboxes, kept=False)
                await self._pause()
            else:
                await self._environment.failpoint("outbox.written")
                self._fine(dropped)
                self._over(outboxes, kept=True)
                self._outboxes = [outbox for outbox in self._outboxes if not outbox.through]

    async def begin(self, job_id: str, job_type: str, attempt: int | None) -> "tuple[int, KeptOutbox]":
        """The attempt and its outbox, in front of it what the job's earlier attempts left.

        Where the spool cannot be used the attempt is as given, or the minutes since 1970: never an old one.
        """
        try:
            begun = await self._ask(partial(self._spool.begin, job_id, job_type, attempt))
        except SpoolUnavailable as error:
            self._note(error)
            begun = Begun(attempt or int(self._environment.moment().wall) // _MINUTE)
        await self._environment.failpoint("job.begun")
        return begun.attempt, self._open([*begun.left, Lot(job_id, job_type, begun.attempt)])

    async def claim(self, resuming: Collection[str] = ()) -> "list[KeptOutbox]":
        """What others left, an outbox for each attempt; none where the spool cannot be used."""
        try:
            lots = await self._ask(partial(self._spool.claim, self._settings.spool_lots, resuming))
        except SpoolUnavailable as error:
            self._note(error)
            return []
        return [self._open([lot]) for lot in lots]

    async def holding(self) -> Holding:
        """How much the spool has. Raises SpoolUnavailable, and says so."""
        try:
            return await self._ask(self._spool.holding)
        except SpoolUnavailable as error:
            self._note(error)
            raise

    async def settled(self) -> bool:
        """Whether the disk has all that the outboxes hold. Callers bound the wait."""
        return all([await outbox.kept() for outbox in self._outboxes])

    async def close(self) -> None:
        """Lets go of the spool, in bounded time, whatever is cancelled."""
        with trio.CancelScope(shield=True), trio.move_on_after(_CLOSING), suppress(SpoolUnavailable):
            await self._ask(self._spool.close)

    def changed(self) -> None:
        """An outbox is not as it was."""
        self._changed.set()

    async def try_now(self) -> None:
        """Returns after a try that was under way or begins at once."""
        self._wanted.set()
        await self._tried.wait()

    def _open(self, lots: list[Lot]) -> "KeptOutbox":
        outbox = KeptOutbox(lots, self)
        self._outboxes.append(outbox)
        return outbox

    async def _ask(self, call: Callable[[], T]) -> T:
        """In the one thread that may use the spool; a call that hangs is left behind and holds up the next."""
        with trio.move_on_after(self._settings.spool_answer):
            return await trio.to_thread.run_sync(call, limiter=self._threads, abandon_on_cancel=True)
        raise SpoolUnavailable(f"its disk does not answer within {self._settings.spool_answer:g} s")

    async def _pause(self) -> None:
        self._wanted = trio.Event()
        with trio.move_on_after(self._settings.spool_retry):
            await self._wanted.wait()

    def _over(self, outboxes: "list[tuple[KeptOutbox, int]]", *, kept: bool) -> None:
        for outbox, version in outboxes:
            outbox.was_tried(version, kept=kept)
        self._tried.set()
        self._tried = trio.Event()

    def _note(self, error: SpoolUnavailable) -> None:
        if not self._trouble:
            log.error("the spool cannot be used: what the hub does not get is lost at the end", error=str(error))
        self._trouble = True

    def _fine(self, dropped: int) -> None:
        if self._trouble:
            log.info("the spool can be used again")
        if dropped and not self._full:
            log.error("the spool is full, its oldest events are dropped", dropped=dropped)
        self._trouble, self._full = False, bool(dropped)


class KeptOutbox(MemoryOutbox):
    """A core.outbox.Outbox whose copy on the disk follows it. The last of `lots` is the one that grows."""

    def __init__(self, lots: list[Lot], keeper: Keeper) -> None:
        super().__init__([update for lot in lots for update in lot.waiting])
        self.version = 0
        self._kept = self._failed = 0
        self._lots = lots
        self._ended = lots[-1].ended
        self._closed = False
        self._keeper = keeper

    @property
    def through(self) -> bool:
        """It is closed, and the disk knows."""
        return self._closed and self._kept == self.version

    def add(self, update: Update) -> None:
        """And saves it soon."""
        super().add(update)
        self._ended = self._ended or update.final
        self._change()

    def forget(self, position: Position) -> None:
        """On the disk as well, soon."""
        before = len(self.waiting)
        super().forget(position)
        if len(self.waiting) < before:
            self._change()

    def set_aside(self, update: Update, reason: str) -> None:
        """On the disk as well, soon."""
        super().set_aside(update, reason)
        self._change()

    def close(self) -> None:
        """Whoever comes next may have what is left."""
        self._closed = True
        self._change()

    async def kept(self) -> bool:
        """Tries at once where the spool could not be used before."""
        wanted = self.version
        while self._kept < wanted:
            if self._failed >= wanted:
                return False
            await self._keeper.try_now()
        return True

    def was_tried(self, version: int, *, kept: bool) -> None:
        """The disk has what it held at this version, or it is not known to."""
        if kept:
            self._kept = version
        else:
            self._failed = version

    def lots(self) -> list[Lot]:
        """What it holds now, by attempts."""
        return [
            msgspec.structs.replace(
                lot,
                waiting=tuple(update for update in self.waiting if update.attempt == lot.attempt),
                aside=tuple(refused for refused in self.aside if refused.update.attempt == lot.attempt),
                ended=self._ended if lot is self._lots[-1] else lot.ended,
                held=not self._closed,
            )
            for lot in self._lots
        ]

    def _change(self) -> None:
        self.version += 1
        self._keeper.changed()
