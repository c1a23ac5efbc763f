"""Routes: every address of the hub, who may ask it from where, and its sentences."""

import gzip
import json

import msgspec
import pytest
import trio

from schemas import fault, feed
from schemas.job import JobDetail, JobList
from schemas.reading import Health
from schemas.telemetry import Disk
from sendensed.actors.asks import Beat
from sendensed.actors.fanout import Fanout
from sendensed.actors.measures import Measures
from sendensed.actors.notifier import Notifier
from sendensed.actors.receiver import Receiver
from sendensed.config import Config, Feed
from sendensed.core.board import Board
from sendensed.core.gauges import Gauges
from sendensed.core.tally import Standing, counters, standing
from sendensed.net.assets import Assets
from sendensed.net.guard import is_loopback
from sendensed.net.http import Request, Response, Upgrade
from sendensed.net.routes import Routes
from sendensed.net.tls import Certificate
from sendensed.net.ws import Gone
from sendensed.scoreboard import Scoreboard
from sendensed.store import Store, StoreUnavailable
from sendensed.store.memory_tokens import MemoryTokens
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import Rig


class Hub:
    """A rig behind its routes."""

    def __init__(
        self,
        store: Store | None = None,
        memory: Store | None = None,
        assets: Assets | None = None,
        settings: Config | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self.rig = Rig(settings or Config(feed=Feed(viewers=1), open=True), store, memory)
        self.tokens = MemoryTokens(self.rig.wall)
        self.fanout = Fanout(Board(0), 0.1)
        receiver = Receiver(self.rig.intents, self.rig.hearing, 8.5, pace=self.rig.settings.access.pace)
        self.routes = Routes(
            receiver=receiver,
            store=self.rig.store,
            archive=self.rig.archive,
            fanout=self.fanout,
            notifier=Notifier(self.rig.store, self.fanout, self.rig.hearing, self.rig.settings.feed),
            hearing=self.rig.hearing,
            measures=Measures(self.rig.hearing, self.fanout, receiver),
            assets=assets,
            settings=self.rig.settings,
            environment=self.rig.environment,
            tokens=self.tokens,
            database="memory",
            certificate=certificate,
        )
        self.access = self.routes.access

    async def ask(self, method: str, target: str, body: bytes = b"", **fields: str) -> Response | Upgrade:
        path, _, query = target.partition("?")
        headers = {"host": "localhost:8082", **{name.replace("_", "-"): value for name, value in fields.items()}}
        return await self.routes.handle(Request(method, path, query, headers, body, upgrade="upgrade" in headers))

    async def refused(self, method: str, target: str, **fields: str) -> tuple[int, str]:
        answer = await self.ask(method, target, **fields)
        return answer.status, json.loads(answer.body)["error"]["code"]


async def test_the_plain_curl_of_the_original_is_answered_to_the_letter(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        body = b'{"status":"running","current_phase":"transferring","bytes_transferred":1024,"total_bytes":4096}'
        answer = await hub.ask("POST", "/api/v1/telemetry/backup/backup-web%2F01%20%C3%A9", body)
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert json.loads(answer.body) == {
            "status": "success",
            "message": "Telemetry received and processed",
            "timestamp": "2026-11-23T02:00:00Z",
            "applied": True,
            "command": "continue",
        }
        assert (await hub.rig.stored("backup-web/01 é")).bytes_transferred == 1024


async def test_a_sender_that_says_nothing_but_its_name_is_a_job_too(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        assert (await hub.ask("POST", "/api/v1/telemetry/backup/quiet", b"{}")).status == 200
        assert (await hub.rig.stored("quiet")).status == "pending"


async def test_jobs_are_listed_newest_first_and_filtered(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for n, (job_type, status) in enumerate(
            [("backup", "running"), ("restore", "failed"), ("backup", "completed")]
        ):
            await trio.sleep(1)
            await hub.rig.send(f"job-{n}", 1, job_type=job_type, status=status)

        async def ids(query: str) -> list[str]:
            answer = await hub.ask("GET", f"/api/v1/jobs{query}")
            assert ("Cache-Control", "no-store") in answer.headers
            return [job.id for job in msgspec.json.decode(answer.body, type=JobList).jobs]

        assert await ids("") == ["job-2", "job-1", "job-0"]
        assert await ids("?limit=1") == ["job-2"]
        assert await ids("?status=running,failed") == ["job-1", "job-0"]
        assert await ids("?status=running&status=completed&type=backup") == ["job-2", "job-0"]


async def test_a_job_comes_with_its_disks_and_its_history(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await hub.rig.send("a b", 1)
        disks = (Disk(0, 5, 5, status="completed"), Disk(7, 2, 4, status="failed", error_message="EIO"))
        await hub.rig.send("a b", 2, status="completed", disks=disks)
        answer = await hub.ask("GET", "/api/v1/jobs/a%20b")
        detail = msgspec.json.decode(answer.body, type=JobDetail)
        assert (detail.job.status, detail.job.bytes_transferred, detail.job.total_bytes) == ("completed", 7, 9)
        assert [(disk.disk_index, disk.bytes_transferred, disk.total_bytes) for disk in detail.job.disks] == [
            (0, 5, 5),
            (7, 2, 4),
        ]
        assert [(disk.status, disk.error_message) for disk in detail.job.disks] == [
            ("completed", None),
            ("failed", "EIO"),
        ]
        states = [event.status for event in detail.events if event.kind == "state"]
        assert states == ["running", "completed"]
        assert await hub.refused("GET", "/api/v1/jobs/none") == (404, "not_found")


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("/api/v1/jobs?limit=0", "limit"),
        ("/api/v1/jobs?limit=1001", "limit"),
        ("/api/v1/jobs?limit=many", "limit"),
        ("/api/v1/jobs?limit=99999999999999999999", "limit"),
        ("/api/v1/jobs?status=done", "status"),
        ("/api/v1/feed?since=-1", "since"),
        ("/api/v1/feed?status=x", "status"),
        ("/api/v1/feed?type=X", "type"),
        ("/api/v1/jobs?type=%00", "type"),
    ],
)
async def test_a_query_outside_the_contract_is_refused_naming_the_parameter(
    autojump_clock, target: str, field: str
):
    with pytest.raises(fault.Invalid) as caught:
        await Hub().ask("GET", target)
    assert caught.value.field == field


async def test_unknown_addresses_and_methods_are_told_what_there_is(autojump_clock):
    hub = Hub()
    assert await hub.refused("GET", "/api/v2/jobs") == (404, "not_found")
    assert await hub.refused("GET", "/api/v1/jobs/a/b") == (404, "not_found")
    assert await hub.refused("POST", "/api/v1/telemetry/backup") == (404, "not_found")
    answer = await hub.ask("DELETE", "/api/v1/jobs")
    assert (answer.status, answer.headers) == (405, (("Allow", "GET, HEAD"),))
    answer = await hub.ask("GET", "/api/v1/telemetry/backup/a")
    assert (answer.status, answer.headers) == (405, (("Allow", "POST"),))


async def test_health_says_what_is_open_and_why_it_is_not_ready(mock_clock):
    hub = Hub()
    answer = await hub.ask("GET", "/api/v1/health")
    health = msgspec.json.decode(answer.body, type=Health)
    assert (answer.status, health.live, health.ready, health.open, health.database) == (
        200,
        True,
        True,
        True,
        "memory",
    )
    mock_clock.jump(16)
    hub.routes.draining = True
    answer = await hub.ask("GET", "/api/v1/health")
    health = msgspec.json.decode(answer.body, type=Health)
    assert (answer.status, health.live, health.ready) == (503, True, False)
    assert health.reasons == ("the database has not answered for over 15 s", "the hub is stopping")


async def test_health_has_the_figures_of_what_was_committed(autojump_clock):
    hub = Hub()
    empty = msgspec.json.decode((await hub.ask("GET", "/api/v1/health")).body, type=Health).figures
    assert (empty.telemetry_delay_p95_ms, empty.batch_size, empty.database_ms) == (None, None, None)
    async with hub.rig.running():
        for number in range(3):
            await hub.rig.send("a", number)
        await hub.rig.intents.send(Beat())
        await trio.sleep(61)
        figures = msgspec.json.decode((await hub.ask("GET", "/api/v1/health")).body, type=Health).figures
    assert figures.telemetry_delay_p95_ms is not None
    assert figures.batch_ms is not None
    assert (figures.batch_size, figures.queue_depth, figures.queue_limit) == (1, 0, 4096)
    assert (figures.database_ms, figures.viewers, figures.viewer_skips) == (0, 0, 0)
    assert figures.uptime_seconds == 61


async def test_health_has_the_figures_of_all_workers_and_how_many_serve(autojump_clock):
    hub, board = Hub(), Scoreboard(3)
    other = Gauges(0.0)
    other.committed(0.0, 3, 0.5)
    other.answered(0.0, [2.0])
    stands = Standing(serves=True, is_ready=True, uptime=90.0, queue_depth=5, queue_limit=100, viewers=7)
    board.place(3).count(counters(other))
    board.place(3).stand(standing(other, 0.0, stands))
    hub.rig.hearing.place = board.place(1)
    async with hub.rig.running():
        await hub.rig.send("a", 1)
        health = msgspec.json.decode((await hub.ask("GET", "/api/v1/health")).body, type=Health)
    figures = health.figures
    assert health.workers == 2
    assert (figures.queue_depth, figures.queue_limit, figures.viewers, figures.uptime_seconds) == (5, 4196, 7, 90)
    assert (figures.batch_size, figures.batch_ms) == (2, 250)
    assert figures.telemetry_delay_p95_ms > 1000


async def test_a_stopping_hub_takes_nothing_new_and_says_when_to_come_back(autojump_clock):
    hub = Hub()
    hub.routes.draining = True
    for method, target in (("POST", "/api/v1/telemetry/backup/a"), ("GET", "/api/v1/feed")):
        answer = await hub.ask(method, target, b"{}")
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "draining")
        [(name, value)] = answer.headers
        assert name == "Retry-After"
        assert 1 <= int(value) <= 5


async def test_reading_is_tried_twice_for_a_connection_may_have_broken_unnoticed(autojump_clock):
    memory = Rig(Config()).memory
    with FaultyStore(memory).fail("job", StoreUnavailable("reset")) as store:
        assert (await Hub(store, memory).ask("GET", "/api/v1/jobs/none")).status == 404


async def test_a_database_that_does_not_answer_is_a_503_with_a_time_to_come_back(autojump_clock):
    memory = Rig(Config()).memory
    with FaultyStore(memory).fail("job", StoreUnavailable("away"), times=2) as store:
        answer = await Hub(store, memory).ask("GET", "/api/v1/jobs/none")
    assert answer.status == 503
    assert answer.headers[0][0] == "Retry-After"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8082", "127.0.0.1:1", "127.1.2.3", "[::1]:8082", "[::1]", "LocalHost:1"]
)
async def test_an_open_hub_answers_to_the_names_of_its_own_machine(autojump_clock, host: str):
    assert (await Hub().ask("GET", "/api/v1/health", host=host)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8082", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil"]
)
async def test_an_open_hub_answers_to_no_other_name(autojump_clock, host: str):
    assert await Hub().refused("GET", "/api/v1/health", host=host) == (403, "foreign_host")


