"""Two hubs as processes on one PostgreSQL, as two hosts are: what either does is so on both."""

import json
import time
import urllib.request
from functools import partial
from itertools import cycle

import pytest
import trio
import trio_websocket

from sendensed.store import bridge
from tests.e2e.conftest import Hub
from tests.e2e.test_access import Guarded
from tests.e2e.test_workers import SETTINGS, send
from tests.waits import PATIENCE

JOBS = 8
REVOKED_WITHIN = 5.0
"""Seconds after which no hub takes a revoked token any more: the documented time."""


class Balanced:
    """Both hubs under one address: each connection goes to the other one than the last."""

    def __init__(self, *hubs: Hub) -> None:
        self._ports = cycle([hub.port for hub in hubs])

    @property
    def port(self) -> int:
        return next(self._ports)


def again(hub: Hub, program: list[str]) -> None:
    """Stops the hub, and starts it as this one."""
    assert hub.stop() == 0
    hub.program = program
    hub.start()


async def update(one: Hub, other: Hub, acknowledged: dict[str, int]) -> None:
    """The one first; the other goes on, also starts anew, as what it was; then it follows."""
    stop = trio.Event()

    async def more() -> None:
        """Returns when each job has been heard again."""
        before = dict(acknowledged)
        with trio.fail_after(PATIENCE):
            while len(before) < JOBS or any(acknowledged[name] <= said for name, said in before.items()):
                await trio.sleep(0.05)
                before = before if len(before) == JOBS else dict(acknowledged)

    async with trio.open_nursery() as nursery:
        for number in range(JOBS):
            nursery.start_soon(send, Balanced(one, other), f"job-{number}", stop, acknowledged)
        newer, older = ["tests.fakes.newer"], other.program
        for hub, program in ((one, newer), (other, older), (other, newer)):
            await more()
            await trio.to_thread.run_sync(again, hub, program)
        await more()
        stop.set()


async def newest(dsn: str) -> str:
    async with bridge.open_pool(dsn) as pool:
        name: str = await pool.fetchval("SELECT max(name) FROM schema_migrations")
        return name


def test_two_hubs_are_updated_one_after_the_other_under_load_and_lose_nothing(make_hub, postgres_dsn):
    one, other = (make_hub(SETTINGS, postgres_dsn) for _ in range(2))
    acknowledged: dict[str, int] = {}
    trio.run(update, one, other, acknowledged)
    assert trio.run(newest, postgres_dsn).endswith("_later.sql")
    assert "is newer than this hub and serves it" in (other.state / "hub.log").read_text()
    for job_id, sequence in acknowledged.items():
        for hub in (one, other):
            detail = hub.job(job_id)
            assert (detail["job"]["status"], detail["job"]["sequence"]) == ("completed", sequence)
            assert not [event for event in detail["events"] if event["said_by"] == "reaper"]
    for hub in (one, other):
        log = (hub.state / "hub.log").read_text()
        assert "internal error" not in log
        assert '"level": "error"' not in log


async def watch(hub: Hub, seen: dict[str, list[tuple[int, str]]], ready: trio.Event) -> None:
    """Notes each state of each job that this hub's viewer is told of."""
    async with trio_websocket.open_websocket_url(f"ws://127.0.0.1:{hub.port}/api/v1/feed") as feed:
        while True:
            frame = json.loads(await feed.get_message())
            for job in frame.get("jobs", ()):
                seen.setdefault(job["id"], []).append((job["revision"], job["status"]))
            if frame["type"] == "snapshot":
                ready.set()


async def look_on(hubs: list[Hub], seen: list[dict[str, list[tuple[int, str]]]]) -> None:
    """Each hub hears one job, which then falls silent, and one that ends; each hub's viewer is told of all."""
    names = [f"{what}-{number}" for what in ("silent", "ended") for number in range(len(hubs))]
    async with trio.open_nursery() as nursery:
        for hub, told in zip(hubs, seen, strict=True):
            ready = trio.Event()
            nursery.start_soon(watch, hub, told, ready)
            with trio.fail_after(PATIENCE):
                await ready.wait()
        for number, hub in enumerate(hubs):
            for name, status in (("silent", "running"), ("ended", "running"), ("ended", "completed")):
                sequence = 2 if status == "completed" else 1
                tell = partial(hub.post, f"{name}-{number}", status=status, sequence=sequence)
                assert (await trio.to_thread.run_sync(tell))["applied"]
        ends = {name: "failed" if name.startswith("silent") else "completed" for name in names}
        with trio.fail_after(PATIENCE):
            while any({name: told[name][-1][1] for name in told} != ends for told in seen):
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()


def test_viewers_on_either_hub_see_what_both_hear_and_each_verdict_falls_once(make_hub, postgres_dsn):
    hubs = [make_hub(SETTINGS, postgres_dsn) for _ in range(2)]
    seen: list[dict[str, list[tuple[int, str]]]] = [{}, {}]
    trio.run(look_on, hubs, seen)
    for told in seen:
        assert all(states == sorted(states, key=lambda state: state[0]) for states in told.values())
    for hub in hubs:
        for number in range(2):
            events = hub.job(f"silent-{number}")["events"]
            assert [event["status"] for event in events if event["said_by"] == "reaper"] == ["stalled", "failed"]


@pytest.fixture
def guarded(open_directory, postgres_dsn):
    """Two hubs that want tokens."""
    hubs = []
    for name in ("one", "other"):
        (open_directory / name).mkdir(mode=0o755)
        hubs.append(Guarded(open_directory / name, postgres_dsn))
    yield hubs
    for hub in hubs:
        hub.stop()


def signed_in(hub: Guarded, token: str) -> str:
    """The cookie of a browser that showed this token."""
    body = json.dumps({"token": token}).encode()
    request = urllib.request.Request(f"{hub.url}/api/v1/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.headers["Set-Cookie"].partition(";")[0]


def signed_out(hub: Guarded, cookie: str) -> None:
    headers = {"Cookie": cookie, "Origin": hub.url}
    request = urllib.request.Request(f"{hub.url}/api/v1/logout", b"", headers, method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.status == 204


def refused_in_time(hubs: list[Guarded], since: float, **shown: str) -> None:
    """Both hubs, asked all the while, refuse what is shown once the documented time has passed."""
    while time.monotonic() - since < REVOKED_WITHIN:
        for hub in hubs:
            hub.status("/api/v1/jobs", **shown)
        time.sleep(0.1)
    assert [hub.status("/api/v1/jobs", **shown) for hub in hubs] == [401, 401]


def test_a_token_and_a_session_of_one_hub_are_good_on_both_and_once_revoked_on_neither(guarded):
    one, other = guarded
    assert (one.state / "admin.token").exists()
    assert not (other.state / "admin.token").exists()  # there were tokens before its first start
    token = one.made("ann", "read").read_text().strip()
    cookies = [signed_in(one, token), signed_in(one, token)]
    for hub in guarded:
        assert hub.status("/api/v1/jobs", token) == 200
        assert [hub.status("/api/v1/jobs", Cookie=cookie) for cookie in cookies] == [200, 200]
    since = time.monotonic()
    signed_out(other, cookies[0])
    refused_in_time(guarded, since, Cookie=cookies[0])
    assert [hub.status("/api/v1/jobs", Cookie=cookies[1]) for hub in guarded] == [200, 200]
    assert other.token("revoke", "ann").returncode == 0
    since = time.monotonic()
    refused_in_time(guarded, since, token=token)
    refused_in_time(guarded, since, Cookie=cookies[1])
