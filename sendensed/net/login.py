"""Login: a browser changes a one-time link, or a token, for a session; and ends it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from schemas.fault import Invalid
from schemas.session import Session, SignIn
from sendensed import config
from sendensed.core import auth
from sendensed.core.auth import GRANTS, Token
from sendensed.environment import Environment
from sendensed.net.access import Access
from sendensed.net.http import Request, Response, fault
from sendensed.net.route import Route, json
from sendensed.store.tokens import TokenRefused, Tokens

_decode = msgspec.json.Decoder(SignIn).decode
_OVER = "this link was used already, or is over 10 minutes old: make another with 'sendensed token link'"


class Login:
    """The browser's door."""

    def __init__(
        self,
        tokens: Tokens,
        access: Access,
        settings: config.Config,
        environment: Environment,
        now: Callable[[], datetime],
    ) -> None:
        self._tokens = tokens
        self._access = access
        self._life = timedelta(seconds=settings.access.session)
        self._secure = "; Secure" if settings.tls.certificate else ""
        self._environment = environment
        self._now = now
        self.routes = (
            Route("POST", "/api/v1/login", self._login, "public", takes=SignIn, says=Session, refuses=("401",)),
            Route("POST", "/api/v1/logout", self._logout, "public", statuses=("204",)),
            Route("GET", "/api/v1/session", self._session, "read", says=Session),
        )

    async def _login(self, request: Request, values: Sequence[str]) -> Response:
        try:
            shown = _decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Invalid(f'the body must be {{"token": "sd1_..."}}: {error}') from None
        issuer = await self._access.find(shown.token.strip())
        if issuer is None or issuer.kind == "session":
            return fault(401, "bad_link", _OVER if issuer is None else "a session signs nobody in")
        if "read" not in GRANTS[issuer.role]:
            return fault(403, "forbidden", f"the token '{issuer.name}' is an appliance's: it may not look")
        session, text = auth.issue(
            "session", issuer, self._now(), self._life, self._environment.secret(auth.RANDOM_BYTES)
        )
        if not await self._keep(issuer, session):
            return fault(401, "bad_link", _OVER)
        cookie = self._cookie(text, int(self._life.total_seconds()))
        answer = json(Session(session.name, session.role, session.expires_at))
        return msgspec.structs.replace(answer, headers=(*answer.headers, ("Set-Cookie", cookie)))

    async def _keep(self, issuer: Token, session: Token) -> bool:
        if issuer.kind == "link":
            return await self._tokens.redeem(issuer.id, session)
        try:
            await self._tokens.add(session)
        except TokenRefused:
            return False
        return True

    async def _logout(self, request: Request, values: Sequence[str]) -> Response:
        """Ends the session of the cookie. A token of its own is not ended like this."""
        found = (await self._tokens.find([request.caller.token])).get(request.caller.token)
        if found is not None and found.kind == "session":
            await self._tokens.revoke(found.id)
            self._access.forget(found.id)
        return Response(204, headers=(("Set-Cookie", self._cookie("", 0)),))

    async def _session(self, request: Request, values: Sequence[str]) -> Response:
        found = (await self._tokens.find([request.caller.token])).get(request.caller.token)
        if found is None:
            return json(Session("", "admin", None))
        return json(Session(found.name, found.role, found.expires_at))

    def _cookie(self, text: str, life: int) -> str:
        return f"{self._access.cookie}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life}{self._secure}"
