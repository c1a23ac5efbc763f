"""Receipt: what a request waits for, and the writer settles once its batch is committed.

A whole batch is settled at once; a receipt is one parked task, without a channel of its own. A `Call` is none
either: whoever is to be told is called.
"""

from collections.abc import Callable

import trio

from sendensed.core.answer import Answer


class Receipt:
    """One waiting request. Settled at most once; later settlements are ignored."""

    __slots__ = ("_answer", "_task")

    def __init__(self) -> None:
        self._answer: Answer | None = None
        self._task: trio.lowlevel.Task | None = None

    def settle(self, answer: Answer) -> None:
        """Gives the answer and wakes the waiting task. Harmless when nobody waits any more."""
        if self._answer is None:
            self._answer = answer
            if self._task is not None:
                trio.lowlevel.reschedule(self._task)
                self._task = None

    async def wait(self) -> Answer:
        """Returns the answer. The caller bounds the wait; cancellation leaves the update with the writer."""
        if self._answer is None:
            self._task = trio.lowlevel.current_task()

            def forget(_: object) -> trio.lowlevel.Abort:
                self._task = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(forget)
        assert self._answer is not None, "a settled receipt holds its answer"  # noqa: S101
        return self._answer


class Call:
    """One request that no task waits for. Settled at most once; later settlements are ignored."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[["Call", Answer], None]) -> None:
        self._tell: Callable[[Call, Answer], None] | None = tell

    def settle(self, answer: Answer) -> None:
        """Tells the answer; what is told must not raise."""
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(self, answer)
