"""Tls: the hub's certificate, taken up anew at SIGHUP without a restart, and connections that it protects."""

import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import structlog
import trio

from sendensed import config
from sendensed.core import certificate
from sendensed.errors import ConfigError

log = structlog.get_logger()


class Certificate:
    """The certificate in use. TLS 1.2 at least; connections keep what they began with."""

    def __init__(self, settings: config.Tls) -> None:
        """Reads the files. Raises ConfigError."""
        self._settings = settings
        self.context, self.expires_at = _load(settings)

    def reload(self) -> None:
        """Reads the files again; where they are no good, the certificate in use stays, and the log says why."""
        try:
            self.context, self.expires_at = _load(self._settings)
        except ConfigError as error:
            log.error("certificate not renewed, the old one stays", reason=str(error))
        else:
            log.info("certificate renewed", expires_at=self.expires_at.isoformat())

    def warnings(self, now: datetime) -> tuple[str, ...]:
        """What there is to say of its end."""
        said = certificate.warning(self.expires_at, now)
        return () if said is None else (said,)


class TlsListener(trio.abc.Listener[trio.SSLStream[trio.SocketStream]]):
    """A listener whose connections speak TLS; the handshake is made with their first byte."""

    def __init__(self, plain: trio.SocketListener, held: Certificate) -> None:
        self.socket = plain.socket
        self._plain = plain
        self._held = held

    async def accept(self) -> trio.SSLStream[trio.SocketStream]:
        """The next connection, not yet shaken hands with."""
        stream = await self._plain.accept()
        return trio.SSLStream(stream, self._held.context, server_side=True, https_compatible=True)

    async def aclose(self) -> None:
        """Stops listening."""
        await self._plain.aclose()


class Listening(msgspec.Struct, frozen=True):
    """Where a hub is asked: its listeners, those of senders without tokens, and its certificate."""

    listeners: Sequence[trio.SocketListener | TlsListener]
    legacy: Sequence[trio.SocketListener] = ()
    certificate: Certificate | None = None

    async def aclose(self) -> None:
        """Stops listening."""
        for listener in (*self.listeners, *self.legacy):
            await trio.aclose_forcefully(listener)


def _load(settings: config.Tls) -> tuple[ssl.SSLContext, datetime]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        return context, certificate.not_after(Path(settings.certificate).read_bytes())
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        said = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"the certificate {settings.certificate} with the key {settings.key} cannot be used: {said}"
        ) from None
