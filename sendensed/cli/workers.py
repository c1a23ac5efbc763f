"""Workers: `serve --workers N`. A parent that owns the database and the port, and hubs as processes under it.

    parent ── embedded PostgreSQL (where none is named), migrations, first tokens, signals, the supervisor's notice
      ├─ worker 1 ─┐
      ├─ worker 2 ─┼─ each a whole hub of its own, all listening at one address (SO_REUSEPORT)
      └─ worker N ─┘

Each measures in its row of a scoreboard, memory that the parent makes and all of them share: whichever is asked
tells what all have measured, and who comes in a dead one's place goes on from its counters.

A worker that dies is started again; one that gives no more signs of life is killed first. What it had acknowledged
is in the database, and who was connected to it comes back to another one. A worker whose parent has died stops by
itself: its standard input ends.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
import trio
from msgspec.structs import replace

from sendensed import config, daemon, scoreboard
from sendensed.cli.running import bind
from sendensed.errors import SendensedError
from sendensed.scoreboard import Scoreboard

log = structlog.get_logger()

_PAUSES = (0.2, 10.0)
"""First and longest pause before a worker is started again, seconds."""
_STEADY = 30.0
"""A worker that has served for so many seconds and dies is started again at once."""
_SIGN = 5.0
"""Seconds between two signs of life: several within a supervisor's patience."""
_MARGIN = 5.0
"""Seconds beyond the drain time that a worker has to end by itself."""
READY, ALIVE = b"ready\n", b"."
"""What a worker says on its standard output: once it serves, and behind every beat of its writer."""
_START = 120.0
"""Seconds until a worker has to serve."""


class Order(msgspec.Struct, frozen=True):
    """What a worker is told on its standard input: a pipe, because the database's address may hold a password.

    It is the worker of this `number` among so many; `memory` is the descriptor of their scoreboard; `database` is
    what to call the database in public.
    """

    settings: config.Config
    state_dir: str
    log_level: str
    number: int
    workers: int
    memory: int
    database: str


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps the address for the workers, and takes no connections itself.

    Raises SendensedError, also where another parent's workers share the address already.
    """
    if port:
        bind(host, port, shared=False).close()
    return bind(host, port, shared=True)


class Workers:
    """The processes. `run` keeps `settings.workers` of them alive."""

    def __init__(self, settings: config.Config, state_dir: Path, log_level: str, database: str = "") -> None:
        """`settings` name the address of the database and of the hub that all of them share; `database` is what to
        call the one, '' for its address."""
        self._settings = settings
        self._state_dir = state_dir
        self._log_level = log_level
        self._database = database
        self._processes: dict[int, trio.Process] = {}
        self._stopping = trio.Event()
        self._memory = scoreboard.shared(settings.workers)
        self._scoreboard = Scoreboard(settings.workers, self._memory)

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
        of = self._settings.workers
        order = Order(settings, str(self._state_dir), self._log_level, number, of, self._memory, self._database)
        environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "sendensed.cli.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            pass_fds=[self._memory],
            start_new_session=True,  # Ctrl-C is the parent's to pass on
        )
        self._processes[number] = process
        if self._stopping.is_set():  # `stop` may have gone through all others while this one was opened
            process.kill()
        is_serving = False
        try:
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            assert process.stdout is not None  # noqa: S101
            with trio.move_on_after(_START), suppress(trio.BrokenResourceError):  # it may end before it has read
                await process.stdin.send_all(msgspec.json.encode(order) + b"\n")
                is_serving = await process.stdout.receive_some(len(READY)) == READY
            if is_serving:
                log.info("worker serves", worker=number, hub=name, process=process.pid)
                if task_status is not None:
                    task_status.started()
                if await self._falls_silent(process.stdout) and not self._stopping.is_set():
                    log.error("worker hangs, killing it", worker=number, hub=name, process=process.pid)
                    process.kill()
            elif process.poll() is None:
                process.kill()
            code = await process.wait()
            return code if is_serving else None
        finally:
            del self._processes[number]
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                self._scoreboard.leave(number)
                await process.stdin.aclose()  # type: ignore[union-attr]
                await process.stdout.aclose()  # type: ignore[union-attr]

    async def _falls_silent(self, signs: trio.abc.ReceiveStream) -> bool:
        """Returns True when a worker has given no sign of life for too long, False when it has ended."""
        while True:
            with trio.move_on_after(self._settings.hung_after) as patience:
                if not await signs.receive_some():
                    return False
            if patience.cancelled_caught:
                return True


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
