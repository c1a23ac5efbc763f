"""Answer: what a sender is told of one update, an operator of a wish, and the slip that takes it there."""

from typing import Protocol

import msgspec

from schemas.job import Stopping
from schemas.telemetry import Acknowledgement


class Refusal(msgspec.Struct, frozen=True):
    """An update that is not taken: the HTTP status, and what the fault body says.

    `retry_after` is whole seconds, where it is known when asking again is worth it; `pause` the seconds that the
    answer is held back.
    """

    status: int
    code: str
    message: str
    field: str | None = None
    retry_after: int | None = None
    pause: float = 0.0


Answer = Acknowledgement | Refusal | Stopping


def refusal(answer: Answer) -> Refusal:
    """The answer, which is known to be a refusal."""
    if not isinstance(answer, Refusal):
        raise AssertionError(f"no refusal: {answer}")
    return answer


class Slip(Protocol):
    """Where an answer is handed in; `sendensed.receipt` is the real one."""

    def settle(self, answer: Answer) -> None:
        """Takes the answer. The first one counts."""
