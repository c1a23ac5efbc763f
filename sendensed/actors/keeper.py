"""Keeper: keeps what is known of the appliances, that a hub is there, and the days of the history.

Several hubs may do so on one database: notes replace only older ones, and days are tended by one at a time.
"""

import structlog
import trio

from sendensed import config
from sendensed.core.appliance import Register
from sendensed.store import StoreUnavailable
from sendensed.store.archive import BEAT, Archive

log = structlog.get_logger()


async def run(archive: Archive, register: Register, settings: config.History) -> None:
    """Notes and tends until it is cancelled. What the store does not take is tried again at the next turn."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tend, archive, settings)
        while True:
            try:
                await archive.note(register.news())
            except StoreUnavailable as error:
                log.warning("appliances not noted", reason=str(error))
            await trio.sleep(BEAT)


async def _tend(archive: Archive, settings: config.History) -> None:
    while True:
        try:
            for step in await archive.tend(settings.limits):
                log.info("history tended", step=step)
        except StoreUnavailable as error:
            log.warning("history not tended", reason=str(error))
        await trio.sleep(settings.period)
