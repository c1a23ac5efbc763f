"""Assets: the dashboard's files, read once at the start and served from memory."""

import gzip
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from sendensed.net.http import Headers, Request, Response, fault
from sendensed.net.route import Route

WEB = Path(__file__).parent.parent / "web"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS: Headers = (("Cross-Origin-Opener-Policy", "same-origin"), ("Cache-Control", "no-cache"))


class Assets:
    """`index.html` at `/`, everything else below `/assets/`."""

    def __init__(self, folder: Path = WEB) -> None:
        """Reads the files of `folder` and its `vendor/`; nothing is read from disk later."""
        files = [*folder.glob("*.*"), *folder.glob("vendor/*.*")]
        self._files = {
            path.relative_to(folder).as_posix(): _asset(path) for path in sorted(files) if path.suffix in _KINDS
        }
        self.routes = (
            Route("GET", "/", self._page, "read", page=True, media="text/html", statuses=("200", "303", "304")),
            Route("GET", "/login", self._login, "public", media="text/html", statuses=("200", "304")),
            Route(
                "GET",
                "/assets/{file}",
                self._file,
                "public",
                media="*/*",
                statuses=("200", "304"),
                refuses=("404",),
            ),
            Route(
                "GET",
                "/assets/vendor/{file}",
                self._vendor,
                "public",
                media="*/*",
                statuses=("200", "304"),
                refuses=("404",),
            ),
        )

    async def _page(self, request: Request, values: Sequence[str]) -> Response:
        """The dashboard; where it was not built, how to build it."""
        if "vendor/preact.js" not in self._files or "index.html" not in self._files:
            return fault(503, "not_built", "the dashboard was not built; run 'make web' and start the hub again")
        return self._answer(request, "index.html")

    async def _login(self, request: Request, values: Sequence[str]) -> Response:
        """Where a browser without a session signs in."""
        return self._answer(request, "login.html")

    async def _file(self, request: Request, values: Sequence[str]) -> Response:
        return self._found(request, values[0])

    async def _vendor(self, request: Request, values: Sequence[str]) -> Response:
        return self._found(request, f"vendor/{values[0]}")

    def _found(self, request: Request, name: str) -> Response:
        if name not in self._files or name.endswith(".html"):
            return fault(404, "not_found", "there is no such file")
        return self._answer(request, name)

    def _answer(self, request: Request, name: str) -> Response:
        asset = self._files[name]
        # A browser says gzip plainly or not at all; what else may be said (gzip;q=0) gets the plain file.
        packed = "gzip" in request.headers.get("accept-encoding", "").replace(" ", "").split(",")
        tag = f'"{asset.hash}{"-gzip" if packed else ""}"'
        headers = (*_HEADERS, ("Vary", "Accept-Encoding"), ("ETag", tag))
        if request.headers.get("if-none-match") == tag:
            return Response(304, headers=headers)
        if packed:
            return Response(200, _packed(asset.content), asset.kind, (*headers, ("Content-Encoding", "gzip")))
        return Response(200, asset.content, asset.kind, headers)


class _Asset(msgspec.Struct, frozen=True):
    content: bytes
    kind: str
    hash: str


def _asset(path: Path) -> _Asset:
    content = path.read_bytes()
    return _Asset(content, _KINDS[path.suffix], hashlib.sha256(content).hexdigest()[:32])


@cache
def _packed(content: bytes) -> bytes:
    """Packed when it is first asked for: a millisecond for the largest."""
    return gzip.compress(content, mtime=0)
