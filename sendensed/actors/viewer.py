"""Viewer: one websocket's side of the feed. Hello, snapshot or the missed changes, then changes and ticks."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Protocol

import trio

from schemas import codec, feed
from sendensed import config
from sendensed.actors.fanout import Fanout, Viewer
from sendensed.actors.hearing import Hearing
from sendensed.core.board import Entry
from sendensed.core.model import Job
from sendensed.core.view import Filter, alarm_view

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

    async def close(self, code: int, reason: str) -> None:
        """Closes with a code, within a deadline."""


LookUp = Callable[[Collection[str]], Awaitable[list[Job]]]


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
    look_up: LookUp,
) -> None:
    """Feeds the viewer until the hub drains (`bye`, then close 1001) or it does not read (close 1013).

    `look_up` finds jobs asked for by id that are not on the board. The end of the connection comes as the
    exception of `socket`, that of the look-up as StoreUnavailable; nothing is left behind.
    """
    with fanout.viewer(wanted) as viewer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, socket)
            try:
                await _send(socket, codec.encode(feed.Hello(hub=hub, heartbeat=settings.heartbeat)), settings)
                told = await _catch_up(socket, fanout, wanted, since, settings, look_up)
                await _follow(socket, viewer, told, hearing, settings)
            except TooSlow:
                await socket.close(TRY_AGAIN_LATER, "the viewer does not read")
            nursery.cancel_scope.cancel()


async def _listen(socket: Socket) -> None:
    """Viewers have nothing to say; what they send is read, so that pongs and closes are seen, and dropped."""
    while True:
        await socket.receive()


async def _follow(socket: Socket, viewer: Viewer, told: int, hearing: Hearing, settings: config.Feed) -> None:
    """Changes after the sequence `told` as they come, ticks in between; at the end of the hub `bye`."""
    next_tick = trio.current_time()
    try:
        while True:
            news: dict[str, Entry] = {}
            with trio.move_on_at(next_tick):
                news = await viewer.mailbox.take()
            fresh = [entry for entry in news.values() if entry.sequence > told]
            if fresh:
                await _send(socket, _changes(fresh), settings)
            if trio.current_time() >= next_tick:
                alarms = tuple(alarm_view(alarm) for alarm in hearing.pulse.alarms)
                tick = feed.Tick(hearing.clock.now(), hearing.is_ready, alarms)
                await _send(socket, codec.encode(tick), settings)
                next_tick = trio.current_time() + settings.heartbeat
    except trio.EndOfChannel:
        await _send(socket, codec.encode(feed.Bye(_BYE_AFTER)), settings)
        await socket.close(GOING_AWAY, "the hub is stopping")


async def _catch_up(
    socket: Socket,
    fanout: Fanout,
    wanted: Filter,
    since: int | None,
    settings: config.Feed,
    look_up: LookUp,
) -> int:
    """Brings the viewer to the board's present state; returns the sequence of it."""
    board = fanout.board
    found = await look_up(board.absent(wanted.ids)) if board.absent(wanted.ids) else []
    missed = None if since is None else board.since(since, wanted)
    told = board.sequence
    if missed is not None:
        if missed:
            await _send(socket, _changes(missed), settings)
        return told
    frame = _frame("snapshot", told, [*board.snapshot(wanted), *board.aside(found, wanted)])
    if since is not None:
        await _send(socket, codec.encode(feed.Resync()), settings)
    await _send(socket, frame, settings)
    return told


def _changes(news: Iterable[Entry]) -> bytes:
    entries = list(news)
    return _frame("changes", max(entry.sequence for entry in entries), entries)


def _frame(kind: str, sequence: int, entries: Sequence[Entry]) -> bytes:
    """A frame with jobs, put together from what was encoded once for all viewers."""
    jobs = b",".join(bytes(entry.encoded) for entry in entries)
    return b'{"type":"%s","sequence":%d,"jobs":[%s]}' % (kind.encode(), sequence, jobs)


async def _send(socket: Socket, frame: bytes, settings: config.Feed) -> None:
    with trio.move_on_after(settings.write_deadline) as scope:
        await socket.send(frame)
    if scope.cancelled_caught:
        raise TooSlow
