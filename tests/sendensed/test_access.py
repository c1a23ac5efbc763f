"""Access: who may ask what. Every route, every role, every way to be nobody."""

import json
from datetime import timedelta

import pytest
import trio
from structlog.testing import capture_logs

from sendensed.actors import viewer
from sendensed.config import Access as AccessSettings
from sendensed.config import Config, Feed, Tls
from sendensed.core import auth
from sendensed.net.access import FRESH
from sendensed.net.http import Response, Upgrade
from sendensed.net.ws import Gone
from sendensed.store import StoreUnavailable
from tests.sendensed.test_routes import Hub

MAY = {
    "nobody": {"public"},
    "push": {"public", "push"},
    "read": {"public", "read"},
    "operate": {"public", "read", "operate"},
    "admin": {"public", "read", "operate"},
}
"""What each role may: an appliance speaks of its jobs and nothing else, nobody else speaks of any."""
NEEDS = {
    ("POST", "/api/v1/telemetry/{job_type}/{job_id}"): "push",
    ("POST", "/api/v1/telemetry"): "push",
    ("POST", "/api/v1/jobs/{id}/cancel"): "operate",
    ("GET", "/api/v1/jobs"): "read",
    ("GET", "/api/v1/jobs/{id}"): "read",
    ("GET", "/api/v1/jobs/{id}/samples"): "read",
    ("GET", "/api/v1/machines"): "read",
    ("GET", "/api/v1/machines/{name}"): "read",
    ("GET", "/api/v1/calendar"): "read",
    ("GET", "/api/v1/appliances"): "read",
    ("GET", "/api/v1/summary"): "read",
    ("GET", "/api/v1/badge.json"): "read",
    ("GET", "/api/v1/badge.svg"): "read",
    ("GET", "/api/v1/feed"): "read",
    ("GET", "/api/v1/session"): "read",
    ("GET", "/metrics"): "read",
    ("GET", "/"): "read",
    ("GET", "/api/v1/health"): "public",
    ("POST", "/api/v1/login"): "public",
    ("POST", "/api/v1/logout"): "public",
    ("GET", "/openapi.json"): "public",
    ("GET", "/asyncapi.json"): "public",
    ("GET", "/login"): "public",
    ("GET", "/assets/{file}"): "public",
    ("GET", "/assets/vendor/{file}"): "public",
}
"""What each address asks for. What is not here is no address of the hub: a new one is written down here first."""
TOKENS = Config(feed=Feed(viewers=10), access=AccessSettings(hosts=("hub.example",)))
ORIGIN = "http://localhost:8082"


class Guarded(Hub):
    """A hub that asks for tokens, and hands them out."""

    def __init__(self, settings: Config = TOKENS) -> None:
        super().__init__(settings=settings)
        self.secret = self.rig.environment.secret

    async def token(self, role: str, name: str = "") -> tuple[auth.Token, str]:
        now = await self.tokens.now()
        token, text = auth.mint("token", role, name or role, now, self.secret(auth.RANDOM_BYTES))
        await self.tokens.add(token)
        return token, text

    async def link(self, issuer: auth.Token, life: timedelta = auth.LINK_LIFE) -> str:
        now = await self.tokens.now()
        link, text = auth.issue("link", issuer, now, life, self.secret(auth.RANDOM_BYTES))
        await self.tokens.add(link)
        return text

    async def login(self, text: str) -> Response:
        return await self.ask("POST", "/api/v1/login", json.dumps({"token": text}).encode(), origin=ORIGIN)


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def cookie_of(answer: Response) -> str:
    """`NAME=VALUE` of the cookie that an answer sets."""
    return dict(answer.headers)["Set-Cookie"].partition(";")[0]


def code(answer: Response) -> str:
    return json.loads(answer.body)["error"]["code"]


