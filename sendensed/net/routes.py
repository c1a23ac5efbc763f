"""Routes: the table of every address of the hub, and the way from a request to what answers it.

What answers is a file of its own: `telemetry` (senders), `feed` (viewers), `reading`, `fleet`, `health`
and `metrics` (readers), `described` (programs), `assets` (the page).
"""

from msgspec.structs import replace

from schemas.fault import Invalid
from schemas.reading import Replay
from sendensed import config
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.actors.measures import Measures
from sendensed.actors.notifier import Notifier
from sendensed.actors.receiver import DRAINING, Receiver
from sendensed.core.answer import Refusal
from sendensed.core.auth import Caller
from sendensed.environment import Environment
from sendensed.net.access import Access
from sendensed.net.assets import Assets
from sendensed.net.badge import Badges
from sendensed.net.control import Control
from sendensed.net.described import Described
from sendensed.net.feed import Feed
from sendensed.net.fleet import Fleet
from sendensed.net.guard import Guard
from sendensed.net.health import Health
from sendensed.net.http import Request, Response, Taker, Upgrade, fault, split_path
from sendensed.net.login import Login
from sendensed.net.metrics import Metrics
from sendensed.net.reading import Reading
from sendensed.net.route import Refuser, Route
from sendensed.net.telemetry import Telemetry
from sendensed.net.tls import Certificate
from sendensed.store import Store, StoreUnavailable
from sendensed.store.archive import Archive
from sendensed.store.tokens import Tokens

_AWAY = Refusal(503, "database_away", "the hub cannot read its database now; ask again")
_SIGN_IN = Response(
    303,
    b'<!DOCTYPE html><html lang="en"><title>Sign in</title><a href="login">Sign in</a></html>\n',
    "text/html; charset=utf-8",
    (("Location", "login"), ("Cache-Control", "no-store")),
)


class Routes:
    """The hub's handler. `draining` is set when the hub stops: it then takes nothing new."""

    def __init__(
        self,
        *,
        receiver: Receiver,
        store: Store,
        archive: Archive,
        fanout: Fanout,
        notifier: Notifier,
        hearing: Hearing,
        measures: Measures,
        settings: config.Config,
        environment: Environment,
        tokens: Tokens,
        database: str,
        certificate: Certificate | None = None,
        replay: Replay | None = None,
        assets: Assets | None = None,
    ) -> None:
        self.draining = False
        self._guard = Guard(settings)
        self.access = Access(tokens, settings, hearing.clock.now)
        self._refuse = Refuser(environment)
        described = Described()
        self.table: tuple[Route, ...] = (
            *Telemetry(receiver, hearing, self._refuse).routes,
            *Control(receiver, self._refuse).routes,
            *Reading(store, archive, hearing, settings.history).routes,
            *Fleet(archive, hearing).routes,
            *Badges(archive, hearing).routes,
            *Feed(notifier, fanout, hearing, settings.feed, self._refuse, self.access).routes,
            *Health(
                hearing,
                measures,
                lambda: self.draining,
                database,
                is_open=settings.open,
                certificate=certificate,
                replay=replay,
            ).routes,
            *Metrics(archive, hearing, measures).routes,
            *Login(tokens, self.access, settings, environment, hearing.clock.now).routes,
            *described.routes,
            *(assets or Assets()).routes,
        )
        described.table = self.table

    async def handle(self, request: Request, caller: Caller | None = None) -> Response | Upgrade:
        """Answers one request, of `caller` where that is settled already.

        Raises Invalid (400) for an address or a query that is not the contract's.
        """
        refused = self._guard.check(request)
        if refused is not None:
            return refused
        segments = split_path(request.path)
        methods = []
        for route in self.table:
            values = route.match(segments)
            if values is None:
                continue
            if route.method == request.method or (route.method == "GET" and request.method == "HEAD"):
                return await self._answered(route, request, values, caller)
            methods.append("GET, HEAD" if route.method == "GET" else route.method)
        if methods:
            message = f"{request.method} is not possible here; use {' or '.join(methods)}"
            return fault(405, "method_not_allowed", message, headers=(("Allow", ", ".join(methods)),))
        return fault(404, "not_found", f"there is nothing at {request.path[:200]}")

    def quick(self, request: Request, caller: Caller | None = None) -> Taker | None:
        """What takes the bodies of requests with this head, where nothing but who is admitted can change what it
        means. None where there is no such thing, and where the head alone has a refusal for an answer."""
        try:
            segments = split_path(request.path)
        except Invalid:
            return None
        for route in self.table:
            if route.taker and route.method == request.method and (values := route.match(segments)):
                if self._guard.check(request) is not None:
                    return None
                admitted = (lambda: caller) if caller else self.access.standing(request, route.need)
                return route.taker(values, admitted) if admitted else None
        return None

    async def _answered(
        self, route: Route, request: Request, values: list[str], caller: Caller | None
    ) -> Response | Upgrade:
        if route.new and self.draining:
            return self._refuse(DRAINING)
        try:
            try:
                return await self._admitted(route, request, values, caller)
            except StoreUnavailable:  # a connection that a restart broke is noticed by its first use
                return await self._admitted(route, request, values, caller)
        except StoreUnavailable:
            return self._refuse(_AWAY)

    async def _admitted(
        self, route: Route, request: Request, values: list[str], settled: Caller | None
    ) -> Response | Upgrade:
        caller = settled or await self.access.admit(request, route.need)
        if isinstance(caller, Response):
            if route.page and caller.status == 401:
                return _SIGN_IN
            return caller
        if not caller.may(route.need):
            return fault(
                403, "forbidden", f"this address is for senders: '{caller.name}' may push, and nothing else"
            )
        return await route.answer(replace(request, caller=caller), values)
