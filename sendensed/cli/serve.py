"""Serve: runs the hub until it is told to stop."""

import argparse
import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import structlog
import trio
from msgspec.structs import replace

from sendensed import config, daemon, errors
from sendensed.cli import credentials, welcome, workers
from sendensed.cli.running import (
    address_of,
    check_exposure,
    legacy_address,
    listen_on,
    name_of,
    open_hub,
    url_of,
)
from sendensed.environment import Environment, SystemEnvironment
from sendensed.errors import ConfigError
from sendensed.net.tls import Certificate
from sendensed.store.opening import Opened, open_store

_SAID = ("listen", "workers", "state_dir", "database", "open", "allow_plaintext")
"""Settings that the command line may override."""

log = structlog.get_logger()


def run(options: argparse.Namespace) -> int:
    """Runs the hub. Returns 0 after a clean stop. Raises SendensedError where it cannot start."""
    settings = settings_of(options)
    check_exposure(settings)
    daemon.set_up_logs(options.log_level)
    with errors.unwrapped():
        if settings.workers > 1:
            trio.run(_serve_workers, settings, options.log_level)
        else:
            trio.run(_serve, settings)
    return 0


def settings_of(options: argparse.Namespace) -> config.Config:
    """The configuration file's settings, with the command line's on top. Raises ConfigError."""
    settings = config.load(Path(options.config) if options.config else None)
    said = {name: value for name in _SAID if (value := getattr(options, name, None))}
    if not 1 <= said.get("workers", 1) <= config.WORKERS_MOST:
        raise ConfigError(f"--workers: give a number from 1 to {config.WORKERS_MOST}")
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


async def _serve(settings: config.Config) -> None:
    host, port = address_of(settings.listen)
    environment = SystemEnvironment()
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.stop_on_signals, stopping, nursery.cancel_scope)
        listeners = await listen_on(host, port)
        async with open_hub(settings, state_dir_of(settings), listeners, environment, _alive) as hub:
            first = None if settings.open else await _first(hub.opened, state_dir_of(settings), environment)
            _greet(settings, hub.address, hub.opened, first)
            if hub.certificate is not None:
                nursery.start_soon(daemon.reload_on_hangup, hub.certificate.reload)
            daemon.spare_the_collector()
            daemon.notify("READY=1")
            await stopping.wait()
            daemon.notify("STOPPING=1")
        nursery.cancel_scope.cancel()


def _alive() -> None:
    daemon.notify("WATCHDOG=1")


async def _serve_workers(settings: config.Config, log_level: str) -> None:
    state_dir, environment, stopping = state_dir_of(settings), SystemEnvironment(), trio.Event()
    if settings.tls.certificate:
        Certificate(settings.tls)  # what the workers could not read ends the start here
    with ExitStack() as reserved:
        listening = reserved.enter_context(workers.reserve(*address_of(settings.listen)))
        address, legacy = url_of(listening, settings), ""
        if settings.legacy_listen:
            kept = reserved.enter_context(workers.reserve(*legacy_address(settings)))
            legacy = url_of(kept, config.Config()).partition("://")[2]
        async with open_store(settings, state_dir) as opened, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.stop_on_signals, stopping, nursery.cancel_scope)
            first = None if settings.open else await _first(opened, state_dir, environment)
            shared = replace(
                settings,
                listen=address.partition("://")[2],
                legacy_listen=legacy,
                database=opened.dsn,
                hub=settings.hub or name_of(listening),
            )
            processes = workers.Workers(shared, state_dir, log_level, opened.database)
            if settings.tls.certificate:
                nursery.start_soon(daemon.reload_on_hangup, processes.hang_up)
            await workers.serve(processes, stopping, partial(_greet, settings, address, opened, first))
            nursery.cancel_scope.cancel()


def _greet(settings: config.Config, address: str, opened: Opened, first: welcome.First | None) -> None:
    database = opened.database if settings.database else f"{opened.database} at {opened.dsn}"
    log.info("serving", address=address, database=database, open=settings.open, workers=settings.workers)
    print(f"listening on {address}", flush=True)
    if first is not None and "INVOCATION_ID" not in os.environ:  # systemd keeps what a service prints
        print(f"sign in, once and within 10 minutes: {welcome.link(address, first.code)}", flush=True)


async def _first(opened: Opened, state_dir: Path, environment: Environment) -> welcome.First | None:
    """The first start's tokens, which go to files of their own; None where there have been tokens before."""
    first = await welcome.first_tokens(opened.tokens, environment)
    if first is not None:
        _keep_first(state_dir, {welcome.ADMIN: first.admin, welcome.APPLIANCE: first.push})
        sign_in = f"sendensed token link {welcome.ADMIN}"
        log.info("first tokens made", files=str(state_dir / "*.token"), sign_in=sign_in)
    return first


def _keep_first(state_dir: Path, tokens: dict[str, str]) -> None:
    """Writes each to NAME.token, in the place of what an earlier database may have left there."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in tokens.items():
        path = state_dir / f"{name}.token"
        path.unlink(missing_ok=True)
        credentials.keep(path, text)