async def test_every_route_lets_in_those_who_may_and_nobody_else(autojump_clock):
    hub = Guarded()
    assert set(auth.GRANTS) == set(MAY) - {"nobody"}
    assert {(route.method, route.path) for route in hub.routes.table} == set(NEEDS)
    texts = {"nobody": "", **{role: (await hub.token(role))[1] for role in auth.GRANTS}}
    bodies = {
        "/api/v1/telemetry": b'{"updates":[{"job_type":"backup","job_id":"x"}]}',
        "/api/v1/login": json.dumps({"token": texts["admin"]}).encode(),
    }
    async with hub.rig.running():
        for (method, path), need in NEEDS.items():
            target = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
            for role, text in texts.items():
                headers = {"upgrade": "websocket"} if path.endswith("/feed") else {}
                headers |= bearer(text) if text else {}
                answer = await hub.ask(method, target, bodies.get(path, b"{}"), **headers)
                status = 101 if isinstance(answer, Upgrade) else answer.status
                if need in MAY[role]:
                    assert status not in (303, 401, 403), (method, path, role, answer)
                elif role != "nobody":
                    assert status == 403, (method, path, role, answer)
                else:
                    assert status == (303 if path == "/" else 401), (method, path, answer)


async def test_without_a_token_the_answer_says_what_to_do(autojump_clock):
    hub = Guarded()
    answer = await hub.ask("GET", "/api/v1/jobs")
    assert (answer.status, code(answer)) == (401, "no_token")
    assert ("WWW-Authenticate", 'Bearer realm="sendense"') in answer.headers
    assert "sendensed token create" in json.loads(answer.body)["error"]["message"]


@pytest.mark.parametrize("field", ["", "Bearer", "Bearer x", "Basic c2Q6MQ==", "bearer  sd1_a_b_c", "sd1_x"])
async def test_what_is_no_token_is_told_from_a_wrong_one(autojump_clock, field: str):
    answer = await Guarded().ask("GET", "/api/v1/jobs", authorization=field)
    assert (answer.status, code(answer)) == (401, "bad_token")
    assert "no whole token" in json.loads(answer.body)["error"]["message"]


async def test_wrong_unknown_revoked_and_link_tokens_get_the_same_answer_and_the_log_no_secret(autojump_clock):
    hub = Guarded()
    token, text = await hub.token("read")
    link = await hub.link(token)
    unknown = auth.mint("token", "read", "x", await hub.tokens.now(), hub.secret(auth.RANDOM_BYTES))[1]
    random = hub.secret(auth.RANDOM_BYTES)
    ours = auth.mint("token", "read", "x", await hub.tokens.now(), random)
    await hub.tokens.add(ours[0])
    forged = auth.mint("token", "read", "x", await hub.tokens.now(), random[:10] + bytes(32))[1]
    revoked_token, revoked = await hub.token("operate")
    await hub.tokens.revoke(revoked_token.id)
    answers = []
    with capture_logs() as logs:
        for shown in (link, unknown, forged, revoked):
            answers.append(await hub.ask("GET", "/api/v1/jobs", **bearer(shown)))
            await trio.sleep(2)
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert [line["event"] for line in logs] == ["token refused"] * 4
    assert not any(secret.split("_", 2)[2][:43] in str(logs) for secret in (link, unknown, forged, revoked, text))


async def test_a_flood_of_refused_tokens_leaves_one_line_a_second(autojump_clock):
    hub = Guarded()
    token, text = await hub.token("read")
    await hub.tokens.revoke(token.id)
    with capture_logs() as logs:
        for _ in range(30):
            await hub.ask("GET", "/api/v1/jobs", **bearer(text))
            await trio.sleep(0.1)
    assert 2 <= len(logs) <= 4
    assert logs[1]["more"] >= 8


async def test_ids_never_seen_are_looked_up_at_a_bounded_rate_and_known_tokens_are_not_held_up(autojump_clock):
    hub = Guarded()
    _, text = await hub.token("read")
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(text))).status == 200
    statuses = []
    for _ in range(150):
        unknown = auth.mint("token", "read", "x", await hub.tokens.now(), hub.secret(auth.RANDOM_BYTES))[1]
        statuses.append((await hub.ask("GET", "/api/v1/jobs", **bearer(unknown))).status)
    assert statuses[:50] == [401] * 50
    assert statuses[-1] == 429
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(text))).status == 200
    await trio.sleep(30)
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(unknown))).status == 401


