"""Serve: runs the hub until it is told to stop."""

import argparse
import os
from pathlib import Path

import structlog
import trio
from msgspec.structs import replace

from sendensed import config, daemon, errors
from sendensed.cli.running import address_of, listen_on, open_hub
from sendensed.environment import SystemEnvironment
from sendensed.errors import ConfigError

log = structlog.get_logger()


def run(options: argparse.Namespace) -> int:
    """Runs the hub. Returns 0 after a clean stop. Raises SendensedError where it cannot start."""
    settings = settings_of(options)
    host, port = address_of(settings.listen)
    if not options.open:
        raise ConfigError(
            "this hub has no sign-in yet: start it with --open, which lets anyone on this machine read and send"
        )
    daemon.set_up_logs(options.log_level)
    with errors.unwrapped():
        trio.run(_serve, settings, host, port)
    return 0


def settings_of(options: argparse.Namespace) -> config.Config:
    """The configuration file's settings, with the command line's on top. Raises ConfigError."""
    settings = config.load(Path(options.config) if options.config else None)
    said = {name: getattr(options, name) for name in ("listen", "state_dir", "database") if getattr(options, name)}
    return replace(settings, **said)


def state_dir_of(settings: config.Config) -> Path:
    """Where the hub keeps its state: as configured, else the service's place, else the user's."""
    if settings.state_dir:
        return Path(settings.state_dir)
    if given := os.environ.get("STATE_DIRECTORY"):  # systemd's StateDirectory=
        return Path(given.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/sendensed")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "sendensed"


async def _serve(settings: config.Config, host: str, port: int) -> None:
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.stop_on_signals, stopping, nursery.cancel_scope)
        listeners = await listen_on(host, port)
        async with open_hub(settings, state_dir_of(settings), listeners, SystemEnvironment()) as hub:
            print(f"listening on {hub.address}", flush=True)
            database = hub.opened.database if settings.database else f"{hub.opened.database} at {hub.opened.dsn}"
            log.info("serving", address=hub.address, database=database, open=True)
            daemon.spare_the_collector()
            daemon.notify("READY=1")
            await stopping.wait()
            daemon.notify("STOPPING=1")
        nursery.cancel_scope.cancel()
