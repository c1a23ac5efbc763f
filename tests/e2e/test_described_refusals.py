"""The running hub made to refuse: 413, 429 and 503 at every address, each as its own openapi.json says."""

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http.client import HTTPConnection, HTTPResponse

import pytest
import trio
from jsonschema_rs import Draft202012Validator

from schemas.batch import BYTES
from schemas.telemetry import BODY_BYTES
from sendensed.core import auth
from sendensed.environment import SystemEnvironment
from sendensed.store import bridge
from tests.e2e.conftest import eventually
from tests.e2e.test_access import Guarded
from tests.waits import PATIENCE

UPDATE = "/api/v1/telemetry/{job_type}/{job_id}"
BATCH = "/api/v1/telemetry"
CANCEL = "/api/v1/jobs/{id}/cancel"
FEED = "/api/v1/feed"
BODIES = {
    UPDATE: b'{"status": "running"}',
    BATCH: b'{"updates": [{"job_type": "backup", "job_id": "a"}]}',
    "/api/v1/login": b'{"token": "%s"}',
}
VALUES = {"job_type": "backup", "job_id": "a", "id": "a", "name": "web", "file": "page.css"}
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def a_token() -> str:
    """A token that no hub knows."""
    environment = SystemEnvironment()
    return auth.mint("token", "read", "nobody", environment.wall(), environment.secret(auth.RANDOM_BYTES))[1]


