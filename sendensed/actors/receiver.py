"""Receiver: takes an update at the door, hands it to the writer, and waits until it is committed."""

import math
from collections.abc import Callable, Sequence

import trio
from msgspec.structs import replace

from schemas import batch, telemetry, usual
from schemas.fault import Invalid
from schemas.telemetry import Telemetry
from sendensed.actors.asks import Ask
from sendensed.actors.hearing import Hearing
from sendensed.actors.lag import Lag
from sendensed.core.answer import Answer, Refusal
from sendensed.core.batch import Cancel, Post
from sendensed.core.rate import Gate, Rate
from sendensed.intake import Intake
from sendensed.receipt import Call, Receipt

_HELD_BACK = 0.5
"""Seconds until a sender is told that it was not even read: it has one connection, or a few, and waits for its
answers, so that a flood of refusals takes little of the time that commits need (what others call a tarpit)."""
FULL = Refusal(503, "queue_full", "the hub has more to commit than it can hold; send the newest state again later")
SLOW = Refusal(503, "not_committed_in_time", "the commit takes too long; send the newest state again later")
DRAINING = Refusal(503, "draining", "the hub is stopping; send the newest state again later")
BEHIND = Refusal(
    503, "behind", "the hub is behind with its work; send the newest state again later", pause=_HELD_BACK
)
FLOODED = replace(FULL, pause=_HELD_BACK)

_ENDS = (b"completed", b"failed", b"cancelled")
"""What a body holds that tells the end of a job: it is read even when the loop is behind."""
_BUSY = 0.02
"""Seconds by which the loop of a hub is behind that is busy with requests, not waiting for its database. Then a
full queue is a flood, and nothing but ends is read; else what finds the queue full is read, as it may conflate."""
_FLOOD = 3.0
"""Seconds for which a flood is believed in: what is not read leaves the loop time, and that looks like calm."""
_LOOK = 0.25
"""Seconds between two looks for those who have waited too long; an answer may be that much later."""


