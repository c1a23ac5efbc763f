"""Every time that the hub tells is UTC with Z, whatever zone its senders and its database speak of."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import trio
import trio_websocket

from sendensed.store import bridge
from tests.e2e.conftest import Hub, eventually
from tests.waits import PATIENCE

INDIA = "2026-11-23T07:30:00+05:30"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
VALUES = {"id": "ended", "name": "web"}
TOLD = {
    *("created_at", "started_at", "completed_at", "last_telemetry_at", "last_moved_at", "cancel_requested_at"),
    *("at", "time", "last_run_at", "last_success_at", "last_heard_at"),
}
"""Fields that have a time where there are jobs that began, ended or are to stop, and an appliance."""


def times(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """The times in a document, each with its field."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from times(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from times(inner, name)
    elif isinstance(value, str) and TIME.match(value):
        yield name, value


def answers(hub: Hub) -> Iterator[object]:
    """What every address tells that is read, as its own description lists them."""
    for path, operations in hub.get("/openapi.json")["paths"].items():
        if "get" in operations and path.startswith("/api/") and path != "/api/v1/feed":
            asked = urllib.request.Request(hub.url + path.format(**VALUES))
            try:
                with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
                    if answer.headers.get_content_type() == "application/json":
                        yield json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    assert (path, error.code) == ("/api/v1/session", 401)


async def frames(hub: Hub) -> list[object]:
    """What a viewer is told until the first tick."""
    found: list[object] = []
    with trio.fail_after(PATIENCE):
        async with trio_websocket.open_websocket_url(f"ws://127.0.0.1:{hub.port}/api/v1/feed") as connection:
            while not found or found[-1]["type"] != "tick":
                found.append(json.loads(await connection.get_message()))
    return found


async def move(server: str, dsn: str) -> None:
    """The database speaks of India's time from now on."""
    name = dsn.partition("?")[0].rpartition("/")[2]
    async with bridge.open_pool(server, connect_timeout=PATIENCE) as pool:
        await pool.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'")


@pytest.mark.parametrize("embedded", [True, False])
def test_every_time_that_is_told_is_utc_with_z(make_hub, postgres_server, postgres_dsn, monkeypatch, embedded):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    monkeypatch.setenv("PGTZ", "Asia/Kolkata")
    trio.run(move, postgres_server, postgres_dsn)
    hub = make_hub(database="" if embedded else postgres_dsn)
    said = {"vm_name": "web", "sender": "clientd/1", "timestamp": INDIA, "bytes_transferred": 5}
    for job_id in ("ended", "stopping"):
        hub.post(job_id, **said, status="running", sequence=1, error={"message": "slow", "timestamp": INDIA})
    hub.post("ended", **said, status="completed", sequence=2)
    urllib.request.urlopen(
        urllib.request.Request(f"{hub.url}/api/v1/jobs/stopping/cancel", method="POST"), timeout=PATIENCE
    ).close()
    eventually("appliances are kept", lambda: hub.get("/api/v1/appliances")["appliances"])
    found = list(times([*answers(hub), *trio.run(frames, hub)]))
    assert {name for name, _ in found} >= TOLD
    assert [one for one in found if not re.fullmatch(rf"{TIME.pattern}(\.\d+)?Z", one[1])] == []