class Described:
    """A hub's port, and what its own description says: no answer passes by that is not as described."""

    def __init__(self, port: int, **headers: str) -> None:
        self.port = port
        self.headers = {"Content-Type": "application/json", **headers}
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/openapi.json")
        self.document = json.load(connection.getresponse())
        connection.close()

    def operations(self) -> list[tuple[str, str]]:
        paths = self.document["paths"]
        return [(method.upper(), path) for path, operations in paths.items() for method in operations]

    def needs_token(self, method: str, path: str) -> bool:
        return bool(self.document["paths"][path][method.lower()]["security"])

    def ask(self, method: str, path: str, job_id: str = "a", **headers: str) -> tuple[int, dict]:
        """Asks at an address of the description; returns status and body, both as described."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            body = BODIES.get(path, b"").replace(b"%s", a_token().encode())
            target = path.format(**VALUES | {"job_id": job_id})
            connection.request(method, target, body, self.headers | headers)
            return self.told(method, path, connection.getresponse())
        finally:
            connection.close()

    def told(self, method: str, path: str, answer: HTTPResponse) -> tuple[int, dict]:
        said = self.document["paths"][path][method.lower()]["responses"][str(answer.status)]
        headers = said.get("headers", {})
        assert ("Retry-After" in headers) == (answer.status in (429, 503))
        for name, header in headers.items():
            value = answer.getheader(name)
            assert value is not None or not header["required"], (path, answer.status, name)
            if value is not None:
                self.validate(header["schema"], int(value))
        content = answer.read()
        kind = (answer.getheader("Content-Type") or "").partition(";")[0]
        if kind != "application/json":
            assert kind in said.get("content", {"": {}}) or "*/*" in said["content"]
            return answer.status, {}
        body = json.loads(content)
        self.validate(said["content"][kind].get("schema", {}), body)
        return answer.status, body

    def validate(self, schema: dict, value: object) -> None:
        components = {"components": {"schemas": self.document["components"]["schemas"]}}
        Draft202012Validator({**schema, **components}).validate(value)


def code(body: dict) -> str:
    return body["error"]["code"]


def test_a_body_that_is_too_large_is_refused_at_every_address_before_it_is_sent(make_hub):
    hub = Described(make_hub().port)
    for method, path in hub.operations():
        connection = HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE)
        connection.putrequest(method, path.format(**VALUES))
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(BYTES + 1))
        connection.endheaders()
        answer = connection.getresponse()
        status, body = hub.told(method, path, answer)
        assert (status, code(body), answer.will_close) == (413, "body_too_large", True), path
        connection.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_sender_that_sends_too_much_reads_why(make_hub, chunked: bool):
    hub = Described(make_hub().port)
    for size, status in ((BODY_BYTES, 400), (BODY_BYTES + 1, 413)):
        connection = HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE)
        body = iter([b" " * size]) if chunked else b" " * size
        connection.request("POST", UPDATE.format(**VALUES), body, hub.headers, encode_chunked=chunked)
        assert hub.told("POST", UPDATE, connection.getresponse())[0] == status
        connection.close()


@pytest.fixture
def make_guarded(open_directory):
    hubs = []

    def make(settings: str = "") -> Guarded:
        hubs.append(Guarded(open_directory, settings=settings))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.stop()


def test_an_appliance_that_is_too_fast_is_told_when_to_come_back(make_guarded):
    guarded = make_guarded("[access]\nrate = 0.01\nburst = 1\n")
    token = guarded.made("web", "push").read_text().strip()
    hub = Described(guarded.port, Authorization=f"Bearer {token}")
    assert hub.ask("POST", UPDATE)[0] == 200
    for path in (UPDATE, BATCH):
        status, body = hub.ask("POST", path)
        assert (status, code(body)) == (429, "too_fast")


def test_who_may_not_see_the_page_is_sent_to_sign_in(make_guarded):
    hub = Described(make_guarded().port)
    for shown in ({}, {"Authorization": f"Bearer {a_token()}"}):
        assert hub.ask("GET", "/", **shown)[0] == 303


def test_who_tries_tokens_is_told_when_to_come_back_at_every_address_that_asks_for_one(make_guarded):
    hub = Described(make_guarded().port)
    for method, path in hub.operations():
        if hub.needs_token(method, path):

            def is_flood(method=method, path=path) -> bool:
                shown = {"Authorization": f"Bearer {a_token()}"}
                status, body = hub.ask(method, path, **shown)
                assert status in (401, 429, 303)
                return status == 429 and code(body) == "too_many_tokens"

            eventually(f"{method} {path} answers 429", lambda: any(is_flood() for _ in range(50)))


def test_where_the_database_is_away_whatever_needs_it_is_refused_until_it_is_back(
    make_hub, postgres_dsn, postgres_server
):
    settings = "[writer]\npatience = 0.3\n[reaper]\nbeat = 0.3\ngap = 1\n"
    hub = Described(make_hub(settings, postgres_dsn).port)
    operations = [one for one in hub.operations() if one[1] != FEED]
    assert {hub.ask(*one)[0] for one in operations} <= {200, 202, 204, 401, 404}
    trio.run(shut, postgres_server, postgres_dsn)
    eventually("it is not ready", lambda: hub.ask("GET", "/api/v1/health")[0] == 503)
    told = {one: hub.ask(*one) for one in operations}
    refused = {f"{method} {path}" for (method, path), (status, _) in told.items() if status == 503}
    without = (
        "/metrics",
        "/openapi.json",
        "/asyncapi.json",
        "/",
        "/login",
        "/assets/{file}",
        "/assets/vendor/{file}",
    )
    assert refused == {f"{method} {path}" for method, path in operations if path not in (*without, BATCH)}
    assert {code(told[method, path][1]) for method, path in operations if path in (UPDATE, CANCEL)} == {
        "database_away"
    }
    status, body = told["POST", BATCH]
    assert (status, body["results"][0]["code"]) == (200, 503)
    assert 1 <= body["results"][0]["retry_after"] <= 5


async def shut(server: str, dsn: str) -> None:
    """The database takes no connections any more, and ends those that there are."""
    name = dsn.partition("?")[0].rpartition("/")[2]
    async with bridge.open_pool(server) as pool:
        await pool.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await pool.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


@asynccontextmanager
async def locked(dsn: str):
    """Inside the block nobody can write a job."""
    async with bridge.open_pool(dsn) as pool, pool.connection() as session:
        await session.execute("BEGIN")
        await session.execute("LOCK TABLE backup_jobs IN ACCESS EXCLUSIVE MODE")
        yield
        await session.execute("COMMIT")


def test_a_full_queue_and_a_commit_that_takes_too_long_are_told_when_to_come_back(make_hub, postgres_dsn):
    hub = Described(make_hub("answer_deadline = 2\n[writer]\nqueue = 1\nlag = 60\n", postgres_dsn).port)
    asked = [("POST", UPDATE, f"job-{number}") for number in range(12)] + [("POST", BATCH), ("POST", CANCEL)] * 2

    async def refused() -> list[tuple[int, dict]]:
        async with locked(postgres_dsn):
            with ThreadPoolExecutor(len(asked)) as threads:
                waiting = [threads.submit(hub.ask, *one) for one in asked]
                return [await trio.to_thread.run_sync(one.result) for one in waiting]

    told = trio.run(refused)
    singles = [code(body) for status, body in told if status == 503]
    batches = [body["results"][0] for status, body in told if status == 200]
    assert len(singles) + len(batches) == len(asked)
    assert set(singles) == {"queue_full", "not_committed_in_time"}
    assert {one["code"] for one in batches} <= {503}  # a busy hub refuses a batch as a whole
    eventually("it takes them again", lambda: hub.ask("POST", UPDATE)[0] == 200)


def test_one_viewer_too_many_is_told_when_to_come_back(make_hub):
    hub = Described(make_hub("[feed]\nviewers = 1\n").port)
    assert hub.ask("GET", FEED)[0] == 426
    viewer = HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE)
    viewer.request("GET", FEED, headers=WEBSOCKET)
    assert viewer.getresponse().status == 101

    def is_refused() -> bool:
        status, body = hub.ask("GET", FEED)
        return status == 503 and code(body) == "too_many_viewers"

    eventually("a second one is refused", is_refused)
    viewer.close()


def test_whatever_is_new_to_a_hub_that_stops_is_told_when_to_come_back(make_hub):
    """Each request is half sent when the hub is told to stop."""
    running = make_hub()
    hub = Described(running.port)
    begun = {
        path: HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE) for path in (UPDATE, BATCH, CANCEL, FEED)
    }
    for path, connection in begun.items():
        connection.connect()
        method = "GET" if path == FEED else "POST"
        connection.sock.sendall(f"{method} {path.format(**VALUES)} HTTP/1.1\r\nHost: localhost\r\n".encode())
    assert hub.ask("GET", "/api/v1/health")[0] == 200  # what came before it has been read
    os.kill(running.process.pid, signal.SIGTERM)
    eventually("nobody listens", lambda: not listens(hub.port))
    for path, connection in begun.items():
        method, body = ("GET", b"") if path == FEED else ("POST", BODIES.get(path, b""))
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sock.sendall(head.encode() + body)
        answer = HTTPResponse(connection.sock, method=method)
        answer.begin()
        status, said = hub.told(method, path, answer)
        assert (status, code(said), answer.will_close) == (503, "draining", True)
        connection.close()
    assert running.stop() == 0


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True
