"""Daemon: what a process is beside its work: signals, and an end that comes in bounded time.

The first SIGTERM or SIGINT stops the copy, which is then reported as cancelled; the second waits for the hub no
more. A thread that hangs in the kernel could hold the process up, so a timer ends it soon after the grace, and
soon after the work's outcome is known.
"""

import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec
import trio

from clientd.app import Stops

T = TypeVar("T")

_LAST_RESORT = 2.0
"""Seconds after the outcome, the grace, or a second signal, until the process is ended without asking."""
_LAST_WORDS = 2.0
"""Seconds that an end without asking has for its last words."""


class Ended(msgspec.Struct, Generic[T], frozen=True):
    """What has come of the work, None if it was cancelled first; and the first signal that came, if any."""

    outcome: T | None
    signal: signal.Signals | None


Work = Callable[[Stops, Callable[[T], None]], Awaitable[object]]
"""Is told of signals through its Stops, and tells its outcome as soon as nothing can change it any more."""


def run(work: Work[T], *, grace: float, say: Callable[[Ended[T]], None], code: Callable[[Ended[T]], int]) -> int:
    """Runs the work, lets `say` have its last words, and returns the exit code.

    Where something hangs, `say` is called from another thread and the process ends there, with the same code: a
    little after the work told its outcome, or `grace` seconds after the first signal. `say` is called once.
    """
    leaving = _Leaving(say, code)
    trio.run(_supervise, work, leaving, grace)
    leaving.say()
    return leaving.code


def exit_code(number: signal.Signals) -> int:
    """As a shell shows the death by this signal: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + number


async def _supervise(work: Work[T], leaving: "_Leaving[T]", grace: float) -> None:
    stops = Stops()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as arriving:
        async with trio.open_nursery() as nursery:

            async def obey() -> None:
                patience = grace
                async for number in arriving:
                    leaving.signal = leaving.signal or signal.Signals(number)
                    stops.stop(f"stopped by {leaving.signal.name}")
                    stops.hurry(trio.current_time() + patience)
                    nursery.cancel_scope.deadline = trio.current_time() + patience + _LAST_RESORT / 2
                    leaving.after(patience + _LAST_RESORT)
                    patience = 0.0

            nursery.start_soon(obey)
            await work(stops, leaving.know)
            nursery.cancel_scope.cancel()


class _Leaving(Generic[T]):
    """The process's way out: what is known by now, and who says it."""

    def __init__(self, say: Callable[[Ended[T]], None], code: Callable[[Ended[T]], int]) -> None:
        self.signal: signal.Signals | None = None
        self._outcome: T | None = None
        self._say = say
        self._code = code
        self._said = threading.Lock()

    @property
    def code(self) -> int:
        return self._code(Ended(self._outcome, self.signal))

    def know(self, outcome: T) -> None:
        self._outcome = outcome
        self.after(_LAST_RESORT)

    def say(self) -> None:
        if self._said.acquire(blocking=False):
            self._say(Ended(self._outcome, self.signal))

    def after(self, seconds: float) -> None:
        _in(seconds, self._end_without_asking)

    def _end_without_asking(self) -> None:
        _in(_LAST_WORDS, lambda: os._exit(self.code))
        try:
            self.say()
        finally:
            os._exit(self.code)


def _in(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
