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


class Receiver:
    """The door to the writer."""

    def __init__(self, intents: Outbox, hearing: Hearing, deadline: float) -> None:
        """`deadline` is the longest wait for a commit, in seconds."""
        self._intents = intents
        self._hearing = hearing
        self._deadline = deadline

    async def accept(self, job_type: str, job_id: str, content: bytes) -> Answer:
        """Returns what the sender is told, after the commit.

        Raises schemas.fault.Invalid for a body outside the contract, before anything is queued. A full
        queue, a stopping hub and a commit that takes too long are refusals; in the last case the update may
        still be committed, and the sender's next try is then a duplicate.
        """
        update = telemetry.parse(job_type, job_id, content)
        receipt = Receipt()
        try:
            self._intents.send_nowait(Post(update, self._hearing.clock.now(), receipt))
        except trio.WouldBlock:
            return FULL
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return DRAINING
        with trio.move_on_after(self._deadline):
            return await receipt.wait()
        return SLOW
