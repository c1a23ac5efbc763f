"""Viewer: one websocket's side of the feed. Hello, snapshot or the missed changes, then changes and ticks."""

from collections.abc import Collection
from typing import Protocol

import trio

from schemas import codec, feed
from sendensed import config
from sendensed.actors.fanout import Fanout, Viewer, changes, jobs_message
from sendensed.actors.hearing import Hearing
from sendensed.core.board import Board, Entry
from sendensed.core.model import Job
from sendensed.core.view import Filter, alarm_view
from sendensed.store import StoreUnavailable

TRY_AGAIN_LATER = 1013
"""Close code for a viewer that does not read, or that the hub has no room for."""
GOING_AWAY = 1001
_BYE_AFTER = 1.0
"""Seconds after which a viewer of a draining hub should come back."""


class Socket(Protocol):
    """The part of a websocket that the feed uses."""

    async def receive(self) -> str | bytes:
        """The viewer's next message. Raises when the connection is gone."""

    async def send(self, payload: bytes) -> None:
        """Sends one text message; returns when the transport has taken it. Raises when it is gone."""

    def try_send(self, frame: bytes) -> bool:
        """Hands over a frame that is wrapped already, if the transport takes it now. Never waits, never raises."""

    async def close(self, code: int, reason: str) -> None:
        """Closes with a code, within a deadline."""


class Reader(Protocol):
    """What brings the board up to date, and knows the jobs that have left it. Raises StoreUnavailable."""

    async def refresh(self) -> None:
        """Returns when all that was committed before is on the board."""

    async def left(self, since: int) -> list[Job] | None:
        """Jobs that ended since and have left the board; None where they are too many."""

    async def look_up(self, job_ids: Collection[str]) -> list[Job]:
        """Those of the jobs that exist."""


class TooSlow(Exception):
    """The viewer took no bytes within the write deadline."""


async def run(
    socket: Socket,
    fanout: Fanout,
    wanted: Filter,
    since: int | None,
    hearing: Hearing,
    hub: str,
    settings: config.Feed,
    reader: Reader,
) -> None:
    """Feeds the viewer until the hub drains (`bye`, then close 1001) or it does not read (close 1013).

    The end of the connection comes as the exception of `socket`, that of the look-up as StoreUnavailable;
    nothing is left behind.
    """
    with fanout.viewer(wanted) as viewer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, socket)
            try:
                await _send(socket, codec.encode(feed.Hello(hub=hub, heartbeat=settings.heartbeat)), settings)
                await _catch_up(socket, fanout, viewer, since, settings, reader)
                await _follow(socket, fanout, viewer, hearing, settings)
            except TooSlow:
                await socket.close(TRY_AGAIN_LATER, "the viewer does not read")
            nursery.cancel_scope.cancel()


async def _listen(socket: Socket) -> None:
    """Viewers have nothing to say; what they send is read, so that pongs and closes are seen, and dropped."""
    while True:
        await socket.receive()


async def _follow(socket: Socket, fanout: Fanout, viewer: Viewer, hearing: Hearing, settings: config.Feed) -> None:
    """Changes as they come, ticks in between; at the end of the hub `bye`.

    While it waits here with nothing to send, the fan-out sends in its place.
    """
    next_tick = trio.current_time()
    try:
        while True:
            news: dict[str, Entry] = {}
            viewer.direct = socket.try_send
            try:
                with trio.move_on_at(next_tick):
                    news = await viewer.mailbox.take()
            finally:
                viewer.direct = None
            if news:
                await _send(socket, changes(fanout.board.sequence, list(news.values())), settings)
            if trio.current_time() >= next_tick:
                alarms = tuple(alarm_view(alarm) for alarm in hearing.pulse.alarms)
                tick = feed.Tick(hearing.clock.now(), hearing.is_ready, alarms)
                await _send(socket, codec.encode(tick), settings)
                next_tick = trio.current_time() + settings.heartbeat
    except trio.EndOfChannel:
        await _send(socket, codec.encode(feed.Bye(_BYE_AFTER)), settings)
        await socket.close(GOING_AWAY, "the hub is stopping")


async def _catch_up(
    socket: Socket, fanout: Fanout, viewer: Viewer, since: int | None, settings: config.Feed, reader: Reader
) -> None:
    """Brings the viewer to the board's present state. What was offered to it meanwhile is part of that."""
    board, wanted = fanout.board, viewer.wanted
    if since is not None:
        await _brought_up(fanout, since, reader)
        left = await _left(board, since, reader)
        if since <= board.sequence and left is not None:
            missed = [*board.since(since, wanted), *board.aside(left, wanted, wanted.statuses)]
            viewer.mailbox.drain()
            await _send(socket, changes(board.sequence, missed), settings)
            return
        await _send(socket, codec.encode(feed.Resync()), settings)
    found: list[Job] = []
    looked_up: list[str] | None = None
    while (absent := board.absent(wanted.ids)) != looked_up:  # one may leave the board meanwhile
        looked_up, found = absent, await reader.look_up(absent)
    viewer.mailbox.drain()
    if found:
        entries = [*board.snapshot(wanted), *board.aside(found, wanted)]
        await _send(socket, jobs_message("snapshot", board.sequence, entries), settings)
    else:
        await _send(socket, fanout.snapshot(wanted), settings)


async def _left(board: Board, since: int, reader: Reader) -> list[Job] | None:
    """Jobs that ended since and are not on the board; None where they are too many.

    One that leaves the board while the store is read may be in neither: then the store is read again.
    """
    while since <= board.sequence and not board.reaches(since):
        oldest = board.oldest
        left = await reader.left(since)
        if left is None or board.oldest == oldest:
            return left
    return []


async def _brought_up(fanout: Fanout, since: int, reader: Reader) -> None:
    """The board as far as any hub's viewer can have seen it, so that no job goes back for one who comes over.

    Where the store does not answer the board is taken as it is, if it reaches the viewer's position.
    """
    try:
        await reader.refresh()
    except StoreUnavailable:
        if since > fanout.board.sequence:
            raise


async def _send(socket: Socket, frame: bytes, settings: config.Feed) -> None:
    with trio.move_on_after(settings.write_deadline) as scope:
        await socket.send(frame)
    if scope.cancelled_caught:
        raise TooSlow
