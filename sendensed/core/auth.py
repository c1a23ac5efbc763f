"""Auth: who may do what, and the tokens that prove it.

    sd1_q3mzk2v7x4b5n6a7_Zm9v...43 characters..._1a2b3c4d
     │        │                   │                 └ CRC-32 of all before it: tells a typing error
     │        │                   └ 256 random bits, kept nowhere: the store has the SHA-256 of the whole
     │        └ id: names the token in lists and logs, no secret
     └ version

A random token of 256 bits needs no slow hash: nobody can guess it, with or without the store's contents.
"""

import base64
import hmac
import re
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

import msgspec

Role = Literal["push", "read", "operate", "admin"]
"""`push` sends telemetry of its own jobs, `read` looks, `operate` also cancels. `admin` is whoever set the hub
up: no address asks for more than `operate`, since tokens are made where the database is, never by an address."""
Need = Literal["public", "push", "read", "operate", "admin"]
"""What a route asks for: one of the roles' rights, or nothing."""
Kind = Literal["token", "link", "session"]
"""`link` signs a browser in, once; `session` is what the browser then holds. Both are issued by a token."""

GRANTS: Mapping[Role, frozenset[Need]] = {
    "push": frozenset({"public", "push"}),
    "read": frozenset({"public", "read"}),
    "operate": frozenset({"public", "read", "operate"}),
    "admin": frozenset({"public", "read", "operate", "admin"}),
}
"""What each role may. Nobody but an appliance sends telemetry: whose a job is says who vouches for its numbers."""

RANDOM_BYTES = 42
"""What `mint` needs of randomness: 10 bytes for the id, 32 for the secret."""
LINK_LIFE = timedelta(minutes=10)
"""How long a one-time link may wait for its click."""
LIVE_PER_NAME = 2
"""Tokens of one name that may be valid at a time: the old one and the new one of a rotation."""

_FORM = re.compile(r"sd1_([a-z2-7]{16})_[A-Za-z0-9_-]{43}_[0-9a-f]{8}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_NOBODY = sha256(b"nobody").digest()


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `name` is the token's: for `push` the appliance. `token` is its id, or '' where none is needed."""

    name: str
    grants: frozenset[Need]
    token: str = ""

    def may(self, need: Need) -> bool:
        """Whether the caller may use a route that asks for this."""
        return need in self.grants

    @property
    def appliance(self) -> str:
        """Whose jobs the caller may speak of; '' where that is not asked."""
        return self.name if self.token or self.grants == GRANTS["push"] else ""


ANYBODY = Caller("", frozenset({"public"}))
"""A caller without a token."""
OPEN = Caller("", frozenset({"public", "push", "read", "operate", "admin"}))
"""Every caller of an open hub."""


def legacy(appliance: str) -> Caller:
    """A sender at the legacy address, which knows no token: it speaks for this one appliance."""
    return Caller(appliance, GRANTS["push"])


class Token(msgspec.Struct, frozen=True):
    """A token as the store has it; the secret is not in it.

    `issuer` is the id of the token that a link or session comes from; revoking that ends them too.
    """

    id: str
    digest: bytes
    kind: Kind
    role: Role
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    issuer: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def caller(self) -> Caller:
        """Who comes with it."""
        return Caller(self.name, GRANTS[self.role], self.id)


def mint(kind: Kind, role: Role, name: str, now: datetime, random: bytes) -> tuple[Token, str]:
    """A fresh token, and its text, which is shown once. `random` is RANDOM_BYTES long, and secret."""
    token_id = base64.b32encode(random[:10]).decode().lower()
    secret = base64.urlsafe_b64encode(random[10:RANDOM_BYTES]).rstrip(b"=").decode()
    start = f"sd1_{token_id}_{secret}"
    text = f"{start}_{zlib.crc32(start.encode()):08x}"
    return Token(token_id, _digest(text), kind, role, name, now), text


def issue(kind: Kind, issuer: Token, now: datetime, life: timedelta, random: bytes) -> tuple[Token, str]:
    """A link or session of `issuer` (itself a token, or a link of one), and its text."""
    token, text = mint(kind, issuer.role, issuer.name, now, random)
    return msgspec.structs.replace(token, expires_at=now + life, issuer=issuer.issuer or issuer.id), text


class Presented(msgspec.Struct, frozen=True):
    """A well-formed token that somebody showed."""

    id: str
    digest: bytes

    def is_that_of(self, token: Token | None) -> bool:
        """Whether it is this one; takes the same time whether it is, is not, or there is none."""
        same = hmac.compare_digest(self.digest, _NOBODY if token is None else token.digest)
        return same and token is not None


def read(text: str) -> Presented | None:
    """The token that a text is; None where it is none, or was not copied whole."""
    form = _FORM.fullmatch(text)
    if form is None or f"{zlib.crc32(text[:-9].encode()):08x}" != text[-8:]:
        return None
    return Presented(form[1], _digest(text))


def name_problem(name: str) -> str | None:
    """Why this cannot be the name of a token, as the end of a sentence; None where it can."""
    if _NAME.fullmatch(name):
        return None
    return "must be 1 to 64 letters, digits, '.', '_' or '-', and begin with a letter or digit"


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
