"""Sna: over real loopback connections; and a whole job between two servers, each deaf to the other's failures."""

import json
import os
from functools import partial

import pytest
import trio

from clientd.config import TelemetrySettings
from clientd.errors import LegacyUnavailable
from clientd.net.sna import HttpSna
from schemas.sna import SnaProgress
from tests.clientd.test_processes import MIB, NOWHERE, run
from tests.fakes.hub import HttpHub

PROGRESS = SnaProgress("Transfer", "in_progress", 5)


class Legacy:
    """A legacy endpoint on loopback that remembers bodies and paths. `answer` is sent raw, None hangs for ever."""

    def __init__(self):
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        self.paths = []
        self.bodies = []

    @classmethod
    async def start(cls, nursery):
        legacy = cls()
        listeners = await nursery.start(partial(trio.serve_tcp, legacy._serve, 0, host="127.0.0.1"))
        legacy.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        return legacy

    async def _serve(self, stream):
        try:
            while True:
                unread = b""
                while b"\r\n\r\n" not in unread or len(unread.split(b"\r\n\r\n", 1)[1]) < _length(unread):
                    part = await stream.receive_some()
                    if not part:
                        return
                    unread += part
                head, body = unread.split(b"\r\n\r\n", 1)
                self.paths.append(head.split(b" ")[1].decode())
                self.bodies.append(json.loads(body))
                if self.answer is None:
                    await trio.sleep_forever()
                if not self.answer:
                    return
                await stream.send_all(self.answer)
        except trio.BrokenResourceError:
            return
        finally:
            stream.socket.close()


def _length(unread):
    return int(unread.lower().split(b"content-length:")[1].split(b"\r\n")[0])


@pytest.fixture
async def legacy(nursery):
    return await Legacy.start(nursery)


async def test_an_update_arrives_under_the_job_s_name(legacy):
    async with HttpSna(
        legacy.url + "/", "job/ü 1", sender="clientd/test", settings=TelemetrySettings()
    ) as endpoint:
        await endpoint.push(PROGRESS)
        await endpoint.push(PROGRESS)
    assert legacy.paths == ["/api/v1/progress/job%2F%C3%BC%201/update"] * 2
    assert legacy.bodies[0] == {
        "stage": "Transfer",
        "status": "in_progress",
        "bytes_transferred": 5,
        "throughput_bps": 0,
    }


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", "it answered 500"),
        (b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "it answered 302"),
        (b"\x16\x03\x01garbage\r\n\r\n", "illegal"),
        (b"", "disconnected"),
        (None, "no answer|Timeout"),
    ],
)
async def test_whatever_comes_back_is_one_kind_of_trouble(legacy, answer, message):
    legacy.answer = answer
    settings = TelemetrySettings(legacy_timeout=0.1 if answer is None else 5.0)
    async with HttpSna(legacy.url, "x", sender="s", settings=settings) as endpoint:
        with pytest.raises(LegacyUnavailable, match=message):
            await endpoint.push(PROGRESS)


@pytest.mark.parametrize("url", [NOWHERE, "http://a..b"])
async def test_nobody_there_is_trouble_of_the_same_kind(url):
    async with HttpSna(url, "x", sender="s", settings=TelemetrySettings()) as endpoint:
        with pytest.raises(LegacyUnavailable):
            await endpoint.push(PROGRESS)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(MIB))
    return path


async def copied(monkeypatch, hub_url, legacy_url, disk, *more):
    monkeypatch.setenv("MIGRATEKIT_PROGRESS_JOB_ID", "progress-7")
    monkeypatch.setenv("SNA_API_URL", legacy_url)
    ran = await run("backup-x", hub_url, [(disk, disk.with_name("copy"))], *more)
    assert (ran.code, ran.result["status"]) == (0, "completed"), ran.stderr
    assert disk.with_name("copy").read_bytes() == disk.read_bytes()
    assert ran.result["seconds"] < 5
    return ran


async def test_a_job_is_told_on_both_channels(nursery, monkeypatch, legacy, disk):
    hub = await HttpHub.start(nursery)
    ran = await copied(monkeypatch, hub.url, legacy.url, disk)
    assert ran.result["end_known"]
    end = legacy.bodies[-1]
    assert set(legacy.paths) == {"/api/v1/progress/progress-7/update"}
    assert (end["status"], end["percent"], end["bytes_transferred"]) == ("completed", 100, MIB)
    assert end["sync_type"] == "initial"


@pytest.mark.parametrize("answer", [None, b"", b"garbage\r\n\r\n", b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"])
async def test_the_hub_hears_all_whatever_the_legacy_endpoint_does(nursery, monkeypatch, legacy, disk, answer):
    hub = await HttpHub.start(nursery)
    legacy.answer = answer
    ran = await copied(monkeypatch, hub.url, legacy.url, disk)
    assert ran.result["end_known"]
    assert hub.told[-1].status == "completed"
    assert "the legacy progress endpoint does not take our updates, the copy goes on" in [
        line["event"] for line in ran.log
    ]


async def test_nobody_at_the_legacy_endpoint_is_no_trouble_of_the_hub_s(nursery, monkeypatch, disk):
    hub = await HttpHub.start(nursery)
    ran = await copied(monkeypatch, hub.url, NOWHERE, disk)
    assert ran.result["end_known"]


async def test_the_legacy_endpoint_hears_all_while_no_hub_is_there(monkeypatch, legacy, disk):
    ran = await copied(monkeypatch, NOWHERE, legacy.url, disk, "--final-wait", "1")
    assert not ran.result["end_known"]
    assert legacy.bodies[-1]["status"] == "completed"


async def test_without_its_variable_there_is_no_second_channel(nursery, monkeypatch, legacy, disk):
    hub = await HttpHub.start(nursery)
    monkeypatch.setenv("SNA_API_URL", legacy.url)
    await run("backup-x", hub.url, [(disk, disk.with_name("copy"))])
    assert legacy.bodies == []
