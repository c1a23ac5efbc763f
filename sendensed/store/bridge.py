"""Bridge: PostgreSQL for Trio, over asyncpg. The only file that knows asyncio, or asyncpg's errors.

async with bridge.open_pool("postgresql://...") as pool:
    rows = await pool.fetch("SELECT ...", 1, timeout=2)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias, TypeVar

import asyncpg
import trio
import trio_asyncio
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from sendensed.store import RowRefused, StoreUnavailable

CONNECT_TIMEOUT = 3.0
"""Longest wait for one connection to be made, seconds."""
CALL_TIMEOUT = 5.0
"""Longest wait for one statement, seconds, waiting for a free connection included."""
RELEASE_TIMEOUT = 2.0
"""Longest wait for the server to confirm that a statement given up is cancelled, seconds."""

_UNAVAILABLE = ("08", "25006", "28", "3D", "40", "53", "55P03", "57", "58")
_REFUSED = ("21", "22", "23", "54")
_LOST = ("08", "25006", "57P")
"""What tells that the other connections are of no use either: the link broke, the server went down, or it is
read-only because the primary is another one now."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Proxy: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class Connection:
    """One connection, held. Each call raises StoreUnavailable or RowRefused as the Pool's do."""

    def __init__(self, loop: Any, connection: _Proxy) -> None:
        self._loop = loop
        self._connection = connection

    async def fetch(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> list[asyncpg.Record]:  # noqa: ASYNC109
        """The rows of one statement."""
        return await self._call(lambda connection: connection.fetch(sql, *args), timeout)

    async def execute(self, sql: str, *args: object, timeout: float = CALL_TIMEOUT) -> str:  # noqa: ASYNC109
        """Runs one statement, or without arguments several; returns the last one's command tag."""
        return await self._call(lambda connection: connection.execute(sql, *args), timeout)

    async def _call(self, use: Callable[[_Proxy], Awaitable[_T]], patience: float) -> _T:
        async def work() -> _T:
            return await use(self._connection)

        return await _bounded(self._loop, patience, work())


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
        self._at_hand: list[_Proxy] = []
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
        proxy: _Proxy = await _bounded(self._loop, timeout, self._acquire())
        try:
            yield Connection(self._loop, proxy)
        except BaseException:
            _cut(proxy)
            raise
        finally:
            with trio.CancelScope(shield=True):
                await _bounded(self._loop, RELEASE_TIMEOUT, self._release(proxy))

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Holds a connection and calls `heard` at each notification of the channel, until cancelled.

        Raises StoreUnavailable where there is no connection, or it ends; what is notified then is lost.
        """
        proxy: _Proxy = await _bounded(self._loop, CALL_TIMEOUT, self._acquire())
        ended = trio.Event()
        told: Callable[..., None] = lambda *_: heard()  # noqa: E731
        try:
            proxy.add_termination_listener(lambda _: ended.set())
            await _bounded(self._loop, CALL_TIMEOUT, proxy.add_listener(channel, told))
            await ended.wait()
        finally:
            _cut(proxy)
            with trio.CancelScope(shield=True):
                await _bounded(self._loop, RELEASE_TIMEOUT, self._release(proxy))
        raise StoreUnavailable("the connection that listens was lost")

    async def _call(self, use: Callable[[_Proxy], Awaitable[_T]], patience: float) -> _T:
        try:
            return await _bounded(self._loop, patience, self._use(use))
        except StoreUnavailable as error:
            if _is_lost(error.__cause__):
                await self._loop.run_aio_coroutine(self._expire())
            raise

    async def aclose(self) -> None:
        """Closes the connections, those that do not answer in time by force. Never raises but Cancelled."""
        with trio.move_on_after(RELEASE_TIMEOUT, shield=True) as scope:
            try:
                await self._loop.run_aio_coroutine(self._close())
            except OSError as error:  # its server is gone, and so is the connection
                _log.warning("database connections were lost before they were closed: %s", error)
                self._pool.terminate()
        if scope.cancelled_caught:
            _log.warning("database connections were cut, they did not close within %gs", RELEASE_TIMEOUT)

    # Asyncio-coloured:

    async def _use(self, use: Callable[[_Proxy], Awaitable[_T]]) -> _T:
        connection = await self._acquire()
        try:
            result = await use(connection)
        except asyncpg.InternalClientError:  # the driver has lost its place: the server went in mid-talk
            _cut(connection)
            await self._release(connection)
            raise
        except BaseException:
            await self._release(connection)
            raise
        if self._asking or _is_gone(connection):
            await self._release(connection)
        else:
            self._at_hand.append(connection)
        return result

    async def _acquire(self) -> _Proxy:
        while self._at_hand:
            connection = self._at_hand.pop()
            if not _is_gone(connection):
                return connection
            await self._release(connection)
        self._asking += 1
        try:
            return await self._pool.acquire()
        finally:
            self._asking -= 1

    async def _release(self, connection: _Proxy) -> None:
        await self._pool.release(connection, timeout=RELEASE_TIMEOUT)

    async def _expire(self) -> None:
        """Has every connection made anew before it is used again."""
        await self._pool.expire_connections()
        await self._let_go()

    async def _let_go(self) -> None:
        while self._at_hand:
            await self._release(self._at_hand.pop())

    async def _close(self) -> None:
        await self._let_go()
        await self._pool.close()


@asynccontextmanager
async def open_pool(
    dsn: str, *, max_size: int = 10, connect_timeout: float = CONNECT_TIMEOUT
) -> AsyncIterator[Pool]:
    """A pool of up to `max_size` connections to the database of this DSN (or of libpq's PG* variables).

    Raises ValueError for a DSN that cannot be read, StoreUnavailable where no connection can be made in
    time; after that the pool reconnects by itself. Leaving closes the connections, bounded.
    """
    failure = None
    async with trio_asyncio.open_loop() as loop:  # type: ignore[attr-defined]
        loop.set_exception_handler(_background_failure)
        try:
            pool = await _bounded(loop, connect_timeout, _create(dsn, max_size, connect_timeout))
            opened = Pool(loop, pool)
            try:
                yield opened
            finally:
                await opened.aclose()
        except Exception as error:  # goes on below: out of the loop's nurseries it would come as a group
            failure = error
    if failure is not None:
        raise failure


async def _create(dsn: str, max_size: int, connect_timeout: float) -> "asyncpg.Pool[asyncpg.Record]":
    """Asyncio-coloured: the pool, its first connection made."""
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,  # no task that reconnects in the background and logs: the next call does it
            max_size=max_size,
            timeout=connect_timeout,
            target_session_attrs=SessionAttribute.read_write,
            reset=_keep_session,
            server_settings={"application_name": "sendensed", "timezone": "UTC"},
        )
        try:
            async with pool.acquire():
                return pool
        except BaseException:
            pool.terminate()
            raise
    except ValueError as error:  # asyncpg's ClientConfigurationError is one
        raise ValueError(f"the database address cannot be used: {_line(error)}") from None


def _cut(connection: _Proxy) -> None:
    """Closes a connection at once. The pool has taken it back by itself where it had broken already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def _is_gone(connection: _Proxy) -> bool:
    """Whether it is closed. One that broke while it was at hand, the pool has taken back by itself."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def _keep_session(connection: object) -> None:
    """Spares the round trip that undoes session state: nothing here makes any."""


async def _bounded(loop: Any, patience: float, work: Coroutine[Any, Any, _T]) -> _T:
    """Runs an asyncio coroutine for at most so many seconds, its errors named as the Store names them."""
    try:
        with trio.move_on_after(patience):
            result: _T = await loop.run_aio_coroutine(work)
            return result
    except Exception as error:
        if (named := _named(error)) is None:
            raise
        raise named from error
    raise StoreUnavailable(f"no answer from the database within {patience:g}s")


def _named(error: Exception) -> Exception | None:
    """What the Store calls this error of the driver, the server or the network; None where it is a bug."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.DataError) or (state and state.startswith(_REFUSED)):
        return RowRefused(_line(error))
    known = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    if isinstance(error, known) or (state and state.startswith(_UNAVAILABLE)):
        return StoreUnavailable(_line(error))
    return None


def _is_lost(cause: BaseException | None) -> bool:
    """Whether the pool's other connections have to be made anew as well, before somebody meets them broken."""
    state = getattr(cause, "sqlstate", None)
    broken = OSError | asyncpg.InterfaceError | asyncpg.InternalClientError  # the last: it ended in mid-talk
    return state.startswith(_LOST) if state else isinstance(cause, broken)


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _background_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that fails while nobody uses it is no failure of the hub: the next call makes another."""
    _log.warning("database connection: %s (%s)", context.get("message"), context.get("exception"))
