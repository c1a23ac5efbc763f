"""Receiver: takes an update at the door, hands it to the writer, and waits until it is committed."""

import trio

from schemas import telemetry
from sendensed.actors.writer import Hearing, Outbox
from sendensed.core.answer import Answer, Refusal
from sendensed.core.batch import Post
from sendensed.receipt import Receipt

FULL = Refusal(503, "queue_full", "the hub has more to commit than it can hold; send the newest state again later")
SLOW = Refusal(503, "not_committed_in_time", "the commit takes too long; send the newest state again later")
DRAINING = Refusal(503, "draining", "the hub is stopping; send the newest state again later")

_LOOK = 0.25
"""Seconds between two looks for those who have waited too long; an answer may be that much later."""


class Receiver:
    """The door to the writer.

    All wait equally long, so the one that came first is the first to have waited too long: one task looks at
    the oldest, where a deadline for each would cost as much as reading the update.
    """

    def __init__(self, intents: Outbox, hearing: Hearing, deadline: float) -> None:
        """`deadline` is the longest wait for a commit, in seconds."""
        self._intents = intents
        self._hearing = hearing
        self._deadline = deadline
        self._waiting: dict[Receipt, float] = {}
        self._draining = trio.Event()

    @property
    def queue_depth(self) -> int:
        """Updates that wait for the writer."""
        return self._intents.statistics().current_buffer_used

    @property
    def queue_limit(self) -> int:
        """How many may."""
        return int(self._intents.statistics().max_buffer_size)

    async def run(self) -> None:
        """Ends the waits that are too long. Returns when told to drain and nobody waits any more."""
        while self._waiting or not self._draining.is_set():
            if self._draining.is_set():
                await trio.sleep(_LOOK)
            else:
                with trio.move_on_after(_LOOK):
                    await self._draining.wait()
            late = trio.current_time() - self._deadline
            for receipt, since in self._waiting.items():
                if since > late:
                    break
                receipt.settle(SLOW)

    def drain(self) -> None:
        """No more will come in; `run` returns once all have their answer."""
        self._draining.set()

    async def accept(self, job_type: str, job_id: str, content: bytes, appliance: str = "") -> Answer:
        """Returns what the sender is told, after the commit. `run` bounds the wait.

        `appliance` is the sender's, '' where nobody is asked. Raises schemas.fault.Invalid for a body outside the
        contract, before anything is queued. A full queue, a stopping hub and a commit that takes too long are
        refusals; in the last case the update may still be committed: the sender's next try is then a duplicate.
        """
        update = telemetry.parse(job_type, job_id, content)
        receipt = Receipt()
        try:
            self._intents.send_nowait(Post(update, self._hearing.clock.now(), receipt, appliance))
        except trio.WouldBlock:
            return FULL
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return DRAINING
        self._waiting[receipt] = trio.current_time()
        try:
            return await receipt.wait()
        finally:
            del self._waiting[receipt]