async def test_a_token_without_the_right_is_told_which_one_it_lacks(autojump_clock):
    hub = Guarded()
    _, text = await hub.token("push", "web01")
    answer = await hub.ask("GET", "/api/v1/jobs", **bearer(text))
    assert (answer.status, code(answer)) == (403, "forbidden")
    assert json.loads(answer.body)["error"]["message"] == "the token 'web01' is for 'push', and this needs 'read'"


async def test_a_revoked_token_is_out_within_five_seconds(autojump_clock):
    hub = Guarded()
    token, text = await hub.token("read")
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(text))).status == 200
    await hub.tokens.revoke(token.id)
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(text))).status == 200
    assert FRESH < 5
    await trio.sleep(FRESH)
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(text))).status == 401


async def test_one_read_of_the_store_serves_all_who_are_known(autojump_clock):
    hub = Guarded()
    texts = [(await hub.token("push", f"appliance-{number}"))[1] for number in range(20)]
    reads = []
    find = hub.tokens.find

    async def counted(ids, used=()):
        reads.append(len(ids))
        return await find(ids, used)

    hub.tokens.find = counted
    async with hub.rig.running():

        async def push(text):
            answer = await hub.ask("POST", f"/api/v1/telemetry/backup/{text[4:20]}", b"{}", **bearer(text))
            assert answer.status == 200

        for text in texts:
            await push(text)
        await trio.sleep(FRESH)
        reads.clear()
        async with trio.open_nursery() as nursery:
            for text in texts:
                nursery.start_soon(push, text)
    assert reads == [20]
    assert all(token.last_used_at is not None for token in (await find([t[4:20] for t in texts])).values())


async def test_a_push_token_speaks_of_its_own_jobs_only(autojump_clock):
    hub = Guarded()
    one, other = (await hub.token("push", "one"))[1], (await hub.token("push", "other"))[1]
    async with hub.rig.running():
        target, body = "/api/v1/telemetry/backup/a", b'{"status":"running"}'
        assert (await hub.ask("POST", target, body, **bearer(one))).status == 200
        answer = await hub.ask("POST", target, body, **bearer(other))
        assert (answer.status, code(answer)) == (403, "not_yours")
        assert (await hub.rig.stored("a")).appliance == "one"


class AwayTokens:
    """Tokens whose store does not answer."""

    async def find(self, ids, used=()):
        raise StoreUnavailable("away")


async def test_while_the_store_is_away_nobody_new_comes_in_and_health_still_answers(autojump_clock):
    hub = Guarded()
    _, text = await hub.token("read")
    caller = await hub.access.admit((await _request(hub, text)), "read")
    hub.access._tokens = AwayTokens()
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(text))).status == 200
    await trio.sleep(FRESH)
    answer = await hub.ask("GET", "/api/v1/jobs", **bearer(text))
    assert (answer.status, code(answer)) == (503, "database_away")
    assert (await hub.ask("GET", "/api/v1/health", **bearer(text))).status == 200
    assert await hub.access.still(caller)


async def _request(hub, text):
    from sendensed.net.http import Request

    return Request("GET", "/api/v1/jobs", "", {"host": "localhost", **bearer(text)})


async def test_health_tells_strangers_nothing_of_the_database(autojump_clock):
    hub = Guarded()
    _, text = await hub.token("read")
    stranger = json.loads((await hub.ask("GET", "/api/v1/health")).body)
    assert (stranger["ready"], stranger["open"], stranger["database"]) == (True, False, "")
    assert json.loads((await hub.ask("GET", "/api/v1/health", **bearer(text))).body)["database"] == "memory"


async def test_a_link_signs_one_browser_in_once(autojump_clock):
    hub = Guarded()
    token, _ = await hub.token("admin", "ann")
    link = await hub.link(token)
    answer = await hub.login(link)
    assert answer.status == 200
    said = json.loads(answer.body)
    assert (said["name"], said["role"]) == ("ann", "admin")
    field = dict(answer.headers)["Set-Cookie"]
    assert field.startswith("sendense=sd1_")
    assert field.endswith("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200")
    assert (await hub.ask("GET", "/api/v1/jobs", cookie=f"a=b; {cookie_of(answer)}")).status == 200
    session = json.loads((await hub.ask("GET", "/api/v1/session", cookie=cookie_of(answer))).body)
    assert (session["name"], session["role"]) == ("ann", "admin")
    again = await hub.login(link)
    assert (again.status, code(again)) == (401, "bad_link")
    assert "sendensed token link" in json.loads(again.body)["error"]["message"]


