"""Writer: the one actor that changes jobs. Batches intents, merges, commits, acknowledges, publishes.

inbox (Block) ─▶ batch ─▶ plan against cached rows ─▶ save ─▶ receipts ─▶ committed (Latest)
                              ▲                         │
                              └── load, plan again ◀────┘ guard did not hold, outcome unknown
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import structlog
import trio

from sendensed import config
from sendensed.actors.asks import Beat, Inbox
from sendensed.actors.hearing import Hearing
from sendensed.core import batch, samples
from sendensed.core.answer import Refusal
from sendensed.core.model import Job
from sendensed.environment import Environment
from sendensed.mailbox import Mailbox
from sendensed.store import Change, RowRefused, Store, StoreUnavailable

log = structlog.get_logger()

AWAY = Refusal(503, "database_away", "the hub cannot commit now; send the newest state again later")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two tries while the database is away or other hubs are faster."""
_LANES = 3
"""Batches under way at once: some commit while the next is merged and sent. Two leave the hub waiting, four make
the batches small."""
_NEWEST = 0.1
"""Weight of the newest batch in the usual size of one."""


_Attempt = tuple[batch.Plan, float]
"""A plan that was sent to the store, and when, by trio's time."""


class Writer:
    """The actor's state: the rows lately seen, and how it speaks to the store.

    `alive` is called after every beat that has come through the queue, whatever the store said to it: a database
    that is away is no reason to start the hub again, a writer that is stuck is.
    """

    def __init__(
        self,
        store: Store,
        hearing: Hearing,
        committed: Mailbox[str, Job],
        settings: config.Config,
        environment: Environment,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._alive = alive
        self._store = store
        self._hearing = hearing
        self._committed = committed
        self._settings = settings
        self._environment = environment
        self._cache: OrderedDict[str, Job] = OrderedDict()
        self._gathering = trio.Lock()
        self._busy: set[str] = set()
        self._held: list[batch.Intent | Beat] = []
        self._freed = trio.Event()
        self._usual = 1.0
        self._failed_at = -math.inf

    async def run(self, inbox: Inbox) -> None:
        """Returns when the inbox has ended and everything of it is committed or answered with a refusal.

        Cancelled, it leaves the batches under way with an unknown outcome; who waits for them gets no answer.
        """
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(_LANES):
                    nursery.start_soon(self._lane, inbox)
        finally:
            self._committed.close()

    async def _lane(self, inbox: Inbox) -> None:
        """One batch after the other, until there are no more. While one lane commits, the other merges."""
        while taken := await self._gather(inbox):
            try:
                await self._turn(taken)
            finally:
                self._busy.difference_update(_ids(taken))
                self._freed.set()

    async def _gather(self, inbox: Inbox) -> list[batch.Intent | Beat]:
        """The next batch; empty at the end. A job that another lane is busy with is held back, in order.

        A batch that is smaller than usual goes on as soon as a pass of the loop brings it nothing more: so all
        lanes get their share, where one would take the few that came first, at the cost of a whole batch.
        """
        async with self._gathering:
            before = 0
            while True:
                self._held.extend(self._more(inbox, self._settings.writer.batch - len(self._held)))
                taken, held, ids = self._parted()
                if before < len(taken) < self._usual:
                    before = len(taken)
                    await trio.lowlevel.checkpoint()
                elif taken:
                    self._held = held
                    self._busy |= ids
                    self._usual += _NEWEST * (len(taken) - self._usual)
                    return taken
                elif self._held:
                    self._freed = trio.Event()
                    await self._freed.wait()
                else:
                    try:
                        self._held.append(await inbox.receive())
                    except trio.EndOfChannel:
                        return []

    def _parted(self) -> tuple[list[batch.Intent | Beat], list[batch.Intent | Beat], set[str]]:
        """Of those held back, those whose job no other lane is busy with; the others; the jobs of the first."""
        ids = _ids(self._held)
        if ids.isdisjoint(self._busy):
            return self._held, [], ids
        taken: list[batch.Intent | Beat] = []
        held: list[batch.Intent | Beat] = []
        for one in self._held:
            is_free = isinstance(one, Beat) or one.job_id not in self._busy
            (taken if is_free else held).append(one)
        return taken, held, ids - self._busy

    def _more(self, inbox: Inbox, most: int) -> Iterable[batch.Intent | Beat]:
        for _ in range(most):
            try:
                yield inbox.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                return

    async def _turn(self, taken: Sequence[batch.Intent | Beat]) -> None:
        intents = [intent for intent in taken if not isinstance(intent, Beat)]
        if intents:
            # An update on an old row is caught by its guard; a verdict that finds nothing to change would not be.
            self._forget(intent for intent in intents if not isinstance(intent, batch.Post))
            await self._write(intents)
        if len(intents) < len(taken):
            await self._beat()
            self._alive()

    async def _beat(self) -> None:
        """Proves that the hub can hear: the store answers, and no commit has failed lately for good."""
        hearing, limits = self._hearing, self._settings.reaper.health
        if trio.current_time() - self._failed_at <= limits.gap:
            return
        before, at, refused = hearing.health, trio.current_time(), hearing.is_refusing
        restart = hearing.refuses() or not hearing.is_ready
        try:
            pulse = await self._store.beat(hearing.hub, limits.gap, restart=restart)
            step = hearing.clock.sync(pulse.now)
            if abs(step) > limits.step:
                pulse = await self._store.beat(hearing.hub, limits.gap, restart=True)
        except StoreUnavailable as error:
            log.warning("beat not answered", reason=str(error))
            return
        hearing.take(pulse, at)
        hearing.gauges.database.add(at, (trio.current_time() - at,))
        if hearing.health.healthy_since != before.healthy_since and not refused:
            why = "telemetry is refused" if hearing.is_refusing else "hearing was broken"
            log.warning(f"{why}, every job gets its grace", gap=at - before.beat_at, step=step)

    async def _write(self, intents: Sequence[batch.Intent]) -> None:
        """Writes until every intent is saved or refused, or patience with the store ends."""
        pause = _FIRST_PAUSE
        attempted: dict[str, _Attempt] = {}
        with trio.move_on_after(self._settings.writer.patience):
            while intents:
                try:
                    intents = await self._try(intents, attempted)
                except StoreUnavailable as error:
                    self._failed_at = trio.current_time()
                    log.warning("store unavailable, trying again", reason=str(error), intents=len(intents))
                    self._forget(intents)
                if intents:
                    await trio.sleep(pause * (0.5 + self._environment.random() / 2))
                    pause = min(2 * pause, _LONGEST_PAUSE)
        if intents:
            self._failed_at = trio.current_time()
            self._forget(intents)
            for intent in intents:
                if not isinstance(intent, batch.Silence):
                    intent.receipt.settle(AWAY)

    async def _try(self, intents: Sequence[batch.Intent], attempted: dict[str, _Attempt]) -> list[batch.Intent]:
        """One transaction; returns the intents whose rows somebody else changed meanwhile.

        `attempted` holds the plans of a transaction whose outcome is unknown, and when it began. Those that had
        landed are measured and answered as planned; the others are merged again.
        """
        jobs = await self._jobs({intent.job_id for intent in intents})
        landed = {job_id for job_id, (plan, _) in attempted.items() if jobs.get(job_id) == plan.stored}
        if landed:
            found = [attempted[job_id][0] for job_id in landed]
            self._hearing.measure(found, landed, min(began for _, began in attempted.values()))
            self._settle(found, landed)
        attempted.clear()
        intents = [intent for intent in intents if intent.job_id not in landed]
        plans = list(batch.plan(intents, jobs, self._hearing.judge()).values())
        await self._environment.failpoint("writer.merged")
        changes = [plan for plan in plans if plan.is_change]
        began = trio.current_time()
        attempted.update({plan.intents[0].job_id: (plan, began) for plan in changes})
        saved = await self._save(changes)
        attempted.clear()
        if saved or landed:
            self._failed_at = -math.inf
        self._hearing.measure(plans, saved, began)
        await self._environment.failpoint("writer.committed")
        return self._settle(plans, saved)

    async def _jobs(self, ids: set[str]) -> dict[str, Job]:
        jobs, unknown = {}, []
        for job_id in ids:
            job = self._cache.get(job_id)
            if job is None:
                unknown.append(job_id)
            else:
                self._cache.move_to_end(job_id)
                jobs[job_id] = job
        if unknown:
            jobs |= await self._store.load(unknown)
        return jobs

    async def _save(self, plans: list[batch.Plan]) -> set[str]:
        """Saves the plans; one that the store refuses is found by halving and answered so, alone."""
        changes = [
            Change(plan.job, plan.before, tuple(plan.events), samples.is_due(plan.before, plan.job))
            for plan in plans
            if plan.job is not None
        ]
        if not changes:
            return set()
        try:
            return await self._store.save(changes)
        except RowRefused as error:
            if len(plans) > 1:
                middle = len(plans) // 2
                return await self._save(plans[:middle]) | await self._save(plans[middle:])
            log.error("the store refuses a row", job_id=plans[0].intents[0].job_id, reason=str(error))
            plans[0].refuse(Refusal(400, "unstorable", "the update holds a value that cannot be stored"))
            return set()

    def _settle(self, plans: list[batch.Plan], saved: set[str]) -> list[batch.Intent]:
        again: list[batch.Intent] = []
        news: dict[str, Job] = {}
        for plan in plans:
            if plan.is_change and (stored := plan.stored) is not None:
                if stored.id not in saved:
                    self._cache.pop(stored.id, None)
                    again.extend(plan.intents)
                    continue
                news[stored.id] = stored
                _log_verdicts(plan)
            for receipt, answer in plan.answers:
                receipt.settle(answer)
        self._remember(news)
        self._committed.put(news)
        return again

    def _remember(self, jobs: dict[str, Job]) -> None:
        self._cache.update(jobs)
        for job_id in jobs:
            self._cache.move_to_end(job_id)
        while len(self._cache) > self._settings.writer.cache:
            self._cache.popitem(last=False)

    def _forget(self, intents: Iterable[batch.Intent]) -> None:
        for intent in intents:
            self._cache.pop(intent.job_id, None)


def _log_verdicts(plan: batch.Plan) -> None:
    for event in plan.events:
        if event.said_by == "reaper":
            log.warning(
                "verdict", job_id=event.job_id, status=event.status, kind=event.kind, evidence=event.detail
            )


def _ids(intents: Iterable[batch.Intent | Beat]) -> set[str]:
    return {intent.job_id for intent in intents if not isinstance(intent, Beat)}