async def test_a_page_of_another_origin_may_neither_send_nor_watch(autojump_clock):
    hub = Hub()
    foreign = {"origin": "http://evil.example"}
    assert await hub.refused("POST", "/api/v1/telemetry/backup/a", **foreign) == (403, "foreign_origin")
    assert await hub.refused("GET", "/api/v1/feed", upgrade="websocket", **foreign) == (403, "foreign_origin")
    own = {"origin": "http://localhost:8082"}
    assert isinstance(await hub.ask("GET", "/api/v1/feed", upgrade="websocket", **own), Upgrade)


class Socket:
    """A viewer that hangs up after a second."""

    def __init__(self) -> None:
        self.frames: list[feed.Frame] = []
        self.closed: int | None = None

    async def receive(self) -> str:
        await trio.sleep(1)
        raise Gone

    async def send_text(self, payload: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.frames.append(feed.decode(payload))

    async def close(self, code: int, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        self.closed = code


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"a", "b", "c", "d e"}),
        ("?job=a&job=d%20e", {"a", "d e"}),
        ("?job=gone", set()),
        ("?job=a,b", set()),  # a comma may stand in an id
        ("?type=restore", {"b"}),
        ("?type=restore&type=backup", {"a", "b", "c", "d e"}),
        ("?status=failed,completed", {"c", "d e"}),
        ("?status=failed&status=running&type=backup", {"a", "d e"}),
    ],
)
async def test_the_feed_shows_what_its_query_asks_for_and_its_end_is_quiet(
    autojump_clock, query: str, shown: set[str]
):
    hub = Hub()
    jobs = [
        ("a", "backup", "running"),
        ("b", "restore", "running"),
        ("c", "backup", "completed"),
        ("d e", "backup", "failed"),
    ]
    async with hub.rig.running():
        for job_id, job_type, status in jobs:
            await hub.rig.send(job_id, 1, job_type=job_type, status=status)
        hub.fanout.board.publish((await hub.rig.committed.take()).values())
        socket = Socket()
        await (await hub.ask("GET", f"/api/v1/feed{query}")).run(socket)
    assert isinstance(socket.frames[0], feed.Hello)
    assert {job.id for job in socket.frames[1].jobs} == shown
    assert hub.fanout.viewers == 0


