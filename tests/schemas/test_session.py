"""Session: what a browser says to sign in, and is told."""

from datetime import UTC, datetime

import msgspec
import pytest

from schemas import codec
from schemas.session import Session, SignIn


def test_a_sign_in_is_a_token_and_nothing_less():
    assert msgspec.json.decode(b'{"token":"sd1_x"}', type=SignIn).token == "sd1_x"
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"{}", type=SignIn)


def test_a_session_says_until_when_in_utc():
    session = Session("ann", "read", datetime(2026, 11, 23, 2, tzinfo=UTC))
    assert codec.encode(session) == b'{"name":"ann","role":"read","expires_at":"2026-11-23T02:00:00Z"}'