async def test_a_link_waits_ten_minutes_and_a_session_ends_with_the_working_day(autojump_clock):
    hub = Guarded()
    token, _ = await hub.token("read", "ann")
    link, late = await hub.link(token), await hub.link(token)
    await trio.sleep(599)
    answer = await hub.login(link)
    assert answer.status == 200
    await trio.sleep(2)
    assert (await hub.login(late)).status == 401
    await trio.sleep(43_190)
    assert (await hub.ask("GET", "/api/v1/jobs", cookie=cookie_of(answer))).status == 200
    await trio.sleep(10)
    assert (await hub.ask("GET", "/api/v1/jobs", cookie=cookie_of(answer))).status == 401


async def test_a_token_signs_in_too_but_neither_an_appliances_nor_a_session(autojump_clock):
    hub = Guarded()
    _, text = await hub.token("read", "ann")
    session = await hub.login(text)
    assert session.status == 200
    _, push = await hub.token("push", "web01")
    answer = await hub.login(push)
    assert (answer.status, code(answer)) == (403, "forbidden")
    answer = await hub.login(cookie_of(session).partition("=")[2])
    assert (answer.status, code(answer)) == (401, "bad_link")
    assert (await hub.login("nonsense")).status == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token":1}', b'{"token":"\xff"}'])
async def test_a_sign_in_that_is_none_is_refused(autojump_clock, body: bytes):
    with pytest.raises(ValueError, match="sd1_"):
        await Guarded().ask("POST", "/api/v1/login", body)


async def test_signing_out_ends_the_session_at_once_and_leaves_the_token(autojump_clock):
    hub = Guarded()
    _, text = await hub.token("read", "ann")
    session = cookie_of(await hub.login(text))
    assert (await hub.ask("GET", "/api/v1/jobs", cookie=session)).status == 200
    answer = await hub.ask("POST", "/api/v1/logout", cookie=session, origin=ORIGIN)
    assert (answer.status, cookie_of(answer)) == (204, "sendense=")
    assert (await hub.ask("GET", "/api/v1/jobs", cookie=session)).status == 401
    assert (await hub.ask("POST", "/api/v1/logout", **bearer(text))).status == 204
    assert (await hub.ask("GET", "/api/v1/jobs", **bearer(text))).status == 200
    assert (await hub.ask("POST", "/api/v1/logout")).status == 204


async def test_a_revoked_token_takes_its_sessions_along(autojump_clock):
    hub = Guarded()
    token, _ = await hub.token("read", "ann")
    session = cookie_of(await hub.login(await hub.link(token)))
    await hub.tokens.revoke("ann")
    await trio.sleep(FRESH)
    assert (await hub.ask("GET", "/api/v1/jobs", cookie=session)).status == 401


async def test_a_browser_without_a_session_is_sent_to_sign_in(autojump_clock):
    hub = Guarded()
    answer = await hub.ask("GET", "/")
    assert (answer.status, dict(answer.headers)["Location"]) == (303, "login")
    assert answer.content_type.startswith("text/html")
    assert b'<a href="login">' in answer.body
    page = await hub.ask("GET", "/login")
    assert page.status == 200
    assert b'src="assets/login.js"' in page.body
    _, text = await hub.token("read", "ann")
    assert (await hub.ask("GET", "/", cookie=cookie_of(await hub.login(text)))).status in (200, 503)


