"""Flush: `clientd flush`, which delivers what is left in the spool, and says what stays there."""

import argparse
import os
import sys
from collections.abc import Callable

import msgspec
import trio

from clientd import app, daemon, logs
from clientd.actors.courier import Left
from clientd.cli import options
from clientd.config import SENDER, TelemetrySettings
from clientd.core.spool import Holding
from clientd.environment import SystemEnvironment
from clientd.errors import SpoolUnavailable
from clientd.net.hub import HttpHub
from clientd.state.directory import state_directory
from schemas import codec, words

_GRACE = 1.0
"""Seconds from a signal to the end at the latest: nothing is lost by stopping."""


class Flushed(msgspec.Struct, frozen=True):
    """What was delivered, and what the spool still holds."""

    delivered: int
    holding: Holding


def run(arguments: argparse.Namespace) -> int:
    """0 if nothing waits in the spool any more, else 1. Raises UsageError for a wrong command line."""
    url = options.hub_url(arguments.hub, os.environ)
    token = options.token(arguments.token_file)
    folder = state_directory(arguments.state_dir, os.environ, root=os.geteuid() == 0)
    environment = SystemEnvironment()
    settings = TelemetrySettings(final_wait=arguments.final_wait)
    logs.configure(arguments.log_format, sys.stderr, environment)

    async def work(stops: app.Stops, ended: Callable[[Flushed | None], None]) -> None:
        stops.hurry(trio.current_time() + settings.final_wait)
        async with (
            HttpHub(url, sender=SENDER, settings=settings, token=token) as hub,
            app.open_keeper(folder, environment=environment, settings=settings) as keeper,
        ):
            left = Left(keeper, settings, once=True)
            with stops.patience:
                await app.deliver_left(left, hub, environment=environment, settings=settings)
            with trio.move_on_after(settings.spool_answer):
                await keeper.settled()
            try:
                ended(Flushed(left.delivered, await keeper.holding()))
            except SpoolUnavailable:  # the keeper has said so
                ended(None)

    def say(ended: daemon.Ended[Flushed | None]) -> None:
        if ended.outcome is not None:
            print(_json(ended.outcome) if arguments.json else sentence(ended.outcome))

    return daemon.run(work, grace=_GRACE, say=say, code=_exit_code)


def sentence(flushed: Flushed) -> str:
    """For people."""
    holding = flushed.holding
    said = f"{words.count(flushed.delivered, 'event')} delivered, {holding.waiting} wait"
    if holding.waiting:
        said += f" (of {words.count(holding.jobs, 'job')})"
    if holding.aside:
        said += f", {holding.aside} were refused by the hub and are kept aside"
    return said


def _json(flushed: Flushed) -> str:
    holding = flushed.holding
    said = {"delivered": flushed.delivered, "waiting": holding.waiting, "aside": holding.aside}
    return codec.encode(said).decode()


def _exit_code(ended: daemon.Ended[Flushed | None]) -> int:
    if ended.outcome is not None and ended.outcome.holding.waiting == 0:
        return 0
    return daemon.exit_code(ended.signal) if ended.signal else 1
