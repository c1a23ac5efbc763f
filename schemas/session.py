"""Session: how a browser signs in, and what it is told."""

from datetime import datetime
from typing import Literal

import msgspec


class SignIn(msgspec.Struct, frozen=True):
    """The body of `POST /api/v1/login`: the code of a one-time link, or a token."""

    token: str


class Session(msgspec.Struct, frozen=True):
    """Who is signed in, as what, and until when; an open hub calls everybody '' and admin, without an end."""

    name: str
    role: Literal["push", "read", "operate", "admin"]
    expires_at: datetime | None
