"""Auth: tokens are told apart from their copies, and each role may what it says and nothing else."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sendensed.core import auth

NIGHT = datetime(2026, 11, 23, 2, tzinfo=UTC)
randoms = st.binary(min_size=auth.RANDOM_BYTES, max_size=auth.RANDOM_BYTES)


def a_token(kind="token", role="push", name="web01", random=bytes(auth.RANDOM_BYTES)):
    return auth.mint(kind, role, name, NIGHT, random)


@given(random=randoms)
def test_a_token_is_read_back_and_is_itself_alone(random):
    token, text = a_token(random=random)
    shown = auth.read(text)
    assert shown.id == token.id
    assert shown.is_that_of(token)
    other, _ = a_token(random=bytes(byte ^ 1 for byte in random))
    assert not shown.is_that_of(other)
    assert not shown.is_that_of(None)
    assert not shown.is_that_of(replace(token, digest=other.digest))


def test_a_token_has_the_published_form_and_the_store_gets_only_its_hash():
    token, text = a_token(random=bytes(range(auth.RANDOM_BYTES)))
    version, token_id, rest = text.split("_", 2)
    assert (version, token_id, len(rest)) == ("sd1", token.id, 43 + 1 + 8)
    assert token.digest == sha256(text.encode()).digest()
    assert rest[:43] not in repr(token)


@given(random=randoms, data=st.data())
def test_a_token_with_any_one_letter_changed_or_lost_is_none(random, data):
    _, text = a_token(random=random)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda one: one != text[place]))
    assert auth.read(text[:place] + letter + text[place + 1 :]) is None
    assert auth.read(text[:place] + text[place + 1 :]) is None


@pytest.mark.parametrize("text", ["", "sd1", "sd1_a_b_c", "Bearer x", "\x00", "sd2_" + "a" * 70])
def test_what_is_no_token_is_none(text: str):
    assert auth.read(text) is None


def test_a_token_lives_until_it_is_revoked_or_over():
    token, _ = a_token()
    assert token.is_live(NIGHT + timedelta(days=9999))
    assert not replace(token, revoked_at=NIGHT).is_live(NIGHT)
    brief = replace(token, expires_at=NIGHT + timedelta(seconds=1))
    assert brief.is_live(NIGHT)
    assert not brief.is_live(NIGHT + timedelta(seconds=1))


def test_links_and_sessions_are_of_the_token_that_issued_the_first_of_them():
    token, _ = a_token(role="admin", name="ann")
    link, text = auth.issue("link", token, NIGHT, auth.LINK_LIFE, bytes(range(auth.RANDOM_BYTES)))
    assert auth.read(text).is_that_of(link)
    assert (link.kind, link.role, link.name, link.issuer) == ("link", "admin", "ann", token.id)
    session, _ = auth.issue("session", link, NIGHT, timedelta(hours=1), bytes(auth.RANDOM_BYTES))
    assert (session.kind, session.issuer) == ("session", token.id)
    assert session.expires_at == NIGHT + timedelta(hours=1)


def test_each_role_may_what_it_says_and_nobody_else_may_anything():
    assert set(auth.GRANTS) == {"push", "read", "operate", "admin"}
    allowed = {
        role: {need for need in ("public", "push", "read", "operate", "admin") if need in grants}
        for role, grants in auth.GRANTS.items()
    }
    assert allowed == {
        "push": {"public", "push"},
        "read": {"public", "read"},
        "operate": {"public", "read", "operate"},
        "admin": {"public", "read", "operate", "admin"},
    }
    assert not auth.ANYBODY.may("read")
    assert auth.ANYBODY.may("public")
    assert auth.OPEN.may("admin")


def test_an_appliance_speaks_for_its_own_jobs_and_an_open_hub_asks_nobody():
    assert a_token()[0].caller.appliance == "web01"
    assert auth.legacy("old").appliance == "old"
    assert auth.legacy("old").may("push")
    assert not auth.legacy("old").may("read")
    assert auth.OPEN.appliance == ""
    assert auth.ANYBODY.appliance == ""


@pytest.mark.parametrize("name", ["a", "web01", "site-b.example_1", "9", "A" * 64])
def test_a_name_of_plain_letters_is_a_name(name: str):
    assert auth.name_problem(name) is None


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "ä", "a/b", "a\n", "A" * 65])
def test_any_other_name_is_refused(name: str):
    assert auth.name_problem(name).startswith("must be")
