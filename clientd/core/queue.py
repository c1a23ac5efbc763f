"""Queue: the daemon's jobs, which of them may begin now, and what becomes of each after a stop or a crash.

        submit ──▶ queued ──begin──▶ running ──end──▶ completed | failed | cancelled
                     ▲                  │
                     └── stop, crash ───┘

Nothing here keeps anything: whoever holds the queue saves every entry that comes back changed.
"""

import posixpath
from typing import Literal, Protocol

import msgspec

from clientd.core.address import is_uri
from clientd.core.order import Order

State = Literal["queued", "running", "completed", "failed", "cancelled"]
Ending = Literal["completed", "failed", "cancelled"]

FINAL: frozenset[State] = frozenset({"completed", "failed", "cancelled"})


_INTERRUPTED = "interrupted: clientd ended while it ran"


class Refused(Exception):
    """The queue does not take this: `code` for programs, the sentence for people. Nothing has changed."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One submission. `number` is its place, and never another's.

    `attempt` is the last that began, 0 before the first. `crashes` counts the attempts in a row that ended with
    their process. `unwanted` is why it is to come to the end `wish`: it then never begins again. `origin` says
    which file it came from. `ended` is when, as RFC 3339; with it come the last counters.
    """

    number: int
    order: Order
    state: State = "queued"
    attempt: int = 0
    crashes: int = 0
    unwanted: str = ""
    wish: Ending = "cancelled"
    origin: str = ""
    error: str = ""
    ended: str = ""
    bytes_transferred: int = 0
    total_bytes: int | None = None

    @property
    def job_id(self) -> str:
        """The job's."""
        return self.order.job_id

    @property
    def over(self) -> bool:
        """It has come to its end."""
        return self.state in FINAL

    def begun(self, attempt: int) -> "Entry":
        """Its next attempt runs."""
        return msgspec.structs.replace(self, state="running", attempt=attempt)

    def numbered(self, attempt: int) -> "Entry":
        """An attempt has begun that only tells its end."""
        return msgspec.structs.replace(self, attempt=attempt)

    def stopped(self) -> "Entry":
        """The daemon stops: it waits for the next start, which goes on with it."""
        return msgspec.structs.replace(self, state="queued", crashes=0)

    def crashed(self) -> "Entry":
        """Its process ended under it: it waits again."""
        return msgspec.structs.replace(self, state="queued", crashes=self.crashes + 1)

    def to_end(self, wish: Ending, why: str) -> "Entry":
        """It is to come to this end. The first reason counts."""
        return self if self.unwanted else msgspec.structs.replace(self, unwanted=why, wish=wish)

    def finished(
        self, state: Ending, error: str, when: str, bytes_transferred: int = 0, total_bytes: int | None = None
    ) -> "Entry":
        """It has come to this end."""
        return msgspec.structs.replace(
            self,
            state=state,
            error=error,
            ended=when,
            bytes_transferred=bytes_transferred,
            total_bytes=total_bytes,
        )


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Most jobs that run at once, that wait, and that are remembered after their end; most crashes in a row."""

    at_once: int
    waiting: int
    remembered: int
    crashes: int


class Store(Protocol):
    """Where entries outlive the process. Blocking calls, made from one thread at a time.

    Each is all or nothing, and on stable storage when it returns. Raises SpoolUnavailable: then nothing is known
    to be kept, and the same call may be made again later.
    """

    def load(self) -> list[Entry]:
        """All of them. One that is damaged is set aside and logged."""
        ...

    def save(self, entry: Entry) -> None:
        """In place of what had its number."""
        ...

    def forget(self, number: int) -> None:
        """The entry of that number, if there is one."""
        ...


class MemoryStore:
    """Lives and dies with the process."""

    def __init__(self) -> None:
        self.kept: dict[int, Entry] = {}

    def load(self) -> list[Entry]:
        """All of them."""
        return list(self.kept.values())

    def save(self, entry: Entry) -> None:
        """In place of what had its number."""
        self.kept[entry.number] = entry

    def forget(self, number: int) -> None:
        """The entry of that number."""
        self.kept.pop(number, None)


class Queue(msgspec.Struct, frozen=True):
    """All entries by number, in the order of their submission."""

    entries: dict[int, Entry] = {}
    last: int = 0

    def put(self, entry: Entry) -> "Queue":
        """With the entry, new or in place of what it was."""
        entries = {**self.entries, entry.number: entry}
        return Queue(dict(sorted(entries.items())), max(self.last, entry.number))

    def without(self, entry: Entry) -> "Queue":
        """As if it had not been."""
        return Queue({number: each for number, each in self.entries.items() if number != entry.number}, self.last)

    def active(self, job_id: str) -> Entry | None:
        """The entry of this job that waits or runs."""
        return next((each for each in self.entries.values() if each.job_id == job_id and not each.over), None)

    def of_origin(self, origin: str) -> Entry | None:
        """The entry that came from this file."""
        return next((each for each in self.entries.values() if each.origin == origin), None)

    def count(self, state: State) -> int:
        """Entries in this state."""
        return sum(each.state == state for each in self.entries.values())

    def submit(self, order: Order, origin: str, limits: Limits) -> Entry:
        """The new entry, at the end. Raises Refused where the job is there already, or the queue is full."""
        there = self.active(order.job_id)
        if there is not None:
            what = "running already" if there.state == "running" else "in the queue already"
            raise Refused("duplicate", f"the job '{order.job_id}' is {what}: wait for its end, or cancel it")
        if self.count("queued") >= limits.waiting:
            raise Refused("full", f"{limits.waiting} jobs wait already: submit it again when some have begun")
        return Entry(number=self.last + 1, order=order, origin=origin)

    def next(self, limits: Limits) -> Entry | None:
        """The first that waits and may begin now; None for none.

        One whose disks a running job writes, or that would write a disk which a running job uses, waits for it.
        """
        running = [each.order for each in self.entries.values() if each.state == "running"]
        if len(running) >= limits.at_once:
            return None
        waiting = (each for each in self.entries.values() if each.state == "queued" and not each.unwanted)
        return next((each for each in waiting if not _collides(each.order, running)), None)

    def dismissed(self) -> list[Entry]:
        """Those that wait for nothing but their end."""
        return [each for each in self.entries.values() if each.state == "queued" and each.unwanted]

    def forgotten(self, limits: Limits) -> list[Entry]:
        """The entries that ended first, beyond those that are remembered."""
        over = sorted((each for each in self.entries.values() if each.over), key=lambda each: each.ended)
        return over[: max(len(over) - limits.remembered, 0)]


def resumed(entry: Entry, limits: Limits, *, resume: bool) -> Entry:
    """What becomes, at the daemon's start, of an entry that ran when its process ended.

    It waits for its next attempt, unless its end is wanted: by an operator, by the settings, or because the daemon
    ended too often under it.
    """
    after = entry.crashed()
    if not resume:
        return after.to_end("failed", f"{_INTERRUPTED}, and such jobs are not gone on with (resume = false)")
    if after.crashes > limits.crashes:
        return after.to_end("failed", f"{_INTERRUPTED}, {after.crashes} times in a row")
    return after


def _collides(order: Order, running: list[Order]) -> bool:
    ours, theirs = _targets(order), set[str]().union(*map(_targets, running))
    used = theirs.union(*(_sources(each) for each in running))
    return bool(ours & used or _sources(order) & theirs)


def _targets(order: Order) -> set[str]:
    return {_place(disk.target) for disk in order.disks}


def _sources(order: Order) -> set[str]:
    return {_place(disk.source) for disk in order.disks if disk.source}


def _place(name: str) -> str:
    """One for all spellings of a path; links are for those who may look at disks."""
    return name if is_uri(name) else posixpath.normpath("/" + name.lstrip("/"))
