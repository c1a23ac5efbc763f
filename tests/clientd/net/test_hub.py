"""Hub: over real loopback connections, each answer gets the name of what the sender does next."""

import itertools
import socket
from functools import partial
from types import SimpleNamespace

import pytest
import trio

from clientd.config import TelemetrySettings
from clientd.errors import HubDenied, HubRefused, HubUnavailable
from clientd.net.hub import HttpHub as Client
from schemas import codec
from schemas.telemetry import Acknowledgement, TelemetryBody
from tests.fakes import hub as fakes
from tests.fakes.hub import Reply

SETTINGS = TelemetrySettings()
BODY = codec.encode(TelemetryBody(status="running", sequence=1, bytes_transferred=5))


@pytest.fixture
async def hub(nursery):
    return await fakes.HttpHub.start(nursery)


@pytest.fixture
async def client(hub):
    async with Client(hub.url + "/", sender="clientd/test", settings=SETTINGS, token="sd1_x") as client:
        yield client


async def test_an_update_arrives_under_its_name(hub, client):
    job_id = "backup-größe 100%/a?b#c"
    hub.rule = lambda update: Acknowledgement(applied=False, command="cancel", reason="asked to")
    answer = await client.push("backup", job_id, BODY)
    assert (answer.applied, answer.command, answer.reason) == (False, "cancel", "asked to")
    assert hub.told[0].job_id == job_id
    assert hub.told[0].bytes_transferred == 5
    assert hub.paths == ["/api/v1/telemetry/backup/backup-gr%C3%B6%C3%9Fe%20100%25%2Fa%3Fb%23c"]
    head = hub.heads[0].lower()
    assert "content-type: application/json" in head
    assert "authorization: bearer sd1_x" in head
    assert "user-agent: clientd/test" in head


async def test_one_connection_serves_many_beats(hub, client, monkeypatch):
    beats = itertools.count(step=2 * SETTINGS.beat)
    monkeypatch.setattr("httpcore._async.http11.time", SimpleNamespace(monotonic=lambda: now))
    for now in itertools.islice(beats, 5):  # noqa: B007 - the pool's clock
        await client.push("backup", "x", BODY)
    assert len(hub.told) == 5
    assert hub.connections == 1


@pytest.mark.parametrize("job_id", [".", "..", "...", "..x", ".%2E"])
async def test_an_id_of_dots_is_no_way_to_another_address(hub, client, job_id):
    await client.push("backup", job_id, BODY)
    assert hub.told[0].job_id == job_id
    assert hub.paths[0].startswith("/api/v1/telemetry/backup/")


FAULT = b'{"error":{"code":"invalid","message":"disks: their sum is too large","field":"disks"}}'


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply(400, FAULT), HubRefused, "400: disks: their sum is too large"),
        (Reply(413, b"too large"), HubRefused, "413: too large"),
        (Reply(415), HubRefused, "415: no reason given"),
        (Reply(431), HubRefused, "431"),
        (Reply(401, FAULT), HubDenied, "401: disks"),
        (Reply(403, b"\x1b[31mno\x00"), HubDenied, "403: \ufffd[31mno\ufffd"),
        (Reply(404), HubUnavailable, "404"),
        (Reply(408), HubUnavailable, "408"),
        (Reply(500, b"{}"), HubUnavailable, "500: {}"),
        (Reply(302, headers={"location": "http://127.0.0.1:1/"}), HubUnavailable, "302"),
        (Reply(200, b"<html>hello</html>"), HubUnavailable, "not an acknowledgement"),
        (Reply(200, b'{"status":"success","command":"explode"}'), HubUnavailable, "not an acknowledgement"),
        (Reply(200, b"{}"), HubUnavailable, "not an acknowledgement"),
        (Reply(200, b'{"status":"error"}'), HubUnavailable, "not an acknowledgement"),
        (Reply(200, b" " * 70000), HubUnavailable, "longer than"),
    ],
)
async def test_answers_get_their_meaning(hub, client, reply, error, message):
    hub.replies.append(reply)
    with pytest.raises(error) as caught:
        await client.push("backup", "x", BODY)
    assert message in str(caught.value)
    await client.push("backup", "x", BODY)


@pytest.mark.parametrize(
    ("status", "header", "seconds"), [(503, "3", 3.0), (429, "60", 60.0), (503, "soon", None)]
)
async def test_the_hub_s_wish_for_a_pause_is_passed_on(hub, client, status, header, seconds):
    hub.replies.append(Reply(status, FAULT, {"retry-after": header}))
    with pytest.raises(HubUnavailable) as caught:
        await client.push("backup", "x", BODY)
    assert caught.value.retry_after == seconds


async def test_nobody_there_is_unavailable_and_proxies_are_not_asked(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    async with Client(f"http://127.0.0.1:{port}", sender="s", settings=SETTINGS) as client:
        with pytest.raises(HubUnavailable, match="connect"):
            await client.push("backup", "x", BODY)


@pytest.mark.parametrize("place", ["a..b", "h:port", "x" * 64])
async def test_an_address_that_cannot_be_one_is_unavailable(place):
    async with Client(f"http://{place}", sender="s", settings=SETTINGS) as client:
        with pytest.raises(HubUnavailable):
            await client.push("backup", "x", BODY)


async def test_a_hub_that_says_nothing_is_given_up_on(hub):
    hub.replies.append(Reply(silent=True))
    settings = TelemetrySettings(request_timeout=0.05)
    async with Client(hub.url, sender="s", settings=settings) as client:
        with pytest.raises(HubUnavailable, match=r"no answer|Timeout"):
            await client.push("backup", "x", BODY)
        await trio.lowlevel.checkpoint()


async def test_a_hub_that_hangs_up_is_unavailable(nursery):
    async def hang_up(stream):
        await stream.receive_some()

    listeners = await nursery.start(partial(trio.serve_tcp, hang_up, 0, host="127.0.0.1"))
    url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    async with Client(url, sender="s", settings=SETTINGS) as client:
        with pytest.raises(HubUnavailable):
            await client.push("backup", "x", BODY)


class Resolver(trio.abc.HostnameResolver):
    """Answers with the scripted answers: an error is raised, an address given, None is silence."""

    def __init__(self, *answers):
        self._answers = list(answers)

    async def getaddrinfo(self, host, port, *more):
        answer = self._answers.pop(0)
        if answer is None:
            await trio.sleep_forever()
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answer)]

    async def getnameinfo(self, sockaddr, flags):
        raise AssertionError("nobody asks for names")


async def test_a_resolver_that_fails_hangs_and_changes_its_mind_costs_tries_only(hub):
    trio.socket.set_custom_hostname_resolver(
        Resolver(
            socket.gaierror(socket.EAI_AGAIN, "try again"),
            None,
            ("127.0.0.1", 9),
            ("127.0.0.1", int(hub.url.rpartition(":")[2])),
        )
    )
    settings = TelemetrySettings(request_timeout=2)
    async with Client("http://hub.example", sender="s", settings=settings) as client:
        for _ in range(3):
            with pytest.raises(HubUnavailable):
                await client.push("backup", "x", BODY)
        await client.push("backup", "x", BODY)
    assert len(hub.told) == 1
