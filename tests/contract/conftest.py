"""Each Store there is, opened for the tests of what all of them promise."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import pytest

from sendensed.store import bridge
from sendensed.store.memory import MemoryStore
from sendensed.store.memory_archive import MemoryArchive
from sendensed.store.postgres import PostgresStore
from sendensed.store.postgres_archive import PostgresArchive


@asynccontextmanager
async def memory_store():
    yield MemoryStore(lambda: datetime.now(UTC))


@asynccontextmanager
async def memory_both():
    store = MemoryStore(lambda: datetime.now(UTC))
    yield store, MemoryArchive(store)


@asynccontextmanager
async def postgres_both(dsn):
    async with bridge.open_pool(dsn) as pool:
        yield PostgresStore(pool), PostgresArchive(pool)


@asynccontextmanager
async def postgres_store(dsn):
    async with bridge.open_pool(dsn) as pool:
        yield PostgresStore(pool)


@pytest.fixture(params=["memory", "postgres"])
def open_store(request):
    if request.param == "memory":
        return memory_store
    return partial(postgres_store, request.getfixturevalue("postgres_dsn"))


@pytest.fixture(params=["memory", "postgres"])
def open_both(request):
    """A store and the archive of its jobs."""
    if request.param == "memory":
        return memory_both
    return partial(postgres_both, request.getfixturevalue("postgres_dsn"))


@pytest.fixture
async def both(open_both):
    async with open_both() as opened:
        yield opened


@pytest.fixture
async def store(open_store):
    async with open_store() as opened:
        yield opened