class Receiver:
    """The door to the writer.

    All wait equally long, so the one that came first is the first to have waited too long: one task looks at
    the oldest, where a deadline for each would cost as much as reading the update.
    """

    def __init__(
        self,
        intake: Intake[Ask],
        hearing: Hearing,
        deadline: float,
        *,
        pace: Rate | None = None,
        lag: float = math.inf,
    ) -> None:
        """`deadline` is the longest wait for a commit, in seconds; `pace` what each appliance may send; `lag` how
        far the loop may be behind, in seconds, before updates are refused unread."""
        self._intake = intake
        self._pace = pace
        self._longest_lag = lag
        self._lag = Lag()
        self._gates: dict[str, Gate] = {}
        self._hearing = hearing
        self._deadline = deadline
        self._flooded_until = -math.inf
        self._waiting: dict[Receipt | Call, float] = {}
        self._draining = trio.Event()

    @property
    def queue_depth(self) -> int:
        """Updates that wait for the writer."""
        return len(self._intake)

    @property
    def queue_limit(self) -> int:
        """How many may."""
        return self._intake.room.count

    async def run(self) -> None:
        """Ends the waits that are too long. Returns when told to drain and nobody waits any more."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._lag.run)
            while self._waiting or not self._draining.is_set():
                if self._draining.is_set():
                    await trio.sleep(_LOOK)
                else:
                    with trio.move_on_after(_LOOK):
                        await self._draining.wait()
                late = trio.current_time() - self._deadline
                for receipt in [one for one, since in self._waiting.items() if since <= late]:
                    self._hearing.refused += 1
                    receipt.settle(SLOW)
            nursery.cancel_scope.cancel()

    def drain(self) -> None:
        """No more will come in; `run` returns once all have their answer."""
        self._draining.set()

    async def accept(self, job_type: str, job_id: str, content: bytes, appliance: str = "") -> Answer:
        """Returns what the sender is told, after the commit. `run` bounds the wait.

        `appliance` is the sender's, '' where nobody is asked. Raises schemas.fault.Invalid for a body outside the
        contract, before anything is queued. A full queue, a stopping hub and a commit that takes too long are
        refusals; in the last case the update may still be committed: the sender's next try is then a duplicate.
        """
        if refusal := self._shed(content) or self._meter(appliance, (job_id,)):
            return refusal
        update = telemetry.parse(job_type, job_id, content)
        receipt = Receipt()
        return self._offer(update, receipt, len(content), appliance) or await self._answer(receipt)

    def take(
        self, job_type: str, job_id: str, content: bytes, appliance: str, tell: Callable[[Answer], None]
    ) -> None:
        """As `accept`, for a request that no task waits for: `tell` is called with the answer, be it at once.

        `job_type` and `job_id` are known to be ones.
        """
        if refusal := self._shed(content) or self._meter(appliance, (job_id,)):
            tell(refusal)
            return
        update = usual.parse(job_type, job_id, content)

        def settled(call: Call, answer: Answer) -> None:
            del self._waiting[call]
            tell(answer)

        if refusal := self._offer(update, Call(settled), len(content), appliance):
            tell(refusal)

    async def accept_batch(self, content: bytes, appliance: str = "") -> Refusal | list[Answer | Invalid]:
        """Returns what is told of each row, in their order, after the commits; or that all of it is refused.

        Raises schemas.fault.Invalid where the whole is no batch. A row that is none hurts no other.
        """
        if refusal := self._shed(content):
            return refusal
        rows = batch.parse(content)
        ids = [row.update.job_id for row in rows if isinstance(row.update, Telemetry)]
        if refusal := self._meter(appliance, ids):
            return refusal
        told: list[Answer | Invalid | Receipt] = []
        for row in rows:
            if isinstance(row.update, Invalid):
                told.append(row.update)
                continue
            receipt = Receipt()
            told.append(self._offer(row.update, receipt, row.size, appliance) or receipt)
        return [await self._answer(one) if isinstance(one, Receipt) else one for one in told]

    async def cancel(self, job_id: str, who: str) -> Answer:
        """Returns what an operator is told who wants the job to end, after the commit of his wish."""
        receipt = Receipt()
        try:
            self._intake.send_nowait(Cancel(job_id, who, self._hearing.clock.now(), receipt))
        except trio.WouldBlock:
            return FULL
        except trio.ClosedResourceError:
            return DRAINING
        self._waiting[receipt] = trio.current_time()
        return await self._answer(receipt)

    def _shed(self, content: bytes) -> Refusal | None:
        """The refusal of what is not even read: the loop is behind, or the queue full.

        To read what will be refused takes the time of what would be committed: under a flood, all of it.
        """
        is_behind = self._lag.seconds > self._longest_lag
        if (is_behind or self._is_flooded()) and not any(end in content for end in _ENDS):
            self._hearing.refused += content.count(b'"job_id"') or 1
            return BEHIND if is_behind else FLOODED
        return None

    def _is_flooded(self) -> bool:
        """Whether the queue is full because too much comes in, and not because the database takes nothing."""
        if not self._intake.is_full:
            return False
        now = trio.current_time()
        if self._lag.seconds > _BUSY:
            self._flooded_until = now + _FLOOD
        return now < self._flooded_until

    def _meter(self, appliance: str, ids: Sequence[str]) -> Refusal | None:
        """The refusal of updates of these jobs where their appliance is too fast."""
        if not appliance or self._pace is None:
            return None
        gate = self._gates.get(appliance)
        if gate is None:
            gate = self._gates[appliance] = Gate(self._pace)
        wait = gate.wait(ids, trio.current_time())
        if wait is None:
            return None
        said = f"'{appliance}' sends more than {self._pace.steady:g} updates a second; send the newest state later"
        return Refusal(429, "too_fast", said, retry_after=wait)

    def _offer(self, update: Telemetry, receipt: Receipt | Call, size: int, appliance: str) -> Refusal | None:
        now = trio.current_time()
        at = self._hearing.clock.at(now)
        try:
            if not self._intake.offer(Post(update.job_id, update, at, receipt, appliance), size):
                self._hearing.refused += 1
                return FULL
        except trio.ClosedResourceError:
            return DRAINING
        self._hearing.taken += 1
        self._waiting[receipt] = now
        return None

    async def _answer(self, receipt: Receipt) -> Answer:
        try:
            return await receipt.wait()
        finally:
            del self._waiting[receipt]
