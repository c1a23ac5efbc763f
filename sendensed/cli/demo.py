"""Demo: the main job, end to end: a hub on its embedded PostgreSQL, and a real client copying two real disks.

Everything is the product itself; only the disks are made up.
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio
import trio.lowlevel

from schemas.job import JobView
from sendensed import config, daemon, errors
from sendensed.cli import credentials, feed, images, lines, terminal, watch, welcome, words
from sendensed.cli.images import Image
from sendensed.cli.running import address_of, listen_on, open_hub
from sendensed.core.model import Job
from sendensed.environment import SystemEnvironment
from sendensed.errors import ConfigError, SendensedError

_LAST_LOOK = 0.5
"""Seconds that the live view shows the end."""
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_LEAST = 32 * 2**20
"""Smallest image that holds a file system with files in it, bytes."""


def run(options: argparse.Namespace) -> int:
    """Runs the demo; returns 0 only if every job is completed in the database and every copy equals its disk."""
    size = _size(options.size)
    if options.json and not options.once:
        raise ConfigError("--json goes with --once: the live demo prints for people")
    if options.seconds <= 0:
        raise ConfigError(f"--seconds must be more than 0, not {options.seconds:g}")
    daemon.set_up_logs("error")
    with tempfile.TemporaryDirectory(prefix="sendense-demo-") as folder, errors.unwrapped():
        Path(folder).chmod(0o755)  # run as root, PostgreSQL is another user and has to come in
        return trio.run(_bounded, options, Path(folder), size)


def _size(text: str) -> int:
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    if not number.isdecimal() or unit not in _UNITS or int(number) * _UNITS[unit] < _LEAST:
        raise ConfigError(f"--size: '{text}' is no size of a disk: give at least 32M, such as 256M or 2G")
    return int(number) * _UNITS[unit] // 2**20 * 2**20


async def _bounded(options: argparse.Namespace, folder: Path, size: int) -> int:
    """The demo; ended from outside it still stops its client and its database."""
    code = 128 + signal.SIGTERM
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.cancel_on_end, nursery.cancel_scope)
        code = await _demo(options, folder, size)
        nursery.cancel_scope.cancel()
    return code


async def _demo(options: argparse.Namespace, folder: Path, size: int) -> int:
    environment = SystemEnvironment()
    say = _silent if options.json else _say
    say(f"making two disk images of {words.size(size)} in {folder}")
    disks = await trio.to_thread.run_sync(images.make, folder, size)
    job_id = f"backup-demo-{environment.wall():%Y%m%d-%H%M%S}"
    listeners = await _listeners(options.listen)
    async with open_hub(config.Config(), folder / "state", listeners, environment) as hub:
        address = hub.address
        first = await welcome.first_tokens(hub.opened.tokens, environment)
        if first is None:
            raise SendensedError("the demo's fresh database has tokens already: is another demo using its folder?")
        token_file = folder / "appliance.token"
        credentials.keep(token_file, first.push)
        command = _client(job_id, disks, address, token_file, None if options.once else options.seconds)
        say(f"the client: {shlex.join(command)}\nthe page:   {welcome.link(address, first.code)}\n")
        began = trio.current_time()
        client = await _copy(command, address, first.admin, live=not options.once)
        seconds = trio.current_time() - began
        verified = all([await trio.to_thread.run_sync(disk.is_copied) for disk in disks])
        found = await hub.opened.store.job(job_id)
        job = found[0] if found else None
        good = verified and job is not None and job.status == "completed" and client.returncode == 0
        if options.json:
            print(json.dumps(_figures(job, _acknowledged(client.stdout), verified, seconds)))
        else:
            say(_summary(job, verified, seconds))
        if not good:
            sys.stderr.write(client.stderr.decode(errors="replace")[-4000:])
        elif not options.once and sys.stdout.isatty():
            say(f"\nthe hub stays up for you to look around: {address}/ (Ctrl-C ends it)")
            await trio.sleep_forever()
    return 0 if good else 1


async def _listeners(listen: str | None) -> list[trio.SocketListener]:
    """The address asked for; without one the usual, or any where that is taken."""
    if listen is not None:
        host, port = address_of(listen)
        return await listen_on(host, port)
    host, port = address_of(config.Config().listen)
    try:
        return await listen_on(host, port)
    except SendensedError:
        return await listen_on(host, 0)


def _client(job_id: str, disks: Sequence[Image], address: str, token: Path, seconds: float | None) -> list[str]:
    """The client's command line; throttled so that it lasts `seconds`."""
    command = [sys.executable, "-m", "clientd", "run", "--json", "--job-id", job_id, "--hub", address]
    command += ["--state-dir", str(disks[0].target.parent / "clientd")]
    command += ["--token-file", str(token)]
    for disk in disks:
        command += ["--disk", f"{disk.source}={disk.target}"]
    if seconds is not None:
        command += ["--max-rate", str(max(1, int(sum(disk.allocated() for disk in disks) / seconds)))]
    return command


async def _copy(command: list[str], address: str, token: str, *, live: bool) -> subprocess.CompletedProcess[bytes]:
    """Runs the client to its end, with a live view of it on a terminal, or a line per change elsewhere."""
    if not live:
        return await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    watched, ended = feed.Watched(), trio.Event()
    on_terminal = terminal.is_live()

    def on_news(news: Sequence[JobView]) -> None:
        if not on_terminal:
            for job in news:
                lines.print_line(job)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.follow, address, [], watched, SystemEnvironment(), on_news, token)
        if on_terminal:
            nursery.start_soon(watch.draw, watched, ended, f"{address}/")
        client = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        await trio.sleep(_LAST_LOOK)
        ended.set()
        if on_terminal:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    return client


def _say(text: str) -> None:
    print(text, flush=True)


def _silent(text: str) -> None:
    """`--json` prints one object and nothing else."""


def _acknowledged(output: bytes) -> int:
    """How many updates the hub acknowledged to the client, by the client's own last line."""
    lines = output.splitlines()
    return int(json.loads(lines[-1])["updates_sent"]) if lines else 0


def _figures(job: Job | None, updates: int, verified: bool, seconds: float) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "jobs": 0 if job is None else 1,
        "verified": verified,
        "bytes_transferred": 0 if job is None else job.bytes_transferred,
        "updates": updates,
        "seconds": round(seconds, 3),
    }


def _summary(job: Job | None, verified: bool, seconds: float) -> str:
    if job is None:
        return "the hub knows nothing of the job: the client did not reach it"
    copied = "both copies equal their disks, byte for byte" if verified else "A COPY DIFFERS FROM ITS DISK"
    said = f"{job.status}: {words.size(job.bytes_transferred)} in {words.duration(seconds)}; {copied}"
    return said if job.error_message is None else f"{said}\n{words.plain(job.error_message)}"
