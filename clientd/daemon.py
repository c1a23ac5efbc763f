"""Daemon: what a process is beside its work: signals, and an end that comes in bounded time.

The first SIGTERM or SIGINT stops the copy, which is then reported as cancelled; the second cancels at once. A
thread that hangs in the kernel could hold the process up, so a timer ends it soon after the grace.
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
"""Seconds after the grace, or after a second signal, until the process is ended without asking."""


class Ended(msgspec.Struct, Generic[T], frozen=True):
    """What the work returned, None if it was cancelled; and the first signal that came, if any."""

    outcome: T | None
    signal: signal.Signals | None


async def supervise(work: Callable[[Stops], Awaitable[T]], *, grace: float) -> Ended[T]:
    """Runs the work until it returns, or until `grace` seconds after the first signal.

    The work is told of the signal through its Stops, and has the grace to report and to clean up.
    """
    stops = Stops()
    signals: list[signal.Signals] = []
    outcome: T | None = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as arriving:
        async with trio.open_nursery() as nursery:

            async def obey() -> None:
                async for number in arriving:
                    signals.append(signal.Signals(number))
                    stops.stop(f"stopped by {signals[0].name}")
                    again = len(signals) > 1
                    nursery.cancel_scope.deadline = trio.current_time() + (0 if again else grace)
                    _end_without_asking(_LAST_RESORT + (0 if again else grace), exit_code(signals[0]))

            nursery.start_soon(obey)
            outcome = await work(stops)
            nursery.cancel_scope.cancel()
    return Ended(outcome, signals[0] if signals else None)


def exit_code(number: signal.Signals) -> int:
    """As a shell shows the death by this signal: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + number


def _end_without_asking(seconds: float, code: int) -> None:
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
