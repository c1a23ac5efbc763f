"""Access: who asks, by the token that the request shows, and whether he may.

    Authorization: Bearer sd1_...     senders, programs, the command line
    Cookie: sendense=sd1_...          a browser that signed in

Being on the loopback proves nothing: every tunnel ends there.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
import trio

from sendensed import config
from sendensed.core import auth, rate
from sendensed.core.auth import ANYBODY, OPEN, Caller, Need, Presented, Token
from sendensed.net.http import Request, Response, fault
from sendensed.store import StoreUnavailable
from sendensed.store.tokens import Tokens

log = structlog.get_logger()

FRESH = 3.0
"""Seconds that a token read is believed: what is revoked is out within 5 on every hub."""
_KEPT = 10_000
"""Tokens remembered: more than any hub has appliances."""
_UNKNOWN = rate.Rate(steady=20.0, burst=100)
"""Look-ups of ids never seen: enough for a fleet that starts, and no way to keep the database busy."""
_LOG_EVERY = 1.0
"""Seconds between two log lines on refused tokens."""

_CHALLENGE = (("WWW-Authenticate", 'Bearer realm="sendense"'),)
_NONE = "this needs a token: send it as 'Authorization: Bearer TOKEN' (sendensed token create makes one)"
_INVALID = "the token is not valid, or not any more: ask for a new one (sendensed token create or rotate)"
_TORN = "the Authorization field holds no whole token: it looks like sd1_..., on one line, without a blank in it"


class Access:
    """The hub's memory of tokens; `now` is the store's clock."""

    def __init__(self, tokens: Tokens, settings: config.Config, now: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._open = settings.open
        self._now = now
        self.cookie = "__Host-sendense" if settings.tls.certificate else "sendense"
        self._known: dict[str, tuple[Token | None, float]] = {}
        self._used: set[str] = set()
        self._reading = trio.Lock()
        self._unknown: rate.Bucket | None = None
        self._logged_at = float("-inf")
        self._unlogged = 0

    async def admit(self, request: Request, need: Need) -> Caller | Response:
        """The caller who may use a route with this need, or the refusal. Raises StoreUnavailable."""
        if self._open:
            return OPEN
        shown, by_cookie = self._shown(request)
        if need == "public":
            return await self._anybody_or(shown)
        if shown is None:
            return fault(401, "no_token", _NONE, headers=_CHALLENGE)
        presented = auth.read(shown)
        if presented is None:
            return self._refused(request, _TORN, "")
        if self._is_flood(presented.id):
            wait = (("Retry-After", "2"),)
            return fault(429, "too_many_tokens", "too many unknown tokens are tried here; come back", headers=wait)
        token = await self._valid(presented)
        if token is None:
            return self._refused(request, _INVALID, presented.id)
        if by_cookie and _changes(request) and "origin" not in request.headers:
            return fault(403, "no_origin", "a browser's session works from the hub's own page only")
        caller = token.caller
        if caller.may(need):
            return caller
        said = f"the token '{token.name}' is for '{token.role}', and this needs '{need}'"
        return fault(403, "forbidden", said)

    def standing(self, request: Request, need: Need) -> Callable[[], Caller | None] | None:
        """Says at each call who the caller of such a request is, if he is known without a look-up and may.

        None where `admit` has to decide each time.
        """
        if self._open:
            return lambda: OPEN
        shown, by_cookie = self._shown(request)
        presented = auth.read(shown) if shown and not by_cookie else None
        if presented is None:
            return None
        proved: Token | None = None
        caller: Caller | None = None

        def admitted() -> Caller | None:
            nonlocal proved, caller
            known = self._known_now(presented.id)
            token = known[0] if known else None
            if token is None or not self._opens(token):
                return None
            if token is not proved:
                may = presented.is_that_of(token) and token.caller.may(need)
                proved, caller = token, token.caller if may else None
            self._used.add(presented.id)
            return caller

        return admitted

    async def still(self, caller: Caller) -> bool:
        """Whether one who was admitted still would be. While the store does not answer nobody is turned out."""
        if not caller.token:
            return True
        try:
            token = await self._look_up(caller.token)
        except StoreUnavailable:
            return True
        return token is not None and self._opens(token)

    def forget(self, token_id: str) -> None:
        """What is known of a token is out of date here."""
        self._known.pop(token_id, None)

    async def find(self, text: str) -> Token | None:
        """The live token, link or session that this text is; None for anything else. Raises StoreUnavailable."""
        presented = auth.read(text)
        if presented is None or self._is_flood(presented.id):
            return None
        token = (await self._tokens.find([presented.id])).get(presented.id)
        return token if presented.is_that_of(token) and token is not None and token.is_live(self._now()) else None

    async def _anybody_or(self, shown: str | None) -> Caller:
        presented = auth.read(shown) if shown else None
        if presented is None or self._is_flood(presented.id):
            return ANYBODY
        try:
            token = await self._valid(presented)
        except StoreUnavailable:
            return ANYBODY
        return ANYBODY if token is None else token.caller

    def _shown(self, request: Request) -> tuple[str | None, bool]:
        """The token of the request as it stands there, and whether a browser sent it by itself."""
        field = request.headers.get("authorization")
        if field is not None:
            scheme, _, text = field.partition(" ")
            return (text.strip() if scheme.lower() == "bearer" else ""), False
        for pair in request.headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie:
                return value, True
        return None, False

    def _opens(self, token: Token) -> bool:
        return token.kind != "link" and token.is_live(self._now())

    async def _valid(self, presented: Presented) -> Token | None:
        token = await self._look_up(presented.id)
        return token if presented.is_that_of(token) and token is not None and self._opens(token) else None

    def _is_flood(self, token_id: str) -> bool:
        """Whether one more id that is not known here may not be looked up now."""
        if token_id in self._known:
            return False
        self._unknown, wait = rate.draw(self._unknown, _UNKNOWN, 1, trio.current_time())
        return wait is not None

    async def _look_up(self, token_id: str) -> Token | None:
        """The token as it was FRESH seconds ago at the most. One reads for all who ask meanwhile."""
        if (known := self._known_now(token_id)) is None:
            async with self._reading:
                if (known := self._known_now(token_id)) is None:
                    await self._read(token_id)
                    known = self._known[token_id]
        token, _ = known
        if token is not None:
            self._used.add(token_id)
        return token

    def _known_now(self, token_id: str) -> tuple[Token | None, float] | None:
        known = self._known.get(token_id)
        return known if known is not None and trio.current_time() - known[1] < FRESH else None

    async def _read(self, token_id: str) -> None:
        """Reads this token, and with it all that are known: so one read serves everybody for a while."""
        used, at = self._used, trio.current_time()
        tokens = [one for one, (token, _) in self._known.items() if token is not None][-_KEPT:]
        found = await self._tokens.find({*tokens, token_id}, used)
        self._used = set()
        unheard_of = {
            one: known for one, known in self._known.items() if known[0] is None and at - known[1] < FRESH
        }
        self._known = {**unheard_of, **{one: (found.get(one), at) for one in (*tokens, token_id)}}

    def _refused(self, request: Request, said: str, token_id: str) -> Response:
        now = trio.current_time()
        if now - self._logged_at >= _LOG_EVERY:
            path = request.path[:200]
            log.warning("token refused", id=token_id, method=request.method, path=path, more=self._unlogged)
            self._logged_at, self._unlogged = now, 0
        else:
            self._unlogged += 1
        return fault(401, "bad_token", said, headers=_CHALLENGE)


def _changes(request: Request) -> bool:
    return request.method not in ("GET", "HEAD") or request.upgrade
