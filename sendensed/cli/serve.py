"""Serve: runs the hub until it is told to stop."""

import argparse
import os
from functools import partial
from pathlib import Path

import structlog
import trio
from msgspec.structs import replace

from sendensed import app, config, daemon, errors
from sendensed.environment import SystemEnvironment
from sendensed.errors import ConfigError, SendensedError
from sendensed.net.guard import is_loopback
from sendensed.store.opening import open_store

log = structlog.get_logger()


def run(options: argparse.Namespace) -> int:
    """Runs the hub. Returns 0 after a clean stop. Raises SendensedError where it cannot start."""
    settings = settings_of(options)
    host, port = address_of(settings.listen)
    if not options.open:
        raise ConfigError(
            "this hub has no sign-in yet: start it with --open, which lets anyone on this machine read and send"
        )
    if not is_loopback(host):
        raise ConfigError(f"--open serves loopback addresses only, not '{host}': use --listen 127.0.0.1:{port}")
    daemon.set_up_logs(options.log_level)
    with errors.unwrapped():
        trio.run(_serve, settings, host, port)
    return 0


def settings_of(options: argparse.Namespace) -> config.Config:
    """The configuration file's settings, with the command line's on top. Raises ConfigError."""
    settings = config.load(Path(options.config) if options.config else None)
    said = {name: getattr(options, name) for name in ("listen", "state_dir", "database") if getattr(options, name)}
    return replace(settings, **said)


def address_of(listen: str) -> tuple[str, int]:
    """HOST and PORT of `HOST:PORT`. Raises ConfigError."""
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"'{listen}' is no address to listen on: give HOST:PORT, such as 127.0.0.1:8082")
    return host.strip("[]"), int(port)


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
        await hub(settings, host, port, stopping)
        nursery.cancel_scope.cancel()


async def hub(
    settings: config.Config,
    host: str,
    port: int,
    stopping: trio.Event,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Opens the store, listens, and serves until `stopping`; `task_status` gets the hub's address."""
    environment = SystemEnvironment()
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise SendensedError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another address with --listen"
        ) from None
    try:
        async with open_store(settings, state_dir_of(settings)) as opened, trio.open_nursery() as nursery:
            served = partial(app.run, settings, environment, opened.store, opened.database, listeners)
            await nursery.start(partial(served, stopping=stopping))
            address = _address(listeners[0])
            print(f"listening on {address}", flush=True)
            log.info("serving", address=address, database=opened.database, dsn=_public(opened.dsn), open=True)
            daemon.notify("READY=1")
            task_status.started(address)
            await stopping.wait()
            daemon.notify("STOPPING=1")
    finally:
        for listener in listeners:
            await trio.aclose_forcefully(listener)


def _public(dsn: str) -> str:
    """The embedded server's DSN, for psql; nothing of one that may hold a password."""
    return dsn if "@/" in dsn else ""


def _address(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
