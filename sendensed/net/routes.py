"""Routes: every address of the hub, and what answers it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

import msgspec

from schemas import __version__, codec, ids
from schemas.fault import Invalid
from schemas.job import Health, JobDetail, JobList, State
from schemas.telemetry import Acknowledgement
from sendensed import config
from sendensed.actors import viewer
from sendensed.actors.fanout import Fanout
from sendensed.actors.receiver import DRAINING, Receiver
from sendensed.actors.writer import Hearing
from sendensed.core import view
from sendensed.core.answer import Answer, Refusal
from sendensed.core.model import Job
from sendensed.environment import Environment
from sendensed.net import guard
from sendensed.net.assets import Assets
from sendensed.net.http import Headers, Request, Response, Upgrade, fault, split_path, split_query
from sendensed.net.ws import Gone, WebSocket, text_frame
from sendensed.store import Store, StoreUnavailable

_STATES: tuple[str, ...] = State.__args__  # type: ignore[attr-defined]
_JOBS_SHOWN, _JOBS_MOST = 100, 1_000
_HEADERS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))

Answerer = Callable[[Request, Sequence[str]], Awaitable[Response | Upgrade]]


class Routes:
    """The hub's handler. `draining` is set when the hub stops: it then takes nothing new."""

    def __init__(
        self,
        *,
        receiver: Receiver,
        store: Store,
        fanout: Fanout,
        hearing: Hearing,
        assets: Assets,
        settings: config.Config,
        environment: Environment,
        hub: str,
        database: str,
    ) -> None:
        self.draining = False
        self._receiver = receiver
        self._store = store
        self._fanout = fanout
        self._hearing = hearing
        self._assets = assets
        self._settings = settings
        self._environment = environment
        self._hub = hub
        self._database = database
        self._table: tuple[tuple[str, tuple[str, ...], Answerer], ...] = (
            ("POST", ("api", "v1", "telemetry", "*", "*"), self._telemetry),
            ("GET", ("api", "v1", "jobs"), self._jobs),
            ("GET", ("api", "v1", "jobs", "*"), self._job),
            ("GET", ("api", "v1", "feed"), self._feed),
            ("GET", ("api", "v1", "health"), self._health),
            ("GET", ("",), self._page),
            ("GET", ("assets", "*"), self._asset),
            ("GET", ("assets", "vendor", "*"), self._asset),
        )

    async def handle(self, request: Request) -> Response | Upgrade:
        """Answers one request. Raises Invalid (400) for an address or a query that is not the contract's."""
        refused = guard.check(request)
        if refused is not None:
            return refused
        segments = split_path(request.path)
        methods = []
        for method, pattern, answerer in self._table:
            if _matches(pattern, segments):
                if method == request.method or (method == "GET" and request.method == "HEAD"):
                    return await self._answered(answerer, request, segments)
                methods.append("GET, HEAD" if method == "GET" else method)
        if methods:
            message = f"{request.method} is not possible here; use {' or '.join(methods)}"
            return fault(405, "method_not_allowed", message, headers=(("Allow", ", ".join(methods)),))
        return fault(404, "not_found", f"there is nothing at {request.path[:200]}")

    async def _answered(self, answerer: Answerer, request: Request, segments: Sequence[str]) -> Response | Upgrade:
        try:
            try:
                return await answerer(request, segments)
            except StoreUnavailable:  # a connection that a restart broke is noticed by its first use
                return await answerer(request, segments)
        except StoreUnavailable:
            return self._refusal(Refusal(503, "database_away", "the hub cannot read its database now; ask again"))

    async def _telemetry(self, request: Request, segments: Sequence[str]) -> Response:
        if self.draining:
            return self._told(DRAINING)
        return self._told(await self._receiver.accept(segments[3], segments[4], request.body))

    def _told(self, answer: Answer) -> Response:
        if isinstance(answer, Refusal):
            return self._refusal(answer)
        stamped = msgspec.structs.replace(answer, timestamp=codec.rfc3339(self._hearing.clock.now()))
        return Response(200, Acknowledgement.encoded(stamped))

    def _refusal(self, refusal: Refusal) -> Response:
        """A refusal; where it is the hub's own trouble, with a time to come back that spreads the herd."""
        headers: Headers = ()
        if refusal.status == 503:
            headers = (("Retry-After", str(1 + int(5 * self._environment.random()))),)
        return fault(refusal.status, refusal.code, refusal.message, refusal.field, headers)

    async def _jobs(self, request: Request, segments: Sequence[str]) -> Response:
        limit, statuses, job_type = _JOBS_SHOWN, set[str](), ""
        for name, value in split_query(request.query):
            if name == "limit":
                limit = _whole(name, value, 1, _JOBS_MOST)
            elif name == "status":
                statuses |= _states(value)
            elif name == "type":
                job_type = _job_type(value)
        jobs = await self._store.jobs(limit=limit, status=statuses, job_type=job_type)
        return _json(JobList(tuple(view.job_view(job) for job in jobs)))

    async def _job(self, request: Request, segments: Sequence[str]) -> Response:
        found = None if ids.job_id_problem(segments[3]) else await self._store.job(segments[3])
        if found is None:
            return fault(404, "not_found", f"no job has the id '{segments[3][:200]}'")
        job, events = found
        return _json(JobDetail(view.job_view(job), tuple(view.event_view(event) for event in events)))

    async def _feed(self, request: Request, segments: Sequence[str]) -> Response | Upgrade:
        if self.draining:
            return self._refusal(DRAINING)
        if self._fanout.viewers >= self._settings.feed.viewers:
            return self._refusal(Refusal(503, "too_many_viewers", "the hub has no room for another viewer now"))
        wanted, since = _asked(request.query)
        return Upgrade(partial(self._watch, wanted, since))

    async def _watch(self, wanted: view.Filter, since: int | None, socket: WebSocket) -> None:
        try:
            await viewer.run(
                _Socket(socket),
                self._fanout,
                wanted,
                since,
                self._hearing,
                self._hub,
                self._settings.feed,
                self._look_up,
            )
        except* Gone:
            pass
        except* StoreUnavailable:
            await socket.close(viewer.TRY_AGAIN_LATER, "the hub cannot read its database now")

    async def _look_up(self, job_ids: Collection[str]) -> list[Job]:
        """Jobs that a viewer asked for by id and that the board no longer shows."""
        return list((await self._store.load([one for one in job_ids if not ids.job_id_problem(one)])).values())

    async def _health(self, request: Request, segments: Sequence[str]) -> Response:
        reasons = []
        if not self._hearing.is_ready:
            reasons.append("the database has not answered for over 15 s")
        if self.draining:
            reasons.append("the hub is stopping")
        health = Health(
            live=True,
            ready=not reasons,
            reasons=tuple(reasons),
            version=__version__,
            hub=self._hub,
            database=self._database,
            open=True,
            time=self._hearing.clock.now(),
        )
        return _json(health, 503 if reasons else 200)

    async def _page(self, request: Request, segments: Sequence[str]) -> Response:
        return self._assets.page(request)

    async def _asset(self, request: Request, segments: Sequence[str]) -> Response:
        return self._assets.file(request, "/".join(segments[1:]))


