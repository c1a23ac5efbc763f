"""Driver: asyncpg's calls and errors, as Trio and the Store know them."""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import asyncpg
import trio
from asyncpg.pool import PoolConnectionProxy

from sendensed.store import RowRefused, StoreUnavailable

_UNAVAILABLE = ("08", "25006", "28", "3D", "40", "42501", "53", "55000", "55P03", "57", "58")
"""What passes, or is for the server's administrator to mend. 42501 is a right that was withdrawn, 55000 a database
that takes no connections, as while it is restored: a hub waits for either as for a server that is down."""
_REFUSED = ("21", "22", "23", "54")
_LOST = ("08", "25006", "57P")
"""What tells that the other connections are of no use either: the link broke, the server went down, or it is
read-only because the primary is another one now."""

Proxy: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
"""A connection as asyncpg's pool gives it out."""

_T = TypeVar("_T")


def cut(connection: Proxy) -> None:
    """Closes a connection at once. The pool has taken it back by itself where it had broken already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def is_gone(connection: Proxy) -> bool:
    """Whether it is closed. One that broke while it was at hand, the pool has taken back by itself."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def drive(work: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine that waits for the driver's own futures and for nothing else of asyncio.

    It goes on in this task as soon as its future is done. An asyncio task for it would cost as much again as the
    call: each of its steps waits for a turn of asyncio's loop. Cancelled, it waits for the driver to let go.
    """
    task, raise_cancel = trio.lowlevel.current_task(), None

    def wake(_: object) -> None:
        trio.lowlevel.reschedule(task)

    def abort(raiser: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        nonlocal raise_cancel
        raise_cancel = raiser
        future.cancel()
        return trio.lowlevel.Abort.FAILED

    while True:
        try:
            future = work.send(None)
        except StopIteration as done:
            result: _T = done.value
            return result
        except asyncio.CancelledError:
            if raise_cancel is not None:
                raise_cancel()
            raise
        future._asyncio_future_blocking = False  # what a task says to a future that it waits for
        future.add_done_callback(wake)
        await trio.lowlevel.wait_task_rescheduled(abort)


async def bounded(patience: float, work: Awaitable[_T]) -> _T:
    """Waits for at most so many seconds; the driver's errors come as the Store names them."""
    try:
        with trio.move_on_after(patience):
            return await work
    except Exception as error:
        if (named := _named(error)) is None:
            raise
        raise named from error
    raise StoreUnavailable(f"no answer from the database within {patience:g}s")


def _named(error: Exception) -> Exception | None:
    """What the Store calls this error of the driver, the server or the network; None where it is a bug."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.DataError) or (state and state.startswith(_REFUSED)):
        return RowRefused(line(error))
    known = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    if isinstance(error, known) or (state and state.startswith(_UNAVAILABLE)):
        return StoreUnavailable(line(error))
    return None


def is_lost(cause: BaseException | None) -> bool:
    """Whether the pool's other connections have to be made anew as well, before somebody meets them broken."""
    state = getattr(cause, "sqlstate", None)
    broken = OSError | asyncpg.InterfaceError | asyncpg.InternalClientError  # the last: it ended in mid-talk
    return state.startswith(_LOST) if state else isinstance(cause, broken)


def line(error: Exception) -> str:
    """The error in one line: its first, or what kind it is."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
