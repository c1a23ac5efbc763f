"""Measures: what the hubs of a host measure. Each writes its row, and whoever is asked adds up all of them.

The counters of a batch are written before its senders are answered (`Hearing.measure`); the rest here.
"""

import trio

from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.actors.receiver import Receiver
from sendensed.core import tally
from sendensed.core.tally import Standing, Tally

_PERIOD = 0.5
"""Seconds between two writes of this hub's row: another hub tells what is that old at the most."""


class Measures:
    """One hub's view of what all measure. `run` keeps its own row."""

    def __init__(self, hearing: Hearing, fanout: Fanout, receiver: Receiver) -> None:
        self._hearing = hearing
        self._fanout = fanout
        self._receiver = receiver

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            self._write()
            await trio.sleep(_PERIOD)

    def read(self) -> Tally:
        """All hubs' figures; this one's are those of now."""
        self._write()
        return tally.read(self._hearing.place.rows())

    def _write(self) -> None:
        gauges, at = self._hearing.gauges, trio.current_time()
        gauges.viewer_skips = self._fanout.skips
        stands = Standing(
            serves=True,
            is_ready=self._hearing.is_ready,
            uptime=at - gauges.started_at,
            queue_depth=self._receiver.queue_depth,
            queue_limit=self._receiver.queue_limit,
            viewers=self._fanout.viewers,
        )
        self._hearing.place.count(tally.counters(gauges))
        self._hearing.place.stand(tally.standing(gauges, at, stands))
