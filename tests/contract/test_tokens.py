"""What every keeper of Tokens promises: the same suite for the one in memory and the one in PostgreSQL."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import pytest
import trio

from sendensed.core import auth
from sendensed.store import bridge
from sendensed.store.memory_tokens import MemoryTokens
from sendensed.store.postgres_tokens import PostgresTokens
from sendensed.store.tokens import TokenRefused
from tests.contract.conftest import STORES, dsn_of

_numbers = count(1)


@asynccontextmanager
async def memory_tokens():
    yield MemoryTokens(lambda: datetime.now(UTC))


@asynccontextmanager
async def postgres_tokens(dsn):
    async with bridge.open_pool(dsn) as pool:
        yield PostgresTokens(pool)


@pytest.fixture(params=STORES)
def open_tokens(request):
    return memory_tokens if request.param == "memory" else partial(postgres_tokens, dsn_of(request))


@pytest.fixture
async def tokens(open_tokens):
    async with open_tokens() as opened:
        yield opened


def random() -> bytes:
    return next(_numbers).to_bytes(8, "big").rjust(10, b"x") + bytes(32)


async def a_token(tokens, role="push", name="web01") -> auth.Token:
    token, _ = auth.mint("token", role, name, await tokens.now(), random())
    return token


async def added(tokens, role="push", name="web01") -> auth.Token:
    token = await a_token(tokens, role, name)
    await tokens.add(token)
    return token


async def a_link(tokens, issuer, life=auth.LINK_LIFE) -> auth.Token:
    link, _ = auth.issue("link", issuer, await tokens.now(), life, random())
    return link


async def a_session(tokens, issuer) -> auth.Token:
    session, _ = auth.issue("session", issuer, await tokens.now(), timedelta(hours=1), random())
    return session


async def live(tokens, *asked: auth.Token) -> list[bool]:
    found, now = await tokens.find([one.id for one in asked]), await tokens.now()
    return [one.id in found and found[one.id].is_live(now) for one in asked]


async def test_a_token_is_found_as_it_was_kept(tokens):
    token = await added(tokens)
    assert await tokens.find([token.id, "unheard-of"]) == {token.id: token}
    assert await tokens.find([]) == {}


async def test_a_name_has_two_live_tokens_at_most_and_room_again_after_one_is_revoked(tokens):
    first, second = await added(tokens), await added(tokens)
    third = await a_token(tokens)
    with pytest.raises(TokenRefused, match="revoke the one"):
        await tokens.add(third)
    assert [one.id for one in await tokens.revoke(first.id)] == [first.id]
    await tokens.add(third)
    assert await live(tokens, first, second, third) == [False, True, True]


async def test_a_name_keeps_its_role_while_a_token_of_it_lives(tokens):
    token = await added(tokens, "read", "ann")
    with pytest.raises(TokenRefused, match="the role read"):
        await tokens.add(await a_token(tokens, "admin", "ann"))
    await tokens.revoke(token.id)
    await tokens.add(await a_token(tokens, "admin", "ann"))


async def test_many_at_once_get_two_places_together(tokens):
    outcomes = []

    async def ask():
        try:
            outcomes.append(await added(tokens))
        except TokenRefused:
            outcomes.append(None)

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(ask)
    assert len([one for one in outcomes if one]) == 2


async def test_revoked_by_name_all_tokens_of_it_end_and_nothing_else(tokens):
    first, second, other = await added(tokens), await added(tokens), await added(tokens, name="db01")
    assert {one.id for one in await tokens.revoke("web01")} == {first.id, second.id}
    assert await live(tokens, first, second, other) == [False, False, True]
    assert await tokens.revoke("web01") == []
    assert await tokens.revoke("unheard-of") == []


async def test_with_a_token_the_links_and_sessions_end_that_it_issued(tokens):
    token, other = await added(tokens, "admin", "ann"), await added(tokens, "admin", "ann")
    link = await a_link(tokens, token)
    await tokens.add(link)
    session, others = await a_session(tokens, token), await a_session(tokens, other)
    await tokens.add(session)
    await tokens.add(others)
    assert [one.id for one in await tokens.revoke(token.id)] == [token.id]
    assert await live(tokens, link, session, others) == [False, False, True]
    with pytest.raises(TokenRefused, match="revoked"):
        await tokens.add(await a_link(tokens, token))


async def test_a_session_ends_alone(tokens):
    token = await added(tokens, "admin", "ann")
    session = await a_session(tokens, token)
    await tokens.add(session)
    assert await tokens.revoke(session.id) == []
    assert await live(tokens, token, session) == [True, False]


async def test_a_link_opens_once(tokens):
    token = await added(tokens, "admin", "ann")
    link = await a_link(tokens, token)
    await tokens.add(link)
    session, second = await a_session(tokens, link), await a_session(tokens, link)
    assert await tokens.redeem(link.id, session)
    assert not await tokens.redeem(link.id, second)
    assert await live(tokens, link, session, second) == [False, True, False]
    assert (await tokens.find([session.id]))[session.id].issuer == token.id


async def test_of_many_who_click_a_link_at_once_one_comes_in(tokens):
    token = await added(tokens, "admin", "ann")
    link = await a_link(tokens, token)
    await tokens.add(link)
    outcomes = []

    async def click():
        outcomes.append(await tokens.redeem(link.id, await a_session(tokens, link)))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(click)
    assert sorted(outcomes) == [False, False, False, False, True]


async def test_a_link_that_is_over_and_a_token_open_no_session(tokens):
    token = await added(tokens, "admin", "ann")
    link = await a_link(tokens, token, timedelta(seconds=-1))
    await tokens.add(link)
    session = await a_session(tokens, token)
    assert not await tokens.redeem(link.id, session)
    assert not await tokens.redeem(token.id, session)
    assert await live(tokens, session) == [False]


async def test_the_list_shows_tokens_by_name_the_newest_first_and_neither_links_nor_sessions(tokens):
    a, b, c = await added(tokens, name="b"), await added(tokens, name="a"), await added(tokens, name="b")
    await tokens.add(await a_link(tokens, a))
    await tokens.revoke(b.id)
    shown = await tokens.listed()
    assert [one.id for one in shown] == [b.id, c.id, a.id]
    assert [one.revoked_at is None for one in shown] == [False, True, True]


async def test_use_is_noted_to_the_minute(tokens):
    token = await added(tokens)
    assert (await tokens.find([token.id]))[token.id].last_used_at is None
    await tokens.find([], used=[token.id])
    noted = (await tokens.find([token.id]))[token.id].last_used_at
    assert abs(noted - await tokens.now()) < timedelta(seconds=30)
    await tokens.find([], used=[token.id, "unheard-of"])
    assert (await tokens.find([token.id]))[token.id].last_used_at == noted


async def test_the_first_tokens_are_made_once_however_many_hubs_start(tokens):
    outcomes = []

    async def start():
        made = [await a_token(tokens, "admin", "admin"), await a_token(tokens, "push", "appliance")]
        outcomes.append(await tokens.begin(made))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(start)
    assert sorted(outcomes) == [False, False, False, True]
    assert [one.name for one in await tokens.listed()] == ["admin", "appliance"]
    await tokens.revoke("admin")
    assert not await tokens.begin([await a_token(tokens, "admin", "again")])


async def test_what_is_issued_is_equal_when_it_is_read_back(tokens):
    token = await added(tokens, "admin", "ann")
    link = await a_link(tokens, token)
    await tokens.add(link)
    assert await tokens.find([link.id]) == {link.id: link}
