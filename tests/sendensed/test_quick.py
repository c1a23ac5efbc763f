"""Quick: what takes the bodies of a known head answers as the handler does, as long as the sender is admitted."""

import base64
import json

import pytest
import trio

from schemas.fault import Invalid
from sendensed.config import Access, Config, Writer
from sendensed.core import auth
from sendensed.net.access import FRESH
from sendensed.net.http import Request, Response
from tests.sendensed.test_access import MAY, NEEDS, Guarded, bearer
from tests.sendensed.test_routes import Hub

PATH = "/api/v1/telemetry/backup/backup-web%2F01"


def head(path: str = PATH, method: str = "POST", **fields: str) -> Request:
    return Request(method, path, "", {"host": "localhost:8082", **fields})


async def told(take, body: bytes) -> Response | None:
    """The answer to a body; None where it was not taken."""
    answers: list[Response] = []
    if not take(body, answers.append):
        assert not answers
        return None
    with trio.fail_after(5):
        while not answers:
            await trio.sleep(0.01)
    return answers[0]


async def test_what_takes_the_body_says_what_the_handler_says(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        take = hub.routes.quick(head())
        for sequence, applied in ((1, True), (2, True), (2, False)):
            body = b'{"status":"running","bytes_transferred":7,"sequence":%d}' % sequence
            answer = await told(take, body)
            assert (answer.status, json.loads(answer.body)["applied"]) == (200, applied)
        assert (await hub.rig.stored("backup-web/01")).bytes_transferred == 7
        assert json.loads(answer.body)["reason"] == "duplicate"
        assert answer.body == (await hub.ask("POST", PATH, body)).body


async def test_only_the_senders_address_has_a_taker_and_only_a_head_that_is_not_refused_already():
    hub = Hub()
    assert hub.routes.quick(head()) is not None
    assert hub.routes.quick(head(method="GET")) is None
    assert hub.routes.quick(head("/api/v1/jobs")) is None
    assert hub.routes.quick(head("/api/v1/telemetry")) is None
    assert hub.routes.quick(head("/api/v1/telemetry/backup/%zz")) is None
    assert hub.routes.quick(head("/api/v1/telemetry/Backup/a")) is None
    assert hub.routes.quick(head("/api/v1/telemetry/backup/" + 201 * "a")) is None
    assert hub.routes.quick(head(origin="https://elsewhere")) is None


async def test_a_body_outside_the_contract_is_refused_with_the_words_of_the_handler(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        take = hub.routes.quick(head())
        with pytest.raises(Invalid, match="sequence"):
            take(b'{"sequence":-1}', lambda answer: None)


async def test_a_full_queue_and_a_hasty_appliance_are_answered_at_once():
    hub = Guarded(Config(writer=Writer(queue=1), access=Access(rate=1, burst=3)))
    _, text = await hub.token("push", "shop")
    with pytest.raises(Invalid):
        await hub.ask("POST", PATH, b"{", **bearer(text))  # known from here on
    take = hub.routes.quick(head(**bearer(text)))
    answers: list[Response] = []
    for body in (b'{"sequence":1}', b'{"sequence":2}', b"{}"):
        assert take(body, answers.append)
    assert [answer.status for answer in answers] == [503, 429]


async def test_a_taker_lets_in_only_a_token_that_was_read_lately_and_may_push(autojump_clock):
    hub = Guarded()
    token, text = await hub.token("push", "shop")
    _, reader = await hub.token("read")
    async with hub.rig.running():
        take = hub.routes.quick(head(**bearer(text)))
        assert await told(take, b'{"sequence":1}') is None
        assert (await hub.ask("POST", PATH, b'{"sequence":1}', **bearer(text))).status == 200
        assert (await told(take, b'{"sequence":2}')).status == 200
        assert (await hub.rig.stored("backup-web/01")).appliance == "shop"
        await trio.sleep(FRESH)
        assert await told(take, b'{"sequence":3}') is None
        assert (await hub.ask("POST", PATH, b'{"sequence":3}', **bearer(text))).status == 200
        assert (await told(take, b'{"sequence":4}')).status == 200
        await hub.tokens.revoke(token.id)
        await trio.sleep(FRESH)
        assert (await hub.ask("POST", PATH, b"{}", **bearer(text))).status == 401
        assert await told(take, b'{"sequence":5}') is None
        assert (await hub.ask("POST", PATH, b"{}", **bearer(reader))).status == 403
        assert await told(hub.routes.quick(head(**bearer(reader))), b"{}") is None


async def test_the_quick_way_lets_in_whom_the_routes_let_in_and_is_for_senders_alone(autojump_clock):
    hub = Guarded()
    texts = {"nobody": "", **{role: (await hub.token(role))[1] for role in auth.GRANTS}}
    let_in = set()
    async with hub.rig.running():
        for text in texts.values():
            await hub.ask("GET", "/api/v1/health", **bearer(text) if text else {})  # known from here on
        for method, path in NEEDS:
            target = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
            for role, text in texts.items():
                take = hub.routes.quick(head(target.replace("/x/x", "/backup/x"), method, **bearer(text)))
                if take is not None and await told(take, b"{}") is not None:
                    let_in.add((method, path, role))
    sender = ("POST", "/api/v1/telemetry/{job_type}/{job_id}")
    assert let_in == {(*sender, role) for role in MAY if NEEDS[sender] in MAY[role]}


async def test_a_taker_takes_no_token_that_only_has_the_id_of_a_known_one(autojump_clock):
    hub = Guarded()
    token, text = await hub.token("push", "shop")
    same_id = base64.b32decode(token.id.upper())
    forged, forged_text = auth.mint("token", "push", "shop", token.created_at, same_id.ljust(auth.RANDOM_BYTES))
    assert (forged.id, forged_text == text) == (token.id, False)
    async with hub.rig.running():
        assert (await hub.ask("POST", PATH, b"{}", **bearer(text))).status == 200
        assert await told(hub.routes.quick(head(**bearer(forged_text))), b"{}") is None
        assert (await told(hub.routes.quick(head(**bearer(text))), b"{}")).status == 200


async def test_a_browsers_session_and_nobody_have_no_taker():
    hub = Guarded()
    _, text = await hub.token("push")
    assert hub.routes.quick(head()) is None
    assert hub.routes.quick(head(cookie=f"sendense={text}")) is None
    assert hub.routes.quick(head(authorization="Bearer torn")) is None


async def test_at_the_legacy_address_the_appliance_is_settled(autojump_clock):
    hub = Guarded()
    async with hub.rig.running():
        take = hub.routes.quick(head(), caller=auth.legacy("old"))
        assert (await told(take, b"{}")).status == 200
        assert (await hub.rig.stored("backup-web/01")).appliance == "old"
