"""Route: one address of the hub, and what its handlers are given and give back."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from schemas import codec
from sendensed.core.answer import Refusal
from sendensed.core.auth import Caller, Need
from sendensed.environment import Environment
from sendensed.net.http import Headers, Request, Response, Taker, Upgrade, fault

_HEADERS = (("Cache-Control", "no-store"),)

Answerer = Callable[[Request, Sequence[str]], Awaitable[Response | Upgrade]]
"""Answers a request; the second argument holds what stands in the place of each `{name}` of the path."""

TakerOf = Callable[[Sequence[str], Callable[[], Caller | None]], Taker | None]
"""Makes what takes bodies for an address, if it is one: of the values in its path, and of who is admitted now."""


class Route(msgspec.Struct, frozen=True):
    """`path` names its variable segments in braces, `need` the right that it asks for.

    A draining hub refuses routes that take something `new`. `query`, `takes` and `says` are the types of what
    stands behind the '?', of the body, and of the answer, where it is JSON; `media` is the answer's kind where
    it has no such type, `statuses` are those it comes with; `refuses` are the address's own refusals, beside what
    any may be answered (`described`). A `page` is for people: a browser without a session is
    sent to sign in. `taker` has requests answered that nobody waits for, as `answer` does.
    """

    method: str
    path: str
    answer: Answerer
    need: Need
    new: bool = False
    query: type[msgspec.Struct] | None = None
    takes: type[msgspec.Struct] | None = None
    says: type[msgspec.Struct] | None = None
    media: str = ""
    statuses: tuple[str, ...] = ("200",)
    refuses: tuple[str, ...] = ()
    page: bool = False
    taker: TakerOf | None = None

    def match(self, segments: Sequence[str]) -> list[str] | None:
        """What stands in the place of each `{name}`; None where the segments are another address."""
        pattern = self.path[1:].split("/")
        if len(pattern) != len(segments):
            return None
        values = []
        for want, segment in zip(pattern, segments, strict=True):
            if want.startswith("{"):
                values.append(segment)
            elif want != segment:
                return None
        return values


class Refuser:
    """Makes a refusal an answer."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __call__(self, refusal: Refusal) -> Response:
        """The refusal; where it is the hub's own trouble, with a time to come back that spreads the herd."""
        wait = self.wait(refusal)
        headers: Headers = () if wait is None else (("Retry-After", str(wait)),)
        return fault(refusal.status, refusal.code, refusal.message, refusal.field, headers, pause=refusal.pause)

    def wait(self, refusal: Refusal) -> int | None:
        """Seconds until it is worth trying again; None where it never is."""
        if refusal.status == 503:
            return spread(self._environment)
        return refusal.retry_after


def spread(environment: Environment) -> int:
    """Whole seconds, 1 to 5, after which to ask again: all who were refused at once do not come back at once."""
    return 1 + int(5 * environment.random())


def json(value: msgspec.Struct, status: int = 200) -> Response:
    """An answer that is read: JSON, and never kept by anyone between."""
    return Response(status, codec.encode(value), headers=_HEADERS)
