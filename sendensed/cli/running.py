"""Running: a hub in this process, for the commands that need one."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio
from msgspec.structs import replace

from sendensed import app, config
from sendensed.environment import Environment
from sendensed.errors import ConfigError, SendensedError
from sendensed.net.guard import EVERYWHERE, is_loopback
from sendensed.net.tls import Certificate, Listening, TlsListener
from sendensed.scoreboard import Place
from sendensed.store.opening import Opened, open_store


class Running(msgspec.Struct, frozen=True):
    """A hub that serves: the URL it is reached at, and what it keeps its jobs in."""

    address: str
    opened: Opened
    certificate: Certificate | None


def address_of(listen: str) -> tuple[str, int]:
    """HOST and PORT of `HOST:PORT`. Raises ConfigError."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ConfigError(f"'{listen}' is no address to listen on: give HOST:PORT, such as 127.0.0.1:8082")
    return host, int(port)


def check_exposure(settings: config.Config) -> None:
    """Raises ConfigError where the hub would be open, or speak plaintext, to more than its own machine."""
    host, port = address_of(settings.listen)
    if is_loopback(host):
        return
    if settings.open:
        raise ConfigError(f"an open hub serves loopback addresses only, not '{host}': use 127.0.0.1:{port}")
    if not settings.tls.certificate and not settings.allow_plaintext:
        raise ConfigError(
            f"without TLS the hub does not listen on '{host}', where tokens would be readable on the way: give it "
            "a certificate ([tls] in the configuration), or --allow-plaintext inside a tunnel or VPN"
        )


def legacy_address(settings: config.Config) -> tuple[str, int]:
    """HOST and PORT for senders without a token. Raises ConfigError."""
    host, port = address_of(settings.legacy_listen)
    if not is_loopback(host):
        raise ConfigError(f"legacy_listen takes senders without a token: give it a loopback address, not '{host}'")
    return host, port


async def listen_on(host: str, port: int) -> list[trio.SocketListener]:
    """Listening sockets. Raises SendensedError where the address cannot be had."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise _taken(host, port, error) from None


def bind(host: str, port: int, *, shared: bool) -> socket.socket:
    """A socket at the address, alone or with others that are bound as `shared`; it does not listen yet.

    Raises SendensedError where the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as opened:
            one = opened.enter_context(socket.socket(family, kind, protocol))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
            opened.pop_all()
            return one
    except OSError as error:
        raise _taken(host, port, error) from None


async def listen_shared(host: str, port: int) -> list[trio.SocketListener]:
    """As `listen_on`, at an address that other hubs of this machine listen at as well."""
    one = bind(host, port, shared=True)
    one.listen(1024)
    await trio.lowlevel.checkpoint()
    return [trio.SocketListener(trio.socket.from_stdlib_socket(one))]


def _taken(host: str, port: int, error: OSError) -> SendensedError:
    return SendensedError(
        f"cannot listen on {host}:{port}: {error.strerror or error}; choose another address with --listen"
    )


Listen = Callable[[str, int], Awaitable[list[trio.SocketListener]]]
"""`listen_on` or `listen_shared`."""


@asynccontextmanager
async def open_hub(
    settings: config.Config,
    state_dir: Path,
    listeners: list[trio.SocketListener],
    environment: Environment,
    alive: Callable[[], None] = lambda: None,
    listen: Listen = listen_on,
    place: Place | None = None,
    database: str = "",
) -> AsyncIterator[Running]:
    """A hub that serves inside the block, and then drains. The listeners are its own, to the end.

    `alive` is called every few seconds, as long as its writer works; `listen` is how it listens for senders
    without a token, where the settings say so; `place` is a worker's; `database` is what to call its database, of
    which the settings tell the address alone.

    Raises SendensedError where it cannot start.
    """
    stopping = trio.Event()
    settings = replace(settings, hub=settings.hub or name_of(listeners[0].socket))
    listening = Listening(listeners)
    try:
        listening = await _listening(settings, listeners, listen)
        async with open_store(settings, state_dir) as opened, trio.open_nursery() as nursery:
            kept = (opened.store, opened.archive, opened.tokens, database or opened.database)
            served = partial(app.run, settings, environment, *kept, listening)
            await nursery.start(partial(served, stopping=stopping, place=place, alive=alive))
            try:
                yield Running(url_of(listeners[0].socket, settings), opened, listening.certificate)
            finally:
                stopping.set()
    finally:
        await listening.aclose()


async def _listening(settings: config.Config, listeners: list[trio.SocketListener], listen: Listen) -> Listening:
    """The hub's listeners under its certificate, and those for senders without a token. Raises SendensedError."""
    certificate = Certificate(settings.tls) if settings.tls.certificate else None
    legacy = await listen(*legacy_address(settings)) if settings.legacy_listen else []
    if certificate is None:
        return Listening(listeners, legacy)
    return Listening([TlsListener(listener, certificate) for listener in listeners], legacy, certificate)


def name_of(listening: socket.socket | trio.socket.SocketType) -> str:
    """The hub's own name: it is the same after a restart, and no other process has it on this machine."""
    return f"{socket.gethostname()}:{listening.getsockname()[1]}"


def url_for_people(settings: config.Config) -> str:
    """Where people ask for a hub with these settings: at the proxy before it, by its name, or where it listens.

    Raises ConfigError.
    """
    host, port = address_of(settings.listen)
    if settings.access.origins:
        return settings.access.origins[0]
    if not is_loopback(host) and settings.access.hosts:
        host = settings.access.hosts[0]
    elif host in EVERYWHERE:
        host = "127.0.0.1"
    return _url(host, port, settings)


def url_of(listening: socket.socket | trio.socket.SocketType, settings: config.Config) -> str:
    """The URL of a socket's address."""
    host, port = listening.getsockname()[:2]
    return _url(host, port, settings)


def _url(host: str, port: int, settings: config.Config) -> str:
    scheme = "https" if settings.tls.certificate else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
