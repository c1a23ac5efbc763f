"""Rig: a writer and what belongs to it, on a memory store and trio's test clock."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha512

import trio

from schemas.telemetry import Telemetry
from sendensed.actors.hearing import Hearing
from sendensed.actors.writer import Writer
from sendensed.clock import Clock
from sendensed.config import Config
from sendensed.core.answer import Answer
from sendensed.core.batch import Post
from sendensed.core.model import Job
from sendensed.intake import Intake
from sendensed.mailbox import Mailbox
from sendensed.receipt import Receipt
from sendensed.store import Store
from sendensed.store.memory import MemoryStore
from sendensed.store.memory_archive import MemoryArchive

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)


class Quiet:
    """An environment in which nothing is random and nothing fails."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._secrets = 0

    def wall(self) -> datetime:
        return NIGHT

    def random(self) -> float:
        return 0.5

    def new_id(self) -> str:
        return "id"

    def secret(self, size: int) -> bytes:
        self._secrets += 1
        return sha512(str(self._secrets).encode()).digest()[:size]

    async def failpoint(self, name: str) -> None:
        self.passed.append(name)


class Intents(Intake):
    """The real queue; whoever has a clone of it leaves it open."""

    def clone(self) -> "Intents":
        return self


class Rig:
    """`store` may stand on `memory`; `intents` is the writer's door."""

    def __init__(
        self, settings: Config, store: Store | None = None, memory: MemoryStore | None = None, hub: str = "hub"
    ) -> None:
        self.started = trio.current_time()
        self.memory = memory or MemoryStore(self.wall)
        self.store = store or self.memory
        self.archive = MemoryArchive(self.memory)
        self.settings = settings
        self.hearing = Hearing(Clock(NIGHT), hub, settings.reaper.limits, settings.reaper.mass)
        self.committed: Mailbox[str, Job] = Mailbox()
        self.environment = Quiet()
        self.intents = self.inbox = Intents(settings.writer.room)
        self.writer = Writer(self.store, self.hearing, self.committed, settings, self.environment, self._live)
        self.signs = 0

    def _live(self) -> None:
        self.signs += 1

    def wall(self) -> datetime:
        """The store's clock: the night, and trio's clock since."""
        return NIGHT + timedelta(seconds=trio.current_time() - self.started)

    @asynccontextmanager
    async def running(self):
        """The writer at work; at the end its inbox closes and it has to return."""
        began = trio.current_time()
        pulse = await self.memory.beat(self.hearing.hub, self.settings.reaper.gap, restart=True)
        self.hearing.clock.sync(pulse.now)
        self.hearing.take(pulse, began)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.writer.run, self.inbox)
            with self.intents:
                yield nursery

    def post(self, job_id: str, sequence: int | None, **fields: object) -> Receipt:
        """Queues an update without waiting for it."""
        said = {"job_type": "backup", "job_id": job_id, "status": "running", "sequence": sequence, **fields}
        receipt = Receipt()
        update = Telemetry(**said)
        assert self.intents.offer(Post(update.job_id, update, self.hearing.clock.now(), receipt), 100)
        return receipt

    async def send(self, job_id: str, sequence: int | None, **fields: object) -> Answer:
        """Queues an update and waits for its answer."""
        return await self.post(job_id, sequence, **fields).wait()

    async def stored(self, job_id: str) -> Job:
        found = await self.store.job(job_id)
        return found[0]