async def test_the_feed_goes_on_from_the_position_asked_for(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for job_id in ("a", "b"):
            await hub.rig.send(job_id, 1)
            hub.fanout.board.publish((await hub.rig.committed.take()).values())
        socket = Socket()
        await (await hub.ask("GET", "/api/v1/feed?since=2")).run(socket)
    [changes] = [frame for frame in socket.frames if isinstance(frame, feed.Changes)]
    assert ([job.id for job in changes.jobs], changes.sequence) == (["b"], 3)


async def test_a_viewer_whose_job_cannot_be_looked_up_is_told_to_come_back(autojump_clock):
    memory = Rig(Config()).memory
    with FaultyStore(memory).fail("load", StoreUnavailable("away")) as store:
        socket = Socket()
        await (await Hub(store, memory).ask("GET", "/api/v1/feed?job=old")).run(socket)
    assert socket.closed == 1013


@pytest.mark.parametrize("target", ["/api/v1/jobs/a%00b", "/api/v1/jobs/a%0Ab", "/api/v1/jobs/" + 201 * "x"])
async def test_an_id_that_no_job_can_have_is_not_found(autojump_clock, target: str):
    assert await Hub().refused("GET", target) == (404, "not_found")


async def test_viewers_beyond_the_limit_are_told_to_come_back(autojump_clock):
    hub = Hub()
    from sendensed.core.view import Filter

    with hub.fanout.viewer(Filter()):
        assert await hub.refused("GET", "/api/v1/feed") == (503, "too_many_viewers")


async def test_the_page_and_its_files_are_served_under_a_strict_policy(autojump_clock, tmp_path):
    (tmp_path / "vendor").mkdir()
    for name in ("index.html", "app.js", "style.css", "secret.txt", "vendor/preact.js"):
        (tmp_path / name).write_text(f"content of {name}")
    hub = Hub(assets=Assets(tmp_path))
    page = await hub.ask("GET", "/")
    assert (page.body, page.content_type) == (b"content of index.html", "text/html; charset=utf-8")
    headers = dict(page.headers)
    again = await hub.ask("GET", "/", if_none_match=headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert (await hub.ask("HEAD", "/")).status == 200
    assert (await hub.ask("GET", "/assets/vendor/preact.js")).content_type == "text/javascript; charset=utf-8"
    for name in ("secret.txt", "index.html", "..%2Fapp.js", "none.js"):
        assert await hub.refused("GET", f"/assets/{name}") == (404, "not_found")


async def test_files_go_out_packed_to_who_says_that_he_unpacks_them(autojump_clock, tmp_path):
    (tmp_path / "app.js").write_text("let a;\n" * 1_000)
    hub = Hub(assets=Assets(tmp_path))
    plain = await hub.ask("GET", "/assets/app.js")
    for said in ("br", "gzip;q=0", "x-gzip"):
        assert (await hub.ask("GET", "/assets/app.js", accept_encoding=said)).body == plain.body
    packed = await hub.ask("GET", "/assets/app.js", accept_encoding="br, gzip, deflate")
    assert gzip.decompress(packed.body) == plain.body
    tags = [dict(answer.headers)["ETag"] for answer in (plain, packed)]
    assert tags[0] != tags[1]
    assert ("Content-Encoding", "gzip") in packed.headers
    for tag, status in zip(tags, (200, 304), strict=True):
        again = await hub.ask("GET", "/assets/app.js", accept_encoding="gzip", if_none_match=tag)
        assert (again.status, dict(again.headers)["Vary"]) == (status, "Accept-Encoding")


async def test_a_page_that_was_not_built_says_how_to_build_it(autojump_clock, tmp_path):
    answer = await Hub(assets=Assets(tmp_path)).ask("GET", "/")
    assert answer.status == 503
    assert "make web" in json.loads(answer.body)["error"]["message"]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("hub", False),
    ],
)
def test_loopback_is_told_from_the_world(host: str, loopback: bool):
    assert is_loopback(host) is loopback
