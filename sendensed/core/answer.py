"""Answer: what a sender is told of one update, an operator of a wish, and the slip that takes it there."""

from typing import Literal, Protocol

import msgspec

from schemas.telemetry import Acknowledgement


class Refusal(msgspec.Struct, frozen=True):
    """An update that is not taken: the HTTP status, and what the fault body says."""

    status: int
    code: str
    message: str
    field: str | None = None


class Stopped(msgspec.Struct, frozen=True):
    """A wish to cancel that was taken: the sender has still to hear of it, or the job is over."""

    status: Literal["cancelling", "cancelled"]


Answer = Acknowledgement | Refusal | Stopped


class Slip(Protocol):
    """Where an answer is handed in; `sendensed.receipt` is the real one."""

    def settle(self, answer: Answer) -> None:
        """Takes the answer. The first one counts."""
