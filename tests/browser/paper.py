"""Paper: answers of a hub that a test writes itself, under the stage's origin, for what real ones rarely show."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route

from tests.browser.stage import ORIGIN


class Paper:
    """The answers of one address, whatever its query; `body` and `status` may change between two readings."""

    def __init__(self, page: Page, path: str, body: Any, status: int = 200) -> None:
        self.body: Any | Callable[[dict[str, list[str]]], Any] = body
        self.status = status
        self.queries: list[dict[str, list[str]]] = []
        """What stood behind the '?', one for each reading."""
        address = ORIGIN + path
        page.route(lambda url: url.split("?")[0] == address, self._serve)

    def refuse(self, status: int, message: str) -> None:
        """From now on the hub refuses."""
        self.status, self.body = status, {"error": {"code": "refused", "message": message}}

    def _serve(self, route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        self.queries.append(query)
        body = self.body(query) if callable(self.body) else self.body
        if self.status == 0:
            route.abort()
        else:
            route.fulfill(status=self.status, json=body)
