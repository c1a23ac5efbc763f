"""Badges over the hub's own addresses."""

import json

import pytest

from schemas.fault import Invalid
from tests.sendensed.test_routes import Hub


async def told(hub: Hub, query: str = "") -> dict:
    answer = await hub.ask("GET", f"/api/v1/badge.json{query}")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def test_a_badge_tells_of_the_jobs_asked_for(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        assert (await told(hub))["message"] == "no jobs"
        await hub.rig.send("web", 1, vm_name="web-01")
        await hub.rig.send("db", 1, vm_name="db-01")
        await hub.rig.send("db", 2, vm_name="db-01", status="failed", error="EIO")
        assert await told(hub) == {
            "label": "backups", "message": "1 running, 1 failed", "color": "#b32424", "schemaVersion": 1
        }  # fmt: skip
        assert (await told(hub, "?machine=web-01"))["message"] == "1 running"
        assert (await told(hub, "?machine=db-01"))["label"] == "db-01"
        assert (await told(hub, "?type=restore"))["message"] == "no jobs"
        assert (await told(hub, "?appliance=nobody&label=rack"))["label"] == "rack"


async def test_the_picture_is_an_svg_that_nobody_keeps(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        answer = await hub.ask("GET", "/api/v1/badge.svg?label=%3Cscript%3E")
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    assert ("Cache-Control", "no-store") in answer.headers
    assert b"&lt;script&gt;: no jobs" in answer.body
    assert b"<script" not in answer.body


@pytest.mark.parametrize("query", ["?label=" + 61 * "x", "?type=No", "?machine=%00"])
async def test_what_no_badge_can_be_made_of_is_refused(autojump_clock, query):
    hub = Hub()
    async with hub.rig.running():
        with pytest.raises(Invalid, match=r"label|type|machine"):
            await hub.ask("GET", f"/api/v1/badge.json{query}")
