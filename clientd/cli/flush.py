"""Flush: `clientd flush`, which delivers what is left in the spool, and says what stays there."""

import argparse
import os
import sys

import trio

from clientd import app, logs
from clientd.actors.courier import Left
from clientd.cli import options
from clientd.config import SENDER, TelemetrySettings
from clientd.core.spool import Holding
from clientd.environment import SystemEnvironment
from clientd.errors import SpoolUnavailable
from clientd.net.hub import HttpHub
from clientd.state.directory import state_directory
from schemas import codec


def run(arguments: argparse.Namespace) -> int:
    """0 if nothing waits in the spool any more, else 1. Raises UsageError for a wrong command line."""
    url = options.hub_url(arguments.hub, os.environ)
    token = options.token(arguments.token_file)
    folder = state_directory(arguments.state_dir, os.environ, root=os.geteuid() == 0)
    environment = SystemEnvironment()
    settings = TelemetrySettings(final_wait=arguments.final_wait)
    logs.configure(arguments.log_format, sys.stderr, environment)

    async def deliver() -> tuple[int, Holding | None]:
        async with (
            HttpHub(url, sender=SENDER, settings=settings, token=token) as hub,
            app.open_keeper(folder, environment=environment, settings=settings) as keeper,
        ):
            left = Left(keeper, settings, once=True)
            with trio.move_on_after(settings.final_wait):
                await app.deliver_left(left, hub, environment=environment, settings=settings)
            with trio.move_on_after(settings.spool_answer):
                await keeper.settled()
            try:
                return left.delivered, await keeper.holding()
            except SpoolUnavailable:  # the keeper has said so
                return left.delivered, None

    delivered, holding = trio.run(deliver)
    if holding is None:
        return 1
    said = {"delivered": delivered, "waiting": holding.waiting, "aside": holding.aside}
    print(codec.encode(said).decode() if arguments.json else sentence(delivered, holding))
    return 0 if holding.waiting == 0 else 1


def sentence(delivered: int, holding: Holding) -> str:
    """For people."""
    said = f"{delivered} events delivered, {holding.waiting} wait"
    if holding.waiting:
        said += f" (of {holding.jobs} jobs)"
    if holding.aside:
        said += f", {holding.aside} were refused by the hub and are kept aside"
    return said
