"""Memory: a spool that lives and dies with the process, for tests and for a simulator.

A shelf stands for the state directory: the spools on it stand for processes, and `vanish` for a kill.
"""

from collections.abc import Collection, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from clientd.core import spool
from clientd.core.outbox import Refused, Update
from clientd.core.spool import Begun, Holding, Limits, Lot
from clientd.environment import Environment
from schemas import codec

_NOBODY = 0


class _Entry(msgspec.Struct):
    """One attempt as it stands. `begun` orders attempts by their begin."""

    lot: Lot
    owner: int
    begun: int


class Shelf:
    """What several spools share."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, int], _Entry] = {}
        self.alive: set[int] = set()
        self.owners = 0
        self.begun = 0


class MemorySpool:
    """A core.spool.Spool on a shelf."""

    def __init__(
        self, environment: Environment, *, limits: Limits, sender: str, shelf: Shelf | None = None
    ) -> None:
        self._shelf = shelf or Shelf()
        self._environment = environment
        self._limits = limits
        self._sender = sender
        self._shelf.owners += 1
        self._owner = self._shelf.owners
        self._shelf.alive.add(self._owner)

    def begin(self, job_id: str, job_type: str, attempt: int | None) -> Begun:
        """A new attempt, ours."""
        known = sorted(self._of(job_id))
        chosen = attempt or max(known, default=0) + 1
        left = []
        for other in known:
            entry = self._shelf.entries[job_id, other]
            if other < chosen and self._is_gone(entry.owner):
                entry.owner = self._owner
                entry.lot = replace(entry.lot, ended=True)
                left.append(self._plain(entry.lot))
        self._put(Lot(job_id, job_type, chosen))
        self._tidy()
        return Begun(chosen, tuple(lot for lot in left if lot.waiting))

    def save(self, lots: Sequence[Lot]) -> int:
        """As the lots say."""
        for lot in lots:
            entry = self._shelf.entries.get((lot.job_id, lot.attempt))
            if entry is None:
                entry = self._put(lot)
            if entry.owner == self._owner:
                aside = {refused.update.sequence: refused for refused in (*lot.aside, *entry.lot.aside)}
                waiting = tuple(update for update in lot.waiting if update.sequence not in aside)
                entry.lot = replace(lot, waiting=waiting, aside=tuple(aside.values()))
                entry.owner = self._owner if lot.held else _NOBODY
        self._tidy()
        return self._make_room()

    def claim(self, most: int, resuming: Collection[str] = ()) -> list[Lot]:
        """The oldest first."""
        found: list[Lot] = []
        for (job_id, attempt), entry in sorted(self._shelf.entries.items(), key=lambda each: each[1].begun):
            last = attempt == max(self._of(job_id))
            awaited = last and job_id not in resuming and not entry.lot.ended
            if self._is_gone(entry.owner) and (entry.lot.waiting or awaited) and len(found) < most:
                entry.owner = self._owner
                entry.lot = replace(entry.lot, held=True, ended=entry.lot.ended or not last)
                if awaited:
                    timestamp = codec.rfc3339(self._environment.wall())
                    entry.lot = spool.interrupted(entry.lot, self._environment.moment(), timestamp, self._sender)
                found.append(self._plain(entry.lot))
        return found

    def holding(self) -> Holding:
        """Counted now."""
        events = list(self._events())
        waiting = [lot.job_id for lot, _, refused in events if refused is None]
        size = sum(len(codec.encode(update.body)) for _, update, _ in events)
        return Holding(len(waiting), len(set(waiting)), len(events) - len(waiting), size)

    def close(self) -> None:
        """Lets go of what is held."""
        self.vanish()

    def vanish(self) -> None:
        """As if the process was killed."""
        self._shelf.alive.discard(self._owner)

    def _of(self, job_id: str) -> list[int]:
        return [attempt for name, attempt in self._shelf.entries if name == job_id]

    def _is_gone(self, owner: int) -> bool:
        return owner != self._owner and owner not in self._shelf.alive

    def _put(self, lot: Lot) -> _Entry:
        self._shelf.begun += 1
        entry = _Entry(lot, self._owner, self._shelf.begun)
        self._shelf.entries[lot.job_id, lot.attempt] = entry
        return entry

    def _plain(self, lot: Lot) -> Lot:
        return replace(lot, aside=())

    def _events(self) -> Iterator[tuple[Lot, Update, Refused | None]]:
        for entry in self._shelf.entries.values():
            for update in entry.lot.waiting:
                yield entry.lot, update, None
            for refused in entry.lot.aside:
                yield entry.lot, refused.update, refused

    def _tidy(self) -> None:
        entries = self._shelf.entries
        newest = sorted(entries.values(), key=lambda entry: entry.begun)[-self._limits.jobs :]
        for (job_id, attempt), entry in list(entries.items()):
            empty = entry.lot.ended and not entry.lot.waiting and not entry.lot.aside
            if empty and (attempt < max(self._of(job_id)) or entry not in newest):
                del entries[job_id, attempt]

    def _make_room(self) -> int:
        def order(event: tuple[Lot, Update, Refused | None]) -> tuple[bool, bool, float]:
            _, update, refused = event
            return refused is None, update.final, update.made.wall

        dropped = 0
        while self._is_over():
            lot, update, _ = min(self._events(), key=order)
            entry = self._shelf.entries[lot.job_id, lot.attempt]
            entry.lot = replace(
                entry.lot,
                waiting=tuple(each for each in entry.lot.waiting if each is not update),
                aside=tuple(each for each in entry.lot.aside if each.update is not update),
            )
            dropped += 1
        return dropped

    def _is_over(self) -> bool:
        held = self.holding()
        return held.waiting + held.aside > self._limits.events or held.bytes > self._limits.bytes
