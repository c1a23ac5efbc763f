"""Bridge: PostgreSQL for Trio, over asyncpg. With `driver.py` the only file that knows asyncio and asyncpg.

async with bridge.open_pool("postgresql://...") as pool:
    rows = await pool.fetch("SELECT ...", 1, timeout=2)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import trio
import trio_asyncio
from asyncpg.connect_utils import SessionAttribute

from sendensed.store import StoreUnavailable
from sendensed.store.driver import Proxy, bounded, cut, drive, is_gone, is_lost, line

CONNECT_TIMEOUT = 3.0
"""Longest wait for one connection to be made, seconds."""
CALL_TIMEOUT = 5.0
"""Longest wait for one statement, seconds, waiting for a free connection included."""
RELEASE_TIMEOUT = 2.0
"""Longest wait for the server to confirm that a statement given up is cancelled, seconds."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Connection:
    """One connection, held. Each call raises StoreUnavailable or RowRefused as the Pool's do."""

    def __init__(self, connection: Proxy) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> list[asyncpg.Record]:  # noqa: ASYNC109
        """The rows of one statement."""
        return await self._call(lambda connection: connection.fetch(sql, *args), timeout)

    async def execute(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> str:  # noqa: ASYNC109
        """Runs one statement, or without arguments several; returns the last one's command tag."""
        return await self._call(lambda connection: connection.execute(sql, *args), timeout)

    async def _call(self, use: Callable[[Proxy], Coroutine[Any, Any, _T]], patience: float) -> _T:
        return await bounded(patience, self._use(use))

    async def _use(self, use: Callable[[Proxy], Coroutine[Any, Any, _T]]) -> _T:
        return await drive(use(self._connection))  # a connection that is gone refuses the call itself


class Pool:
    """A bounded set of connections that are made anew whenever they break.

    Every call waits at most `timeout` seconds, and at most RELEASE_TIMEOUT more for the server to drop what
    it was doing. It raises StoreUnavailable where the server cannot be reached, does not answer or is
    going away: whether the statement took effect is then unknown. It raises RowRefused where the server
    refuses a value, and anything else as it is: a bug. Cancellation leaves the pool usable and the
    statement's outcome unknown.

    asyncpg's pool makes the connections and mends them. For it to give one out and take it back costs as much as
    a small batch, and so does a timer of its own for each statement: so a connection that has done well stays at
    hand for the next call, and the time is kept by trio alone.
    """

    def __init__(self, loop: Any, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._loop = loop
        self._pool = pool
        self._at_hand: list[Proxy] = []
        self._asking = 0

    async def fetch(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> list[asyncpg.Record]:  # noqa: ASYNC109
        """The rows of one statement."""
        return await self._call(lambda connection: connection.fetch(sql, *args), timeout)

    async def fetchrow(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> asyncpg.Record | None:  # noqa: ASYNC109
        """The first row of one statement, or None."""
        return await self._call(lambda connection: connection.fetchrow(sql, *args), timeout)

    async def fetchval(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> Any:  # noqa: ASYNC109
        """The first value of the first row, or None."""
        return await self._call(lambda connection: connection.fetchval(sql, *args), timeout)

    async def execute(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> str:  # noqa: ASYNC109
        """Runs one statement, or without arguments several; returns the last one's command tag."""
        return await self._call(lambda connection: connection.execute(sql, *args), timeout)

    @asynccontextmanager
    async def connection(self, timeout: float = CALL_TIMEOUT) -> AsyncIterator[Connection]:  # noqa: ASYNC109
        """Holds one connection for several statements. A block that fails or is cancelled closes it, and
        the server rolls back what was open on it."""
        proxy = await bounded(timeout, self._acquire())
        try:
            yield Connection(proxy)
        except BaseException:
            cut(proxy)
            raise
        finally:
            await bounded(RELEASE_TIMEOUT, self._release(proxy))

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Holds a connection and calls `heard` at each notification of the channel, until cancelled.

        Raises StoreUnavailable where there is no connection, or it ends; what is notified then is lost.
        """
        proxy = await bounded(CALL_TIMEOUT, self._acquire())
        ended = trio.Event()

        async def begin() -> None:
            proxy.add_termination_listener(lambda _: ended.set())
            await drive(proxy.add_listener(channel, lambda *_: heard()))

        try:
            await bounded(CALL_TIMEOUT, begin())
            await ended.wait()
        finally:
            cut(proxy)
            await bounded(RELEASE_TIMEOUT, self._release(proxy))
        raise StoreUnavailable("the connection that listens was lost")

    async def _call(self, use: Callable[[Proxy], Coroutine[Any, Any, _T]], patience: float) -> _T:
        try:
            return await bounded(patience, self._use(use))
        except StoreUnavailable as error:
            if is_lost(error.__cause__):
                await self._expire()
            raise

    async def _use(self, use: Callable[[Proxy], Coroutine[Any, Any, _T]]) -> _T:
        connection = await self._acquire()
        try:
            result = await drive(use(connection))
        except BaseException as error:
            if isinstance(
                error, asyncpg.InternalClientError
            ):  # it has lost its place: the server went in mid-talk
                cut(connection)
            await self._release(connection)
            raise
        if self._asking or is_gone(connection):
            await self._release(connection)
        else:
            self._at_hand.append(connection)
        return result

    async def _acquire(self) -> Proxy:
        while self._at_hand:
            connection = self._at_hand.pop()
            if not is_gone(connection):
                return connection
            await self._release(connection)
        self._asking += 1
        try:
            made: Proxy = await self._loop.run_aio_coroutine(self._pool.acquire())
            return made
        finally:
            self._asking -= 1

    async def _release(self, connection: Proxy) -> None:
        """Gives it back to the pool, which makes it anew where it is broken. That it breaks meanwhile is not
        raised: what was done on it is done."""
        try:
            with trio.CancelScope(shield=True):
                await self._loop.run_aio_coroutine(self._pool.release(connection, timeout=RELEASE_TIMEOUT))
        except Exception as error:
            if not is_lost(error):
                raise
            cut(connection)

    async def _expire(self) -> None:
        """Has every connection made anew before it is used again; those at hand wait for no server's farewell."""
        await self._loop.run_aio_coroutine(self._pool.expire_connections())
        for connection in self._at_hand:
            cut(connection)
        await self._let_go()

    async def _let_go(self) -> None:
        while self._at_hand:
            await self._release(self._at_hand.pop())

    async def aclose(self) -> None:
        """Closes the connections, those that do not answer in time by force. Never raises but Cancelled."""
        with trio.move_on_after(RELEASE_TIMEOUT, shield=True) as scope:
            try:
                await self._let_go()
                await self._loop.run_aio_coroutine(self._pool.close())
            except OSError as error:  # its server is gone, and so is the connection
                _log.warning("database connections were lost before they were closed: %s", error)
                self._pool.terminate()
        if scope.cancelled_caught:
            _log.warning("database connections were cut, they did not close within %gs", RELEASE_TIMEOUT)


@asynccontextmanager
async def open_pool(
    dsn: str,
    *,
    max_size: int = 10,
    connect_timeout: float = CONNECT_TIMEOUT,
    settings: dict[str, str] | None = None,
) -> AsyncIterator[Pool]:
    """A pool of up to `max_size` connections to the database of this DSN (or of libpq's PG* variables).

    Raises ValueError for a DSN that cannot be read, StoreUnavailable where no connection can be made in
    time; after that the pool reconnects by itself. Leaving closes the connections, bounded.
    """
    failure = None
    async with trio_asyncio.open_loop() as loop:  # type: ignore[attr-defined]
        loop.set_exception_handler(_background_failure)
        try:
            made = loop.run_aio_coroutine(_create(dsn, max_size, connect_timeout, settings or {}))
            pool = await bounded(connect_timeout, made)
            opened = Pool(loop, pool)
            try:
                yield opened
            finally:
                await opened.aclose()
        except Exception as error:  # goes on below: out of the loop's nurseries it would come as a group
            failure = error
    if failure is not None:
        raise failure


async def _create(
    dsn: str, max_size: int, connect_timeout: float, settings: dict[str, str]
) -> "asyncpg.Pool[asyncpg.Record]":
    """Asyncio-coloured: the pool, its first connection made."""
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,  # no task that reconnects in the background and logs: the next call does it
            max_size=max_size,
            timeout=connect_timeout,
            target_session_attrs=SessionAttribute.read_write,
            reset=_keep_session,
            server_settings={"application_name": "sendensed", "timezone": "UTC", **settings},
        )
        try:
            async with pool.acquire():
                return pool
        except BaseException:
            pool.terminate()
            raise
    except ValueError as error:  # asyncpg's ClientConfigurationError is one
        raise ValueError(f"the database address cannot be used: {line(error)}") from None


async def _keep_session(connection: object) -> None:
    """Spares the round trip that undoes session state: nothing here makes any."""


def _background_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that fails while nobody uses it is no failure of the hub: the next call makes another."""
    _log.warning("database connection: %s (%s)", context.get("message"), context.get("exception"))
