"""Tokens: where those who may come in are kept, beside the jobs. One Protocol, two implementations."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from sendensed.core.auth import LIVE_PER_NAME, Token


class TokenRefused(Exception):
    """The store does not take this token: a sentence says why, and what to do."""


class Tokens(Protocol):
    """The tokens of all hubs on one database. Every method raises StoreUnavailable."""

    async def now(self) -> datetime:
        """The store's clock, UTC: the one that tokens expire by."""

    async def find(self, ids: Collection[str], used: Collection[str] = ()) -> dict[str, Token]:
        """The tokens of these ids that exist, live or not; `used` are noted as used now, to the minute."""

    async def add(self, token: Token) -> None:
        """Keeps a token. Raises TokenRefused where two live ones of its name exist, or one of another role.

        A link or session is kept as long as its issuer is live; TokenRefused where that is not.
        """

    async def redeem(self, link: str, session: Token) -> bool:
        """Ends a link and keeps its session, both or neither; False where the link is not live any more."""

    async def revoke(self, key: str) -> list[Token]:
        """Revokes the live token of this id, or all of this name, with what they issued; returns the tokens."""

    async def listed(self) -> list[Token]:
        """All tokens ever made, without links and sessions: by name, newest first."""

    async def begin(self, tokens: Sequence[Token]) -> bool:
        """Keeps these if there has never been a token; False where there has."""


def two_live(name: str) -> TokenRefused:
    """What is said when a name has all the tokens that it may have."""
    return TokenRefused(
        f"'{name}' has {LIVE_PER_NAME} live tokens already: revoke the one that is not used any more "
        "(sendensed token list shows when each was last used)"
    )


def other_role(token: Token, role: str) -> TokenRefused:
    """What is said when a name is taken."""
    return TokenRefused(f"'{token.name}' is the name of a token with the role {role}: choose another name")


def issuer_gone(token: Token) -> TokenRefused:
    """What is said when the token that a link or session comes from was revoked meanwhile."""
    return TokenRefused(f"the token '{token.name}' is revoked")