async def test_a_session_watches_and_changes_from_the_hubs_own_page_only(autojump_clock):
    hub = Guarded()
    _, text = await hub.token("operate", "ann")
    session = cookie_of(await hub.login(text))
    feed = {"cookie": session, "upgrade": "websocket"}
    answer = await hub.ask("GET", "/api/v1/feed", **feed)
    assert (answer.status, code(answer)) == (403, "no_origin")
    answer = await hub.ask("GET", "/api/v1/feed", **feed, origin="http://evil.example")
    assert (answer.status, code(answer)) == (403, "foreign_origin")
    assert isinstance(await hub.ask("GET", "/api/v1/feed", **feed, origin=ORIGIN), Upgrade)


async def test_under_tls_the_cookie_is_secure_and_bound_to_the_host(autojump_clock):
    hub = Guarded(Config(tls=Tls("cert.pem", "key.pem")))
    _, text = await hub.token("read", "ann")
    answer = await hub.ask(
        "POST", "/api/v1/login", json.dumps({"token": text}).encode(), origin="https://localhost:8082"
    )
    field = dict(answer.headers)["Set-Cookie"]
    assert field.startswith("__Host-sendense=")
    assert "; Secure" in field
    assert await hub.refused("POST", "/api/v1/login", origin=ORIGIN) == (403, "foreign_origin")


@pytest.mark.parametrize(
    ("listen", "host", "status"),
    [
        ("127.0.0.1:8082", "localhost:8082", 401),
        ("127.0.0.1:8082", "hub.example", 401),
        ("127.0.0.1:8082", "HUB.example:443", 401),
        ("127.0.0.1:8082", "evil.example", 403),
        ("127.0.0.1:8082", "10.0.0.7:8082", 403),
        ("10.0.0.7:8082", "10.0.0.7:8082", 401),
        ("10.0.0.7:8082", "localhost", 401),
        ("0.0.0.0:8082", "10.0.0.7:8082", 401),
        ("[::]:8082", "[fd00::7]:8082", 401),
        ("0.0.0.0:8082", "evil.example", 403),
    ],
)
async def test_a_hub_goes_by_its_address_and_the_names_it_is_given(autojump_clock, listen, host, status):
    hub = Guarded(Config(listen=listen, access=TOKENS.access))
    answer = await hub.ask("GET", "/api/v1/jobs", host=host)
    assert answer.status == status
    assert status == 401 or "access.hosts" in json.loads(answer.body)["error"]["message"]


async def test_the_origin_of_a_proxy_is_one_of_ours_when_it_is_listed(autojump_clock):
    hub = Guarded(Config(access=AccessSettings(hosts=("hub.example",), origins=("https://hub.example",))))
    _, text = await hub.token("read", "ann")
    body = json.dumps({"token": text}).encode()
    answer = await hub.ask("POST", "/api/v1/login", body, host="hub.example", origin="https://hub.example")
    assert answer.status == 200


async def test_an_open_hub_asks_nobody_and_says_so(autojump_clock):
    hub = Hub()
    assert json.loads((await hub.ask("GET", "/api/v1/session")).body) == {
        "name": "",
        "role": "admin",
        "expires_at": None,
    }
    assert (await hub.ask("GET", "/api/v1/jobs", authorization="Bearer nonsense")).status == 200
    assert json.loads((await hub.ask("GET", "/api/v1/health")).body)["open"] is True


class Socket:
    """A viewer that stays."""

    def __init__(self) -> None:
        self.closed: tuple[int, float] | None = None

    async def receive(self) -> str:
        await trio.sleep_forever()
        raise Gone

    async def send_text(self, payload: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def close(self, close_code: int, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        self.closed = self.closed or (close_code, trio.current_time())


async def test_a_viewer_whose_token_is_revoked_is_turned_out_within_five_seconds(autojump_clock):
    hub = Guarded()
    token, text = await hub.token("read")
    feed = await hub.ask("GET", "/api/v1/feed", upgrade="websocket", **bearer(text))
    socket = Socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run, socket)
        await trio.sleep(60)
        assert socket.closed is None
        await hub.tokens.revoke(token.id)
        revoked_at = trio.current_time()
        with trio.fail_after(60):
            while socket.closed is None:
                await trio.sleep(0.1)
    close_code, at = socket.closed
    assert close_code == 1008
    assert close_code != viewer.TRY_AGAIN_LATER
    assert at - revoked_at < 5
    assert hub.fanout.viewers == 0
