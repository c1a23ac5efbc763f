"""Serve: `clientd serve`, the daemon, until it is told to stop."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from clientd import app, config, daemon, logs, service
from clientd.cli import options
from clientd.cli.lines import Lines
from clientd.config import ServeSettings, Settings
from clientd.environment import SystemEnvironment
from clientd.errors import SpoolUnavailable, UsageError
from clientd.state.directory import socket_path, state_directory
from clientd.supervisor import Supervisor


def run(arguments: argparse.Namespace) -> int:
    """0 after a clean stop; 1 where the queue cannot be read. Raises UsageError where it cannot begin."""
    settings = settings_of(arguments)
    place = place_of(settings)
    environment = SystemEnvironment()
    lines = Lines(sys.stderr.fileno())
    logs.configure(arguments.log_format, lines, environment)
    supervisor = Supervisor(os.environ)

    trouble: list[Exception] = []

    async def work(stops: app.Stops, ended: Callable[[bool], None]) -> None:
        stopping = stops.receive.receive
        try:
            await service.serve(place, settings, stopping, environment=environment, supervisor=supervisor)
            ended(True)
        except* (UsageError, SpoolUnavailable) as errors:
            trouble.append(_first(errors))

    def code(ended: daemon.Ended[bool]) -> int:
        return daemon.exit_code(ended.signal) if ended.signal and not ended.outcome else 0

    found = daemon.run(work, grace=Settings().stop_grace, say=lambda ended: lines.close(), code=code)
    match trouble:
        case [UsageError() as error]:
            raise error
        case [error]:
            print(f"clientd: the queue cannot be read ({error}): look at the state directory", file=sys.stderr)
            return 1
    return found


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def settings_of(arguments: argparse.Namespace) -> ServeSettings:
    """The configuration file's settings, with the command line's on top. Raises UsageError."""
    settings = config.load(Path(arguments.config) if arguments.config else None)
    names = ("hub", "token_file", "state_dir", "socket", "folder")
    return replace(settings, **{name: getattr(arguments, name) for name in names if getattr(arguments, name)})


def place_of(settings: ServeSettings) -> service.Place:
    """Where these settings have the daemon keep its things. Raises UsageError."""
    root = os.geteuid() == 0
    state = state_directory(settings.state_dir, os.environ, root=root)
    return service.Place(
        state=state,
        socket=socket_path(settings.socket, os.environ, root=root),
        folder=Path(settings.folder) if settings.folder else state / "jobs",
        hub=options.hub_url(settings.hub, os.environ),
        token=options.token(settings.token_file or None),
        legacy=options.legacy_url(os.environ),
        progress_id=options.progress_id(os.environ),
    )
