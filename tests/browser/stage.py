"""Stage: the page served from disk under the hub's own policy, and a feed that the test speaks frame by frame.

For what a real hub shows only when it is in trouble, and for a clock that the test moves. No network is used.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from playwright.sync_api import Page, Route, WebSocketRoute

from tests.waits import PATIENCE

WEB = Path(__file__).parents[2] / "sendensed" / "web"
ORIGIN = "http://hub.test"
NOW = datetime(2026, 11, 24, 2, 14, 7, tzinfo=UTC)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
MIB = 2**20
GIB = 2**30


def at(seconds: float = 0) -> str:
    """The stage's present, moved by so many seconds, as the wire writes it."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(job_id: str, **said: Any) -> dict[str, Any]:
    """A `schemas.job.JobView` on the wire: a running backup, half done, unless told otherwise."""
    return {
        "id": job_id,
        "job_type": "backup",
        "vm_name": "",
        "backup_type": "incremental",
        "status": "running",
        "current_phase": "transferring",
        "bytes_transferred": 20 * GIB,
        "total_bytes": 40 * GIB,
        "total_kind": "allocated",
        "progress_percent": 50.0,
        "transfer_speed_bps": 274 * 2**20,
        "eta_seconds": 75,
        "eta_reason": None,
        "error_message": None,
        "attempt": 1,
        "sequence": 12,
        "sender": "clientd/0.1.0",
        "closed_by": None,
        "created_at": at(-120),
        "started_at": at(-118),
        "completed_at": None,
        "last_telemetry_at": at(-2),
        "last_moved_at": at(-2),
        "revision": 1,
        "disks": [],
        **said,
    }


def disk(index: int, percent: float | None, **said: Any) -> dict[str, Any]:
    """A `schemas.job.DiskView` of 20 GiB on the wire."""
    return {
        "disk_index": index,
        "bytes_transferred": int(20 * GIB * (percent or 0) / 100),
        "total_bytes": 20 * GIB,
        "progress_percent": percent,
        "status": "running",
        "error_message": None,
        **said,
    }


class Stage:
    """A hub of paper behind `page`. Frames are sent to the connection opened last."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.health: dict[str, Any] = {
            "live": True, "ready": True, "reasons": [], "version": "0.1.0", "hub": "hub-a",
            "database": "embedded PostgreSQL", "open": False, "time": at(),
        }  # fmt: skip
        self.details: dict[str, Any] = {}
        self.pages: list[list[dict[str, Any]]] = [[]]
        """The finished jobs at the hub, page by page; any query gets them."""
        self.queries: list[dict[str, str]] = []
        """What was asked of `/api/v1/jobs`, the page's own look for failures aside."""
        self.asked: list[str] = []
        """The feed's addresses, one for each connection."""
        self._socket: WebSocketRoute | None = None
        page.route(f"{ORIGIN}/**", self._serve)
        page.route_web_socket(lambda url: "/api/v1/feed" in url, self._accept)

    def open(self, address: str = "/", moment: datetime = NOW) -> None:
        """Opens the page with its clock standing at `moment`; it moves by `pass_time` alone."""
        self.page.clock.install(time=moment - timedelta(minutes=1))  # until it is stopped it runs
        self.page.clock.pause_at(moment)
        self.page.goto(ORIGIN + address)
        self.pass_time(0.1)

    def open_blank(self) -> None:
        """Opens an empty page of the same origin and policy, for the page's modules alone."""
        self.page.goto(f"{ORIGIN}/blank")

    def pass_time(self, seconds: float) -> None:
        """Lets so much time pass on the page's clock."""
        self.page.clock.run_for(round(seconds * 1000))

    def until(self, is_so: Callable[[], bool]) -> None:
        """Lets time pass, on both clocks, until it is so: the page has had its answers and painted them."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, "the page never came to it"
            self.page.wait_for_timeout(20)
            self.pass_time(0.1)

    def greet(self, jobs: list[dict[str, Any]] | None = None, sequence: int = 10, **said: Any) -> None:
        """Hello, a snapshot of the jobs, a tick; and the page paints them."""
        self.say("hello", hub="hub-a", heartbeat=5.0, protocol=1)
        self.say("snapshot", sequence=sequence, jobs=jobs or [])
        self.tick(**said)

    def tick(self, time: str = "", *, ready: bool = True) -> None:
        """The hub's clock."""
        self.say("tick", time=time or at(), ready=ready)

    def say(self, kind: str, **said: Any) -> None:
        """One frame, painted."""
        assert self._socket is not None
        self._socket.send(json.dumps({"type": kind, **said}))
        self.pass_time(0.1)

    def hang_up(self) -> None:
        """Closes the feed's connection."""
        assert self._socket is not None
        self._socket.close(code=1011)
        self.page.wait_for_timeout(1)  # for the page to hear of it
        self.pass_time(0.1)

    def _accept(self, socket: WebSocketRoute) -> None:
        self.asked.append(socket.url)
        self._socket = socket

    def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/api/v1/health":
            self._answer(route, self.health)
        elif path == "/api/v1/session":
            self._answer(route, {"role": "admin"})
        elif path == "/api/v1/jobs":
            self._answer(route, self._page(dict(parse_qsl(urlsplit(route.request.url).query))))
        elif path.startswith("/api/v1/jobs/"):
            self._answer(route, self.details.get(unquote(path.removeprefix("/api/v1/jobs/"))))
        elif path == "/blank":
            self._give(route, "<!doctype html>", ".html")
        else:
            pages = {"/": "index.html", "/login": "login.html"}
            file = WEB / pages.get(path, path.removeprefix("/assets/"))
            self._give(route, file.read_text(), file.suffix)

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        if query.get("limit") == "1000":
            return {"jobs": [], "next": None}
        self.queries.append(query)
        number = int(query.get("cursor", 0))
        return {"jobs": self.pages[number], "next": str(number + 1) if number + 1 < len(self.pages) else None}

    def _give(self, route: Route, body: str, suffix: str) -> None:
        route.fulfill(body=body, headers={"Content-Security-Policy": POLICY, "Content-Type": KINDS[suffix]})

    def _answer(self, route: Route, body: Any) -> None:
        route.fulfill(status=404 if body is None else 200, json=body or {"error": {"code": "not_found"}})
