"""Senders and operators over HTTP: batches, cancelling, and when to come back."""

import json
from functools import partial

import msgspec
import trio

from schemas.batch import BatchAnswer
from sendensed.config import Access, Config, Writer
from sendensed.core import auth
from sendensed.net.http import Request
from sendensed.net.telemetry import body_limit
from tests.sendensed.test_access import Guarded, bearer
from tests.sendensed.test_routes import Hub

BATCH = "/api/v1/telemetry"


async def test_a_batch_answers_200_with_one_result_for_each_row_that_says_as_much_as_a_single_answer(
    autojump_clock,
):
    hub = Hub()
    body = {
        "updates": [
            {"job_type": "backup", "job_id": "a b/%", "status": "running", "sequence": 1},
            {"job_type": "backup", "job_id": "a b/%", "status": "running", "sequence": 1},
            {"job_type": "backup", "job_id": "c", "status": "done"},
            {"job_type": "restore", "job_id": "a b/%"},
            {"job_type": "backup", "job_id": "d", "padding": "x" * body_limit("/api/v1/telemetry/backup/d")},
        ]
    }
    async with hub.rig.running():
        answer = await hub.ask("POST", BATCH, json.dumps(body).encode())
    assert (answer.status, answer.content_type) == (200, "application/json")
    results = json.loads(answer.body)["results"]
    assert results[0] == {"status": "success", "applied": True, "command": "continue"}
    assert results[1] == {"status": "success", "applied": False, "reason": "duplicate", "command": "continue"}
    assert (results[2]["status"], results[2]["code"]) == ("refused", 400)
    assert results[2]["error"]["field"] == "updates[2].status"
    assert (results[3]["code"], results[3]["error"]["code"]) == (400, "conflict")
    assert (results[4]["code"], results[4]["error"]["code"]) == (413, "too_large")
    assert len(msgspec.json.decode(answer.body, type=BatchAnswer).results) == 5


async def test_rows_without_room_say_when_to_come_back(autojump_clock):
    hub = Hub(settings=Config(open=True, writer=Writer(queue=1)))
    body = {"updates": [{"job_type": "backup", "job_id": name} for name in "ab"]}
    answers = []

    async def push() -> None:
        answers.append(await hub.ask("POST", BATCH, json.dumps(body).encode()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(push)
        await trio.testing.wait_all_tasks_blocked()
        async with hub.rig.running():
            pass
    first, second = json.loads(answers[0].body)["results"]
    assert first["status"] == "success"
    assert (second["code"], second["error"]["code"]) == (503, "queue_full")
    assert 1 <= second["retry_after"] <= 5


def test_a_batch_may_be_larger_than_one_update():
    assert body_limit(BATCH) == 4 * 2**20
    assert body_limit("/api/v1/telemetry/backup/a") == 256 * 2**10


async def test_in_a_batch_an_appliance_speaks_of_its_own_jobs_only(autojump_clock):
    hub = Guarded()
    one, other = (await hub.token("push", "one"))[1], (await hub.token("push", "other"))[1]
    async with hub.rig.running():
        await hub.ask("POST", "/api/v1/telemetry/backup/a", b"{}", **bearer(one))
        body = {"updates": [{"job_type": "backup", "job_id": name} for name in "ab"]}
        answer = await hub.ask("POST", BATCH, json.dumps(body).encode(), **bearer(other))
    assert [result.get("code") for result in json.loads(answer.body)["results"]] == [403, None]


async def test_an_appliance_that_is_too_fast_gets_429_with_a_time(autojump_clock):
    hub = Guarded(Config(access=Access(rate=1.0, burst=1)))
    text = (await hub.token("push", "web"))[1]
    async with hub.rig.running():
        push = partial(hub.ask, "POST", "/api/v1/telemetry/backup/a", b"{}", **bearer(text))
        assert (await push()).status == 200
        refused = await push()
    assert (refused.status, dict(refused.headers)["Retry-After"]) == (429, "1")


async def test_an_operator_cancels_and_the_next_answer_tells_the_sender(autojump_clock):
    hub = Guarded()
    push, operate = (await hub.token("push", "web"))[1], (await hub.token("operate", "ann"))[1]
    read = (await hub.token("read"))[1]
    telemetry, target = "/api/v1/telemetry/backup/a%2Fb", "/api/v1/jobs/a%2Fb/cancel"
    async with hub.rig.running():
        assert (await hub.ask("POST", target, **bearer(operate))).status == 404
        await hub.ask("POST", telemetry, b'{"status":"running","sequence":1}', **bearer(push))
        assert (await hub.ask("POST", target, **bearer(read))).status == 403
        for _ in range(2):
            answer = await hub.ask("POST", target, **bearer(operate))
            assert (answer.status, json.loads(answer.body)) == (202, {"status": "cancelling"})
        told = await hub.ask("POST", telemetry, b'{"status":"running","sequence":2}', **bearer(push))
        assert json.loads(told.body)["command"] == "cancel"
        shown = json.loads((await hub.ask("GET", "/api/v1/jobs/a%2Fb", **bearer(read))).body)
        assert shown["job"]["cancel_requested_at"] == "2026-11-23T02:00:00Z"
        asked = [event for event in shown["events"] if event["kind"] == "cancel"]
        assert [(event["said_by"], event["detail"]) for event in asked] == [("operator", "ann asked to cancel it")]
        await hub.ask("POST", telemetry, b'{"status":"cancelled","sequence":3}', **bearer(push))
        answer = await hub.ask("POST", target, **bearer(operate))
        assert (answer.status, json.loads(answer.body)) == (200, {"status": "cancelled"})
        done = "/api/v1/telemetry/backup/done"
        await hub.ask("POST", done, b'{"status":"completed"}', **bearer(push))
        answer = await hub.ask("POST", "/api/v1/jobs/done/cancel", **bearer(operate))
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (409, "not_active")
    assert (await hub.ask("POST", "/api/v1/jobs/%00/cancel", **bearer(operate))).status == 404


async def test_a_stopping_hub_takes_no_wishes(autojump_clock):
    hub = Hub()
    hub.routes.draining = True
    assert await hub.refused("POST", "/api/v1/jobs/a/cancel") == (503, "draining")
    assert await hub.refused("POST", BATCH) == (503, "draining")


async def test_a_sender_at_the_legacy_address_pushes_for_its_one_appliance_and_may_do_nothing_else(autojump_clock):
    hub = Guarded()
    old = auth.legacy("old")

    async def ask(method: str, path: str):
        request = Request(method, path, "", {"host": "localhost:8083"}, b"{}")
        return await hub.routes.handle(request, caller=old)

    async with hub.rig.running():
        assert (await ask("POST", "/api/v1/telemetry/backup/a")).status == 200
        assert (await hub.rig.stored("a")).appliance == "old"
    assert (await ask("GET", "/api/v1/jobs")).status == 403
    assert (await ask("POST", "/api/v1/jobs/a/cancel")).status == 403
    assert (await ask("GET", "/")).status == 403
    assert (await ask("GET", "/api/v1/health")).status == 200
