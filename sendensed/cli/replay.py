"""Replay: the page over an exported job, on this machine alone, in the run's own time."""

import argparse
import sys
from functools import partial
from pathlib import Path

import trio

from schemas import bundle
from schemas.bundle import Bundle
from schemas.fault import Invalid
from sendensed import config, daemon, errors, replaying
from sendensed.cli import output, words
from sendensed.cli.running import address_of, listen_on, url_of
from sendensed.core import replay
from sendensed.environment import SystemEnvironment
from sendensed.errors import ConfigError, NotFound, SendensedError
from sendensed.net.guard import is_loopback


def run(options: argparse.Namespace) -> int:
    """Serves until interrupted. Raises SendensedError for a file that is no bundle."""
    host, port = address_of(options.listen)
    if not is_loopback(host):
        raise ConfigError(
            f"a replay asks nobody for a token, so it listens on loopback addresses only, not '{host}': "
            f"use 127.0.0.1:{port}"
        )
    found = read(options.file)
    daemon.set_up_logs("error")
    with errors.unwrapped():
        trio.run(_serve, found, replaying.Pace(options.speed, options.start), host, port)
    return 0


def read(name: str) -> Bundle:
    """The bundle of a file, '-' for standard input. Raises NotFound, SendensedError."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no file {name}: sendensed export ID --file {name} makes one") from None
    except OSError as error:
        raise SendensedError(f"{name} cannot be read: {error.strerror}; is it a file of yours?") from None
    try:
        return bundle.read(content.splitlines())
    except Invalid as error:
        raise SendensedError(
            f"{name} cannot be shown: {error.message}; sendensed export writes such files"
        ) from None


async def _serve(found: Bundle, pace: replaying.Pace, host: str, port: int) -> None:
    listeners = await listen_on(host, port)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.cancel_on_end, nursery.cancel_scope)
        await nursery.start(partial(replaying.run, found, pace, listeners, SystemEnvironment()))
        print(f"{url_of(listeners[0].socket, config.Config())}/", flush=True)
        begin, end = found.job.created_at, replay.end_of(found)
        took = words.duration((end - begin).total_seconds() / pace.speed)
        output.say(
            f"{words.plain(found.job.id)} from {words.stamp(begin)} to {words.stamp(end)}, "
            f"{pace.speed:g} times as fast: {took}; Ctrl-C ends it"
        )
        if not found.is_whole:
            output.say("the file was cut off: what is missing at its end is not shown")
