"""Opening: the store that the configuration names, migrated and ready."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog
import trio
from msgspec.structs import replace

from sendensed import config
from sendensed.errors import ConfigError, SendensedError
from sendensed.store import Store, StoreUnavailable, bridge, embedded, migrate
from sendensed.store.archive import Archive
from sendensed.store.postgres import BY_KEY, PostgresStore
from sendensed.store.postgres_archive import PostgresArchive
from sendensed.store.postgres_tokens import PostgresTokens
from sendensed.store.programs import CannotRun
from sendensed.store.tokens import Tokens

log = structlog.get_logger()


class Opened(msgspec.Struct, frozen=True):
    """A store and its archive, what to call its database in public, and the DSN for those who may use it."""

    store: Store
    archive: Archive
    tokens: Tokens
    database: str
    dsn: str


@asynccontextmanager
async def open_store(settings: config.Config, state_dir: Path) -> AsyncIterator[Opened]:
    """The store, usable inside the block; an embedded server stops at the end of it.

    Raises SendensedError with a sentence where there is none to be had.
    """
    if settings.database:
        async with _migrated(settings.database, settings.pool) as pools:
            yield _opened(pools, _without_secrets(settings.database), settings.database)
        return
    try:
        async with embedded.open_embedded(state_dir) as server, trio.open_nursery() as nursery:
            nursery.start_soon(server.keep_alive)
            async with _migrated(server.dsn, settings.pool) as pools:
                yield _opened(pools, "embedded PostgreSQL", server.dsn)
            nursery.cancel_scope.cancel()
    except CannotRun as error:
        raise SendensedError(f"the embedded PostgreSQL cannot run: {error}") from error
    except StoreUnavailable as error:
        raise SendensedError(f"the embedded PostgreSQL does not start: {error}") from error


@asynccontextmanager
async def open_beside(settings: config.Config, state_dir: Path) -> AsyncIterator[Opened]:
    """The store of a hub that may be running just now: through its embedded server if it is, else by one of ours.

    Makes no database: raises ConfigError where there is none. Raises SendensedError where it is not to be had.
    """
    try:
        dsn = settings.database or embedded.running(state_dir) or ""
    except CannotRun as error:
        raise SendensedError(str(error)) from error
    if not dsn and not embedded.exists(state_dir):
        raise ConfigError(
            f"the state directory {state_dir} holds no hub's database: name the hub's own with --state-dir,"
            " --config or --database; its first start makes it"
        )
    async with open_store(replace(settings, database=dsn), state_dir) as opened:
        yield opened


class _Pools(msgspec.Struct, frozen=True):
    """Connections of the store, and those of whoever reads: a slow reader takes none from the writer."""

    store: bridge.Pool
    readers: bridge.Pool


def _opened(pools: _Pools, database: str, dsn: str) -> Opened:
    readers = pools.readers
    return Opened(PostgresStore(pools.store), PostgresArchive(readers), PostgresTokens(readers), database, dsn)


@asynccontextmanager
async def _migrated(dsn: str, size: int) -> AsyncIterator[_Pools]:
    place = "given"
    try:
        place = _without_secrets(dsn)
        reading = max(size // 3, 1)
        async with (
            bridge.open_pool(dsn, max_size=max(size - reading, 2), settings=BY_KEY) as store,
            bridge.open_pool(dsn, max_size=reading) as readers,
        ):
            for name in await migrate.migrate(readers):
                log.info("migration applied", name=name)
            yield _Pools(store, readers)
    except StoreUnavailable as error:
        raise SendensedError(f"the database {place} cannot be reached: {error}; is it running?") from error
    except migrate.SchemaRefused as error:
        raise SendensedError(f"the database {place} cannot be used: {error}") from error
    except ValueError as error:
        raise SendensedError(f"{error}; give --database as postgresql://USER@HOST/NAME") from error


def _without_secrets(dsn: str) -> str:
    """The DSN as it may be shown: host and database, no user, password or options."""
    parts = urlsplit(dsn)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}" if parts.scheme else "given by the environment"
