"""Workers: `serve --workers N`. A parent that owns the database and the port, and hubs as processes under it.

    parent ── embedded PostgreSQL (where none is named), migrations, first tokens, signals, the supervisor's notice
      ├─ worker 1 ─┐
      ├─ worker 2 ─┼─ each a whole hub of its own, all listening at one address (SO_REUSEPORT)
      └─ worker N ─┘

A worker that dies is started again; what it had acknowledged is in the database, and who was connected to it comes
back to another one. A worker whose parent has died stops by itself: its standard input ends.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog
import trio
from msgspec.structs import replace

from sendensed import config, daemon
from sendensed.cli.running import address_of
from sendensed.errors import SendensedError

log = structlog.get_logger()

_PAUSES = (0.2, 10.0)
"""First and longest pause before a worker is started again, seconds."""
_STEADY = 30.0
"""A worker that has served for so many seconds and dies is started again at once."""
_SIGN = 5.0
"""Seconds between two signs of life: several within a supervisor's patience."""
_MARGIN = 5.0
"""Seconds beyond the drain time that a worker has to end by itself."""
READY = b"ready\n"


class Order(msgspec.Struct, frozen=True):
    """What a worker is told on its standard input: a pipe, because the database's address may hold a password."""

    settings: config.Config
    state_dir: str
    log_level: str


def reserve(settings: config.Config) -> socket.socket:
    """A socket that keeps the address for the workers, and takes no connections itself. Raises SendensedError."""
    host, port = address_of(settings.listen)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        reserved = socket.socket(family, kind, protocol)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(address)
    except OSError as error:
        raise SendensedError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another address with --listen"
        ) from None
    return reserved


class Workers:
    """The processes. `run` keeps `settings.workers` of them alive."""

    def __init__(self, settings: config.Config, state_dir: Path, log_level: str) -> None:
        """`settings` name the database and the port that all of them share."""
        self._settings = settings
        self._state_dir = state_dir
        self._log_level = log_level
        self._processes: dict[int, trio.Process] = {}
        self._stopping = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Ready when all serve. Returns after `stop`, when all have ended. Raises SendensedError where one never
        comes to serve. Cancelled, it kills them."""
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as starting:
                for number in range(1, self._settings.workers + 1):
                    starting.start_soon(nursery.start, self._keep, number)
            task_status.started()

    async def stop(self) -> None:
        """Has all of them drain, and kills who does not end in time."""
        self._stopping.set()
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        with trio.move_on_after(self._settings.writer.drain + _MARGIN):
            for process in list(self._processes.values()):
                await process.wait()
        for process in self._processes.values():
            process.kill()

    def hang_up(self) -> None:
        """Has all of them read their certificate again."""
        for process in self._processes.values():
            process.send_signal(signal.SIGHUP)

    async def _keep(self, number: int, *, task_status: trio.TaskStatus[None]) -> None:
        """One worker's place: a process, and another one whenever it ends."""
        pause, is_known = _PAUSES[0], False
        while not self._stopping.is_set():
            began = trio.current_time()
            code = await self._live(number, None if is_known else task_status)
            if self._stopping.is_set():
                return
            served = trio.current_time() - began
            is_known = is_known or code is not None
            if not is_known:
                raise SendensedError(f"worker {number} of {self._settings.workers} does not start: see above why")
            pause = _PAUSES[0] if served > _STEADY else min(2 * pause, _PAUSES[1])
            log.error(
                "worker died, starting it again", worker=number, code=code, served=round(served), pause=pause
            )
            await trio.sleep(pause)

    async def _live(self, number: int, task_status: trio.TaskStatus[None] | None) -> int | None:
        """One process from start to end; its exit code, None where it ended before it served."""
        name = f"{self._settings.hub}/{number}"
        settings = replace(self._settings, hub=name, workers=1)
        order = msgspec.json.encode(Order(settings, str(self._state_dir), self._log_level)) + b"\n"
        environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "sendensed.cli.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to pass on
        )
        self._processes[number] = process
        is_serving = False
        try:
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            assert process.stdout is not None  # noqa: S101
            try:
                await process.stdin.send_all(order)
                is_serving = await process.stdout.receive_some(len(READY)) == READY
            except trio.BrokenResourceError:
                pass  # it ended before it read
            if is_serving:
                log.info("worker serves", worker=number, hub=name, process=process.pid)
                if task_status is not None:
                    task_status.started()
            code = await process.wait()
            return code if is_serving else None
        finally:
            del self._processes[number]
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                await process.stdin.aclose()  # type: ignore[union-attr]
                await process.stdout.aclose()  # type: ignore[union-attr]


async def serve(workers: Workers, stopping: trio.Event, greet: Callable[[], None]) -> None:
    """Runs the workers until `stopping` is set and they have drained; `greet` is called when all serve.

    Raises SendensedError.
    """
    async with trio.open_nursery() as nursery:
        await nursery.start(workers.run)
        greet()
        daemon.notify("READY=1")
        async with trio.open_nursery() as living:
            living.start_soon(_live)
            await stopping.wait()
            living.cancel_scope.cancel()
        daemon.notify("STOPPING=1")
        await workers.stop()


async def _live() -> None:
    """Tells the supervisor that the parent lives, until it is cancelled. Workers are the parent's own care."""
    while True:
        daemon.notify("WATCHDOG=1")
        await trio.sleep(_SIGN)
