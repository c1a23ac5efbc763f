"""Postmaster: PostgreSQL's own programs, driven: make the data, start, take over, stop."""

import errno
import logging
import os
import secrets
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import trio

from sendensed.store import StoreUnavailable
from sendensed.store.programs import Owner

CREATE_TIMEOUT = 60.0
START_TIMEOUT = 60.0
"""A start after a crash replays up to 512 MB of log."""
STOP_TIMEOUT = 10.0
"""Each for one run of initdb or pg_ctl, seconds."""
_ANSWER_TIMEOUT = 5.0
_LINGER_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Helpers of a dead server end by themselves, within milliseconds mostly; they are asked so often, then killed."""
_ANSWER_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
_CONTROL_GRACE = 1.0  # for pg_ctl to say itself that the time is over
_INTERRUPT_TIMEOUT = 2.0
_MAKING = "data.new"
_SEGMENTS = Path("/proc/sysvipc/shm")
_LOG_TAIL = 600  # bytes of the log that go into an error's sentence

_log = logging.getLogger(__name__)


class Postmaster:
    """The server of one data directory, driven by one process at a time (see embedded's lock).

    Every method is bounded. They raise StoreUnavailable with what the program or the server's log says where
    the server does not do as told.
    """

    def __init__(self, programs: Path, data: Path, log: Path, owner: Owner | None) -> None:
        self._log = log
        self._programs = programs
        self._data = data
        self._owner = owner

    async def create(self) -> None:
        """Makes the data directory if there is none. One that was not finished does not count, and programs that
        still make it, for a hub that was killed, are in nobody's way: each is made under a name of its own."""
        if self._data.exists():
            return
        for unfinished in self._data.parent.glob(f"{_MAKING}*"):
            await trio.to_thread.run_sync(_remove, unfinished)
        making = self._data.with_name(_MAKING + secrets.token_hex(4))
        said = await self._run(
            CREATE_TIMEOUT,
            "initdb",
            "--username=postgres",
            "--auth-local=trust",
            "--auth-host=reject",
            "--locale=C",
            "--encoding=UTF8",
            "--data-checksums",
            "--no-instructions",
            f"--pgdata={making}",
        )
        if said is not None:
            raise StoreUnavailable(f"PostgreSQL's data directory could not be made: {said}")
        making.rename(self._data)

    async def adopt(self) -> Path | None:
        """The socket directory of the server that runs on the data already and answers; else None, and
        then none runs: one that does not answer is stopped."""
        sockets = self.sockets()
        if sockets is None:
            return None
        with trio.move_on_after(_ANSWER_TIMEOUT):
            for pause in _ANSWER_PAUSES:
                if (
                    await self._run(_ANSWER_TIMEOUT, "pg_isready", "--quiet", f"--host={sockets}", "--port=5432")
                    is None
                ):
                    return sockets
                await trio.sleep(pause)
        await self.stop()
        return None

    async def start(self, sockets: Path, settings: Mapping[str, str]) -> None:
        """Starts the server; returns when it takes connections on a socket in that directory."""
        await self._forget_the_dead()
        (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)  # names the dead process, too
        with self._log_opened() as log:
            log.truncate(0)
        options = {**settings, "unix_socket_directories": str(sockets)}
        words = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        said = await self._control(START_TIMEOUT, "start", f"--log={self._log}", f"--options={words}")
        if said is not None:
            raise StoreUnavailable(f"PostgreSQL does not start: {said}")

    async def stop(self) -> None:
        """Stops the server if it runs: fast, then immediate, then by force."""
        for mode in ("fast", "immediate"):
            if self.process() is None:
                return
            await self._control(STOP_TIMEOUT, "stop", f"--mode={mode}")
        if (process := self.process()) is not None:
            os.kill(process, signal.SIGKILL)
            with trio.move_on_after(STOP_TIMEOUT):
                await _ended(process)

    async def wait_dead(self) -> None:
        """Returns when the server's main process has ended."""
        while (process := self.process()) is not None:
            await _ended(process)

    def process(self) -> int | None:
        """The server's main process, or None. A process that merely has the number that a dead server left
        in postmaster.pid is not taken for it: it does not name our data on its command line."""
        note = self._note()
        if not note or not note[0].isdigit():
            return None
        try:
            command = Path(f"/proc/{note[0]}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return int(note[0]) if os.fsencode(self._data) in command.split(b"\0") else None

    def sockets(self) -> Path | None:
        """The socket directory of the server that runs on the data, or None."""
        return None if self.process() is None else Path(self._note()[4])

    async def _forget_the_dead(self) -> None:
        """Removes a postmaster.pid that is empty, or whose number is another process's by now or a zombie's:
        PostgreSQL would not start beside it. As PostgreSQL does, it looks first for helpers that outlive the
        server, by the shared memory that they hold, and ends those that hang: their server being dead, the next
        start recovers from its log whatever they were at. Raises StoreUnavailable where they do not end."""
        if self.process() is not None:
            return
        for pause in _LINGER_PAUSES:
            if not self._lingers():
                break
            await trio.sleep(pause)
        else:
            await self._end_helpers()
        if self._lingers():
            raise StoreUnavailable("processes of a dead PostgreSQL server are still at work, and cannot be ended")
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    async def _end_helpers(self) -> None:
        for helper in self._helpers():
            _log.warning("a process of the dead embedded postgresql hangs, killing it: %d", helper)
            with suppress(OSError):
                os.kill(helper, signal.SIGKILL)
            with trio.move_on_after(STOP_TIMEOUT):
                await _ended(helper)

    def _helpers(self) -> list[int]:
        """The server's programs at work in the data directory."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):  # it has ended, or is another user's
                at_home = entry.name.isdigit() and (entry / "cwd").readlink() == self._data
                if at_home and (entry / "exe").readlink().name.split()[0] == "postgres":
                    found.append(int(entry.name))
        return found

    def _lingers(self) -> bool:
        """Whether processes are attached to the shared memory that postmaster.pid names."""
        note = self._note()
        if len(note) < 7 or not _SEGMENTS.exists():
            return False
        lines = [line.split() for line in _SEGMENTS.read_text().splitlines()[1:]]
        return any(line[:2] == note[6].split() and line[6] != "0" for line in lines)

    async def _control(self, patience: float, command: str, *options: str) -> str | None:
        words = (command, f"--pgdata={self._data}", "--silent", "--wait", f"--timeout={patience:.0f}", *options)
        return await self._run(patience + _CONTROL_GRACE, "pg_ctl", *words)

    async def _run(self, patience: float, program: str, *words: str) -> str | None:
        """Runs a program to its end. None where it ended well, else what it or the server's log says."""
        with trio.move_on_after(patience), self._log_opened() as log:
            done = await trio.run_process(
                [str(self._programs / program), *words],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,  # not a pipe: the server inherits it from pg_ctl and would keep it open for ever
                cwd="/",
                env={"LC_ALL": "C", "PATH": os.defpath},
                user=self._owner.uid if self._owner else None,
                group=self._owner.gid if self._owner else None,
                extra_groups=[] if self._owner else None,
                deliver_cancel=_interrupt,
            )
            if done.returncode == 0:
                return None
            return self.last_words() or f"{program} ended with {done.returncode}"
        return f"{program} did not end within {patience:g}s"

    def _log_opened(self) -> BinaryIO:
        file = self._log.open("ab")
        if self._owner:
            os.fchown(file.fileno(), self._owner.uid, self._owner.gid)
        return file

    def _note(self) -> list[str]:
        """The lines of postmaster.pid: process, data, start time, port, socket directory, address, memory."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def last_words(self) -> str:
        """The log's last lines, as one."""
        lines = self._log.read_bytes()[-_LOG_TAIL:].decode(errors="replace").splitlines()
        return "; ".join(line.strip() for line in lines if line.strip())


async def _interrupt(program: trio.Process) -> None:
    """Ends a program whose time is over. pg_ctl passes an interrupt on to the server it is starting."""
    program.send_signal(signal.SIGINT)
    with trio.move_on_after(_INTERRUPT_TIMEOUT, shield=True):
        await program.wait()
    program.kill()


async def _ended(process: int) -> None:
    """Returns when this process, a child or not, has ended."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(handle)
    finally:
        os.close(handle)


def _remove(directory: Path) -> None:
    """What is added or goes meanwhile is left to the next time: somebody may still be at work in it."""
    try:
        shutil.rmtree(directory)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise
