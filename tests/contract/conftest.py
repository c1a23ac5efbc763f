"""Each Store there is, opened for the tests of what all of them promise."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
import trio

from sendensed.store import bridge, migrate
from sendensed.store.memory import MemoryStore
from sendensed.store.memory_archive import MemoryArchive
from sendensed.store.postgres import PostgresStore
from sendensed.store.postgres_archive import PostgresArchive
from tests.fakes.newer import NEWER

STORES = ["memory", "postgres", "newer postgres"]


@asynccontextmanager
async def memory_store():
    yield MemoryStore(lambda: datetime.now(UTC))


@asynccontextmanager
async def memory_both():
    store = MemoryStore(lambda: datetime.now(UTC))
    yield store, MemoryArchive(store)


@asynccontextmanager
async def postgres_both(dsn, **options):
    async with bridge.open_pool(dsn) as pool:
        yield PostgresStore(pool), PostgresArchive(pool, **options)


@asynccontextmanager
async def postgres_store(dsn):
    async with bridge.open_pool(dsn) as pool:
        yield PostgresStore(pool)


@pytest.fixture
def newer_dsn(postgres_dsn):
    """The DSN of a fresh database that a newer hub has added to."""
    trio.run(_migrate, postgres_dsn)
    return postgres_dsn


async def _migrate(dsn: str) -> None:
    async with bridge.open_pool(dsn) as pool:
        await migrate.migrate(pool, NEWER)


def dsn_of(request) -> str:
    return request.getfixturevalue("newer_dsn" if request.param.startswith("newer") else "postgres_dsn")


@pytest.fixture(params=STORES)
def open_store(request):
    return memory_store if request.param == "memory" else partial(postgres_store, dsn_of(request))


@pytest.fixture(params=STORES)
def open_both(request):
    """A store and the archive of its jobs."""
    return memory_both if request.param == "memory" else partial(postgres_both, dsn_of(request))


@pytest.fixture
async def both(open_both):
    async with open_both() as opened:
        yield opened


@pytest.fixture
async def store(open_store):
    async with open_store() as opened:
        yield opened
