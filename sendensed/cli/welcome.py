"""Welcome: the first tokens of a hub that has none, and the link that signs its first visitor in."""

import msgspec

from sendensed.core import auth
from sendensed.environment import Environment
from sendensed.store.tokens import Tokens

ADMIN, APPLIANCE = "admin", "appliance-1"
"""Names of the first two tokens."""


class First(msgspec.Struct, frozen=True):
    """The texts of the first tokens and of a one-time link's code. All secret."""

    admin: str
    push: str
    code: str


async def first_tokens(tokens: Tokens, environment: Environment) -> First | None:
    """Makes the first tokens; None where there have been tokens before. Raises StoreUnavailable."""
    now = await tokens.now()
    admin, admin_text = auth.mint("token", "admin", ADMIN, now, environment.secret(auth.RANDOM_BYTES))
    push, push_text = auth.mint("token", "push", APPLIANCE, now, environment.secret(auth.RANDOM_BYTES))
    if not await tokens.begin([admin, push]):
        return None
    return First(admin_text, push_text, await one_time_code(tokens, admin, environment))


async def one_time_code(tokens: Tokens, issuer: auth.Token, environment: Environment) -> str:
    """Makes a link of this token; returns its code. Raises StoreUnavailable and TokenRefused."""
    random = environment.secret(auth.RANDOM_BYTES)
    link, code = auth.issue("link", issuer, await tokens.now(), auth.LINK_LIFE, random)
    await tokens.add(link)
    return code


def link(address: str, code: str) -> str:
    """The address to open. What stands behind '#' never leaves the browser but in the request that signs it in."""
    return f"{address.rstrip('/')}/login#{code}"
