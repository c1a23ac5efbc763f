"""Past: learns how near the estimates of earlier runs came, of the machines that have a run now.

The ranges of their times left are then no narrower than that, and need not be as wide as where nothing is known.
"""

from collections.abc import MutableMapping

import structlog
import trio

from schemas.job import ACTIVE
from sendensed.core import prediction
from sendensed.core.board import Board
from sendensed.core.view import Filter
from sendensed.store import StoreUnavailable
from sendensed.store.archive import Archive

log = structlog.get_logger()

_LOOK = 10.0
"""Seconds between two looks: the first estimate of a run comes after 30."""
_FRESH = 3600.0
"""Seconds for which what was learnt is believed: a machine hardly ends more runs than one in that time."""
_AT_ONCE = 100
"""Machines asked for in one statement, of 100 runs each."""
_RUNNING = Filter(statuses=frozenset(ACTIVE))


async def run(archive: Archive, board: Board, past: MutableMapping[str, float]) -> None:
    """Keeps `past`, machine by machine, until it is cancelled. What the store does not tell is asked again."""
    read_at: dict[str, float] = {}
    while True:
        running = {entry.job.vm_name for entry in board.snapshot(_RUNNING)} - {""}
        for gone in read_at.keys() - running:
            del read_at[gone]
            past.pop(gone, None)
        stale = trio.current_time() - _FRESH
        wanted = sorted(name for name in running if read_at.get(name, stale) <= stale)[:_AT_ONCE]
        try:
            if wanted:
                await _learn(archive, wanted, past)
                read_at.update(dict.fromkeys(wanted, trio.current_time()))
        except StoreUnavailable as error:
            log.warning("how near earlier estimates came is not known", reason=str(error))
        await trio.sleep(_LOOK)


async def _learn(archive: Archive, names: list[str], past: MutableMapping[str, float]) -> None:
    for name, runs in await archive.machines(limit=len(names), names=names):
        error = prediction.past_error(runs)
        if error is None:
            past.pop(name, None)
        else:
            past[name] = error
