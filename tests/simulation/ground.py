"""Ground: a trio run in a thread of its own with a store open in it, where all clocks stand until they are moved.

The store's clock, from which every hub takes its time, is moved together with trio's: on PostgreSQL by a function
that is found before the server's own.
"""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial

import trio
from trio.testing import MockClock

from sendensed.store import bridge
from sendensed.store.memory import MemoryStore
from sendensed.store.postgres import PostgresStore
from tests.sendensed.actors.rig import NIGHT

_MADE = """
CREATE SCHEMA by_hand;
CREATE TABLE by_hand.clock (now timestamptz NOT NULL);
INSERT INTO by_hand.clock VALUES ('epoch');
CREATE FUNCTION by_hand.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT now FROM by_hand.clock'"""

Move = Callable[[datetime], Awaitable[None]]


@asynccontextmanager
async def memory():
    """A memory store, and what moves its clock."""
    moment = [NIGHT]

    async def move(now: datetime) -> None:
        moment[0] = now

    yield MemoryStore(lambda: moment[0]), move


@asynccontextmanager
async def postgres(dsn: str):
    """A PostgreSQL store, and what moves its clock."""
    async with bridge.open_pool(dsn, settings={"search_path": "by_hand, pg_catalog, public"}) as pool:
        await pool.execute(_MADE)

        async def move(now: datetime) -> None:
            await pool.execute("UPDATE by_hand.clock SET now = $1", now)

        yield PostgresStore(pool), move


class Ground:
    """`now` is the time, for everybody."""

    def __init__(self, open_store) -> None:
        self._open_store = open_store
        self._ready: Future = Future()
        self._clock = MockClock()
        self.now = NIGHT

    @contextmanager
    def open(self):
        thread = threading.Thread(target=partial(trio.run, self._main, clock=self._clock))
        thread.start()
        try:
            self._token = self._ready.result()
            yield self
        finally:
            self.do(self._stop.set)
            thread.join()

    async def _main(self) -> None:
        async with self._open_store() as (self.store, self._move), trio.open_nursery() as self.nursery:
            await self._move(self.now)
            self._stop = trio.Event()
            self._ready.set_result(trio.lowlevel.current_trio_token())
            await self._stop.wait()
            self.nursery.cancel_scope.cancel()

    async def wait(self, seconds: float) -> None:
        """Time passes, everywhere at once."""
        self.now += timedelta(seconds=seconds)
        await self._move(self.now)
        self._clock.jump(seconds)

    def do(self, work, *arguments):
        """Runs it there, and returns what it returns."""
        run = trio.from_thread.run if _is_coloured(work) else trio.from_thread.run_sync
        return run(work, *arguments, trio_token=self._token)


def _is_coloured(work) -> bool:
    while isinstance(work, partial):
        work = work.func
    return bool(work.__code__.co_flags & 0x80)
