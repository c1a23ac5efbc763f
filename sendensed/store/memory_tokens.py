"""MemoryTokens: tokens in a dict, for demonstrations, simulations and tests."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

import trio
from msgspec.structs import replace

from sendensed.core.auth import LIVE_PER_NAME, Token
from sendensed.store.tokens import issuer_gone, other_role, two_live

_NOTED_EVERY = timedelta(minutes=1)


class MemoryTokens:
    """Tokens that live as long as the process. `now` is the store's clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._tokens: dict[str, Token] = {}

    async def now(self) -> datetime:
        """The clock it was given."""
        await trio.lowlevel.checkpoint()
        return self._now()

    async def find(self, ids: Collection[str], used: Collection[str] = ()) -> dict[str, Token]:
        """The tokens of these ids that exist; notes which were used."""
        await trio.lowlevel.checkpoint()
        now = self._now()
        for token_id in used:
            token = self._tokens.get(token_id)
            if token and (token.last_used_at is None or now - token.last_used_at >= _NOTED_EVERY):
                self._tokens[token_id] = replace(token, last_used_at=now)
        return {token_id: self._tokens[token_id] for token_id in ids if token_id in self._tokens}

    async def add(self, token: Token) -> None:
        """Keeps a token."""
        await trio.lowlevel.checkpoint()
        if token.kind == "token":
            self._check_name(token)
        elif not self._is_live(token.issuer):
            raise issuer_gone(token)
        self._tokens[token.id] = token

    async def redeem(self, link: str, session: Token) -> bool:
        """Ends a link and keeps its session, both or neither."""
        await trio.lowlevel.checkpoint()
        if not self._is_live(link) or self._tokens[link].kind != "link":
            return False
        self._tokens[link] = replace(self._tokens[link], revoked_at=self._now())
        self._tokens[session.id] = session
        return True

    async def revoke(self, key: str) -> list[Token]:
        """Revokes by id or name, with what was issued."""
        await trio.lowlevel.checkpoint()
        now = self._now()
        ended = [
            replace(one, revoked_at=now)
            for one in self._tokens.values()
            if one.revoked_at is None and key in (one.id, one.name, one.issuer)
        ]
        self._tokens.update((one.id, one) for one in ended)
        return [one for one in ended if one.kind == "token"]

    async def listed(self) -> list[Token]:
        """All tokens, by name, newest first."""
        await trio.lowlevel.checkpoint()
        found = [token for token in self._tokens.values() if token.kind == "token"]
        found.sort(key=lambda token: token.id, reverse=True)
        found.sort(key=lambda token: token.created_at, reverse=True)
        return sorted(found, key=lambda token: token.name)

    async def begin(self, tokens: Sequence[Token]) -> bool:
        """Keeps these if there has never been a token."""
        await trio.lowlevel.checkpoint()
        if any(token.kind == "token" for token in self._tokens.values()):
            return False
        self._tokens.update((token.id, token) for token in tokens)
        return True

    def _is_live(self, token_id: str | None) -> bool:
        token = self._tokens.get(token_id or "")
        return token is not None and token.is_live(self._now())

    def _check_name(self, token: Token) -> None:
        live = [
            one
            for one in self._tokens.values()
            if one.kind == "token" and one.name == token.name and one.revoked_at is None
        ]
        for one in live:
            if one.role != token.role:
                raise other_role(token, one.role)
        if len(live) >= LIVE_PER_NAME:
            raise two_live(token.name)
