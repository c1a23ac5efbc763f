"""Feed: the live feed's address, and the websocket that a viewer becomes."""

from collections.abc import Sequence
from functools import partial

import trio

from schemas.query import FeedQuery
from sendensed import config
from sendensed.actors import viewer
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.actors.notifier import Notifier
from sendensed.core.answer import Refusal
from sendensed.core.auth import Caller
from sendensed.core.view import Filter
from sendensed.net import query
from sendensed.net.access import Access
from sendensed.net.http import Request, Response, Upgrade
from sendensed.net.route import Refuser, Route
from sendensed.net.ws import Gone, WebSocket
from sendensed.store import StoreUnavailable

_LOOK = 1.0
"""Seconds between two looks whether a viewer may still watch."""
_NOT_ANY_MORE = 1008
"""Close code: against the rules, which is not to be tried again as it is."""

_FULL = Refusal(503, "too_many_viewers", "the hub has no room for another viewer now")


class Feed:
    """The viewers' door."""

    def __init__(
        self,
        notifier: Notifier,
        fanout: Fanout,
        hearing: Hearing,
        settings: config.Feed,
        refuse: Refuser,
        access: Access,
    ) -> None:
        self._notifier = notifier
        self._fanout = fanout
        self._hearing = hearing
        self._settings = settings
        self._refuse = refuse
        self._access = access
        self.routes = (
            Route(
                "GET",
                "/api/v1/feed",
                self._feed,
                "read",
                new=True,
                query=FeedQuery,
                statuses=("101",),
                refuses=("426",),
            ),
        )

    async def _feed(self, request: Request, values: Sequence[str]) -> Response | Upgrade:
        if self._fanout.viewers >= self._settings.viewers:
            return self._refuse(_FULL)
        wanted, since = _asked(request.query)
        return Upgrade(partial(self._watch, request.caller, wanted, since))

    async def _watch(self, caller: Caller, wanted: Filter, since: int | None, socket: WebSocket) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._turn_out, caller, socket, nursery.cancel_scope)
                await viewer.run(
                    _Socket(socket),
                    self._fanout,
                    wanted,
                    since,
                    self._hearing,
                    self._hearing.hub,
                    self._settings,
                    self._notifier,
                )
                nursery.cancel_scope.cancel()
        except* Gone:
            pass
        except* StoreUnavailable:
            await socket.close(viewer.TRY_AGAIN_LATER, "the hub cannot read its database now")

    async def _turn_out(self, caller: Caller, socket: WebSocket, watching: trio.CancelScope) -> None:
        """Ends the feed of a viewer whose token or session is revoked, or over, meanwhile."""
        while True:
            await trio.sleep(_LOOK)
            if not await self._access.still(caller):
                break
        await socket.close(_NOT_ANY_MORE, "signed out")
        watching.cancel()


class _Socket:
    """A websocket as the viewer's actor wants it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        return await self._socket.receive()

    async def send(self, payload: bytes) -> None:
        await self._socket.send_text(payload)

    def try_send(self, frame: bytes) -> bool:
        try:
            return self._socket.try_send(frame)
        except Gone:
            return False  # its own task finds out

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason)


def _asked(text: str) -> tuple[Filter, int | None]:
    """The filter and the position of a feed's query. Raises Invalid naming the parameter."""
    said = query.read(text, FeedQuery)
    return Filter(frozenset(said.job), frozenset(said.status), frozenset(said.type)), said.since