class _Socket:
    """A websocket as the viewer's actor wants it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        return await self._socket.receive()

    async def send(self, payload: bytes) -> None:
        await self._socket.send(text_frame(payload))

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason)


def _matches(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    return len(pattern) == len(segments) and all(
        want in ("*", segment) for want, segment in zip(pattern, segments, strict=True)
    )


def _asked(query: str) -> tuple[view.Filter, int | None]:
    """The filter and the position of a feed's query. Raises Invalid naming the parameter."""
    job_ids, statuses, job_types, since = set[str](), set[str](), set[str](), None
    for name, value in split_query(query):
        if name == "job":
            job_ids.add(value)
        elif name == "status":
            statuses |= _states(value)
        elif name == "type":
            job_types.add(_job_type(value))
        elif name == "since":
            since = _whole(name, value, 0, 2**63 - 1)
    return view.Filter(frozenset(job_ids), frozenset(statuses), frozenset(job_types)), since


def _states(value: str) -> set[str]:
    states = set(value.split(","))
    if unknown := states.difference(_STATES):
        raise Invalid(f"status: '{min(unknown)[:50]}' is none of {', '.join(_STATES)}", "status")
    return states


def _job_type(value: str) -> str:
    if problem := ids.job_type_problem(value):
        raise Invalid(f"type: {problem}", "type")
    return value


def _whole(name: str, value: str, least: int, most: int) -> int:
    if value.isascii() and value.isdigit() and len(value) < 20 and least <= int(value) <= most:
        return int(value)
    raise Invalid(f"{name}: must be a whole number from {least} to {most}", name)


def _json(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(status, codec.encode(value), headers=_HEADERS)
