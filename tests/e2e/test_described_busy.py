"""The running hub that cannot: `busy`, `behind`, `overdue`, `not_built`, each as its own openapi.json says."""

import shutil
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import trio

import sendensed
from tests.e2e.conftest import eventually
from tests.e2e.narrow_hub import CONNECTIONS
from tests.e2e.test_described_refusals import (
    BATCH,
    BODIES,
    CANCEL,
    FEED,
    UPDATE,
    VALUES,
    WEBSOCKET,
    Described,
    code,
    locked,
)
from tests.waits import PATIENCE

NARROW = "tests.e2e.narrow_hub"
PATIENT = "answer_deadline = 600\n[writer]\npatience = 600\n"
"""A hub that waits for its database longer than for an answer."""


def watch(port: int) -> HTTPConnection | None:
    """A connection that stays; None where the hub has no room for it."""
    viewer = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    viewer.request("GET", FEED, headers=WEBSOCKET)
    if viewer.getresponse().status == 101:
        return viewer
    viewer.close()
    return None


def retry_after(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/api/v1/health")
    with connection.getresponse() as answer:
        connection.close()
        return int(answer.getheader("Retry-After"))


def push_whole(hub: Described) -> tuple[int, str]:
    """An update in one piece, as most senders send it: once its head is known, no task of its own waits for it."""
    connection = HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE)
    connection.connect()
    body = BODIES[UPDATE]
    head = f"POST {UPDATE.format(**VALUES)} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection.sock.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    with connection.sock, HTTPResponse(connection.sock, method="POST") as answer:
        answer.begin()
        status, said = hub.told("POST", UPDATE, answer)
    return status, code(said) if "error" in said else ""


def test_one_connection_too_many_is_told_when_to_come_back_whatever_it_asks_for(make_hub):
    hub = Described(make_hub(program=NARROW).port)
    held = [eventually("it takes a viewer", lambda: watch(hub.port)) for _ in range(CONNECTIONS)]
    for method, path in hub.operations():
        status, body = hub.ask(method, path)
        assert (status, code(body)) == (503, "busy"), path
    assert f"holds {CONNECTIONS} connections" in body["error"]["message"]
    waits = {retry_after(hub.port) for _ in range(40)}  # all who are refused at once do not come back at once
    assert len(waits) > 1
    assert waits <= set(range(1, 6))
    held.pop().close()
    eventually("there is room again", lambda: hub.ask("GET", "/api/v1/health")[0] == 200)
    for viewer in held:
        viewer.close()


def test_an_answer_that_takes_too_long_is_told_when_to_ask_again(make_hub, postgres_dsn):
    hub = Described(make_hub(PATIENT, postgres_dsn, program=NARROW).port)
    asked = [
        ("POST", UPDATE),
        ("POST", BATCH),
        ("POST", CANCEL),
        ("GET", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs/{id}"),
    ]

    async def refused() -> None:
        async def is_refused(one: tuple[str, str]) -> None:
            def is_overdue() -> bool:
                status, body = hub.ask(*one)
                assert status == 503
                return code(body) == "overdue"

            await trio.to_thread.run_sync(eventually, f"{one} is overdue", is_overdue)

        def is_pushed_and_overdue() -> bool:
            return push_whole(hub) == (503, "overdue")

        async with locked(postgres_dsn), trio.open_nursery() as nursery:
            what = "an update that no task waits for is overdue"
            nursery.start_soon(trio.to_thread.run_sync, eventually, what, is_pushed_and_overdue)
            for one in asked:
                nursery.start_soon(is_refused, one)

    assert push_whole(hub) == (200, "")
    trio.run(refused)
    eventually("it answers again", lambda: hub.ask("POST", UPDATE)[0] == 200)


def test_a_hub_that_is_behind_takes_ends_alone_and_tells_others_when_to_come_back(make_hub):
    running = make_hub("[writer]\nlag = 0.000001\n")
    hub = Described(running.port)

    def is_refused(path: str) -> bool:
        status, body = hub.ask("POST", path)
        return status == 503 and code(body) == "behind"

    for path in (UPDATE, BATCH):
        eventually(f"{path} is refused", lambda path=path: is_refused(path))
    assert running.post("a", status="completed")["applied"]


def test_a_page_that_was_not_built_is_described_too(make_hub, tmp_path, monkeypatch):
    """The hub as it is before `make web`, from a folder of its own."""
    whole = Path(sendensed.__file__).parents[1]
    for name in ("sendensed", "schemas"):
        shutil.copytree(whole / name, tmp_path / name, ignore=shutil.ignore_patterns("vendor", "node_modules"))
    monkeypatch.chdir(tmp_path)
    hub = Described(make_hub().port)
    status, body = hub.ask("GET", "/")
    assert (status, code(body)) == (503, "not_built")
    assert hub.ask("GET", "/login")[0] == 200
