"""What many tests share: one PostgreSQL for the whole run, and a fresh database for each test that asks."""

import faulthandler
import logging
import os
import signal
import sys
import tempfile
import threading
from concurrent.futures import Future
from itertools import count
from pathlib import Path

import pytest
import structlog
import trio
from hypothesis import HealthCheck, settings

from sendensed.store import bridge, embedded, migrate
from tests.waits import PATIENCE

# The same examples in every run, and none failed for a slow machine: the first draw of a text builds tables.
settings.register_profile(
    "house", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

# Run in the background, a shell has us ignore Ctrl-C, and what is ignored stays so in every process that we start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = count(1)
_PROGRAMS = Path(os.environ["TEST_POSTGRES"]) if "TEST_POSTGRES" in os.environ else None
"""Where the programs of the PostgreSQL are that tests run on; the hub's own where none is named."""


def pytest_sessionfinish():
    """A thread that a test left behind does not keep the run from its end: it is shown, and the process exits."""
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=sys.__stderr__)


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory, monkeypatch):
    """What a command under test keeps is kept for this test alone."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path_factory.getbasetemp() / f"state-{next(_numbers)}"))


@pytest.fixture(autouse=True)
def fresh_logs():
    """No test inherits where another one's logs went."""
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = [one for one in logging.getLogger().handlers if one not in _set_up()]


def _set_up() -> list[logging.Handler]:
    """The handlers that a command under test has put on standard error."""
    handlers = logging.getLogger().handlers
    return [
        one for one in handlers if isinstance(getattr(one, "formatter", None), structlog.stdlib.ProcessorFormatter)
    ]


@pytest.fixture(scope="session")
def postgres_server():
    """The DSN of a server that lives as long as the test run, with a migrated database named `migrated`.

    It waits for no disk, which may take longer than a hub waits for its database; no test lets it die.
    """
    with tempfile.TemporaryDirectory(prefix="sendense-tests-") as directory:
        Path(directory).chmod(0o755)  # run as root, the server is another user's
        started: Future = Future()
        thread = threading.Thread(target=trio.run, args=(_serve, Path(directory), started))
        thread.start()
        try:
            dsn, leave = started.result()
            yield dsn
            leave()
        finally:
            thread.join()


async def _serve(directory: Path, started: Future) -> None:
    stop = trio.Event()
    token = trio.lowlevel.current_trio_token()
    try:
        async with embedded.open_embedded(directory, _PROGRAMS) as server:
            for sql in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", "CREATE DATABASE migrated"):
                await _execute(server.dsn, sql)
            async with bridge.open_pool(_database(server.dsn, "migrated"), connect_timeout=PATIENCE) as pool:
                await migrate.migrate(pool)
            started.set_result((server.dsn, lambda: token.run_sync_soon(stop.set)))
            await stop.wait()
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


@pytest.fixture
def postgres_dsn(postgres_server):
    """The DSN of a fresh, migrated database."""
    yield from _fresh(postgres_server, "TEMPLATE migrated")


@pytest.fixture
def empty_dsn(postgres_server):
    """The DSN of a fresh database without any table."""
    yield from _fresh(postgres_server, "")


def _fresh(server: str, made_from: str):
    name = f"test_{next(_numbers)}"
    trio.run(_execute, server, f"CREATE DATABASE {name} {made_from}")
    yield _database(server, name)
    trio.run(_execute, server, f"DROP DATABASE {name} WITH (FORCE)")


def _database(dsn: str, name: str) -> str:
    return dsn.replace("/postgres?", f"/{name}?")


async def _execute(dsn: str, sql: str) -> None:
    async with bridge.open_pool(dsn, connect_timeout=PATIENCE) as pool:
        await pool.execute(sql, timeout=PATIENCE)


@pytest.fixture
def open_directory():
    """An empty directory with a short path that every user may enter: run as root, PostgreSQL is another one.

    None of pytest's own can be: whenever a pytest starts, it closes the folder above those of all its runs.
    """
    with tempfile.TemporaryDirectory(prefix="sendense-tests-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
