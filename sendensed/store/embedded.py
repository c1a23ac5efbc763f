"""Embedded: a PostgreSQL of the hub's own under its state directory, for those who name no database.

    async with embedded.open_embedded(Path("/var/lib/sendense")) as server:
        nursery.start_soon(server.keep_alive)
        async with bridge.open_pool(server.dsn) as pool: ...

    STATE/postgres/           0700, of the user that PostgreSQL runs as
        lock                  held by the hub that uses it
        data/  server.log
        run/.s.PGSQL.5432     the only way in: there is no TCP port

Commits are flushed to disk (fsync): an acknowledgement means that the update is there after a power cut.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

import trio

from sendensed.store import StoreUnavailable, programs
from sendensed.store.postmaster import Postmaster
from sendensed.store.programs import CannotRun, Owner

_SOCKET_PATH_BYTES = 100
"""Longest path of a unix socket that every system takes is 107 bytes; some are left for its name's sake."""
_RETRY = (0.1, 5.0)
"""First and longest pause between attempts to start it again, seconds."""

_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "jit": "off",  # statements here take a millisecond, compiling them a hundred
    "max_parallel_workers_per_gather": "0",  # no shared memory beyond the buffers: containers have little
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # statements hold what senders wrote: not for a log
}

_log = logging.getLogger(__name__)


class Embedded:
    """A running server: `dsn` is how to reach it, as its superuser."""

    def __init__(self, postmaster: Postmaster, socket_directory: Path) -> None:
        self._postmaster = postmaster
        self._sockets = socket_directory
        self.dsn = _dsn(socket_directory)

    async def keep_alive(self) -> None:
        """Starts the server again whenever it dies, after 0.1 to 5 seconds, until cancelled."""
        while True:
            await self._postmaster.wait_dead()
            _log.warning("embedded postgresql died, starting it again: %s", self._postmaster.last_words())
            pause = _RETRY[0]
            while True:
                await trio.sleep(pause)
                try:
                    await self._postmaster.start(self._sockets, _SETTINGS)
                    break
                except StoreUnavailable as error:
                    _log.warning("embedded postgresql does not start: %s", error)
                    pause = min(pause * 2, _RETRY[1])
            _log.warning("embedded postgresql runs again")


@asynccontextmanager
async def open_embedded(state_directory: Path, binaries: Path | None = None) -> AsyncIterator[Embedded]:
    """The server of this state directory, made if there is none, running inside the block.

    A server that a killed hub left running is taken over. Leaving stops it, within 20 seconds and shielded
    from cancellation. Raises CannotRun with a sentence where it cannot be had here: another hub uses the
    directory, or the user that PostgreSQL runs as cannot reach it; StoreUnavailable with the tail of its log
    where it does not start.
    """
    home, owner = _prepare(state_directory)
    with _exclusive(home):
        directory = await trio.to_thread.run_sync(programs.reachable, binaries or programs.shipped(), home, owner)
        postmaster = Postmaster(directory, home / "data", home / "server.log", owner)
        await postmaster.create()
        sockets = await postmaster.adopt()
        try:
            if sockets is None:
                sockets = _socket_directory(home, owner)
                await postmaster.start(sockets, _SETTINGS)
            yield Embedded(postmaster, sockets)
        finally:
            with trio.CancelScope(shield=True):
                await postmaster.stop()
            if sockets is not None and sockets.parent != home:
                shutil.rmtree(sockets, ignore_errors=True)


def running(state_directory: Path) -> str | None:
    """The DSN of the server that a hub runs on this state directory just now, or None. Raises CannotRun where the
    directory is closed to us."""
    home = state_directory.resolve() / "postgres"
    try:
        sockets = Postmaster(Path(), home / "data", home / "server.log", None).sockets()
    except PermissionError as error:
        raise CannotRun(f"the state directory cannot be read: {error}; be the user of the hub") from error
    return None if sockets is None else _dsn(sockets)


def exists(state_directory: Path) -> bool:
    """Whether a hub has made its database under this state directory."""
    return (state_directory.resolve() / "postgres" / "data").exists()


def _dsn(sockets: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(sockets), safe='')}&port=5432"


def _prepare(state_directory: Path) -> tuple[Path, Owner | None]:
    """Makes STATE/postgres for whoever PostgreSQL runs as. Raises CannotRun where that user cannot come in."""
    home = state_directory.resolve() / "postgres"
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        owner = programs.owner_of(home / "data")
        if owner is not None and (closed := programs.closed_to(owner, home.parent)):
            raise CannotRun(
                f"PostgreSQL does not run as root but as '{owner.name}', who cannot enter {closed}: choose a state"
                " directory that all may enter, such as /var/lib/sendense, or start the hub as another user"
            )
        home.mkdir(mode=0o700, exist_ok=True)
        if owner is not None:
            os.chown(home, owner.uid, owner.gid)
    except OSError as error:
        raise CannotRun(f"the state directory cannot be used: {error}") from error
    return home, owner


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Holds the directory's lock, which the system takes back when the hub dies. Raises CannotRun."""
    with (home / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(f"another hub uses the state directory {home.parent}") from None
        yield


def _socket_directory(home: Path, owner: Owner | None) -> Path:
    """Where the socket goes: under `home`, or under /tmp where that path would be too long for a socket."""
    directory = home / "run"
    if len(os.fsencode(directory / ".s.PGSQL.5432.lock")) > _SOCKET_PATH_BYTES:
        directory = Path(tempfile.mkdtemp(prefix="sendense-", dir="/tmp"))
    else:
        directory.mkdir(mode=0o700, exist_ok=True)
    if owner is not None:
        os.chown(directory, owner.uid, owner.gid)
    return directory
