"""Supervisor: what systemd is told: that we are ready, stop, are alive, and what we do. Or nobody, without it."""

import os
import socket
from collections.abc import Mapping

import structlog

from clientd.errors import reason

log = structlog.get_logger()

_MICRO = 1_000_000
_SHARE = 3
"""Times within the watchdog's period that we say we are alive: two may be late."""


class Supervisor:
    """By the protocol of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._usec = environ.get("WATCHDOG_USEC", "")
        self._pid = environ.get("WATCHDOG_PID", "")

    @property
    def period(self) -> float | None:
        """Longest time between two signs of life, in seconds; None where nobody waits for them."""
        if not self._usec.isascii() or not self._usec.isdigit() or self._pid not in ("", str(os.getpid())):
            return None
        return int(self._usec) / _MICRO / _SHARE or None

    def tell(self, *words: str) -> None:
        """Such as `READY=1`. Never waits: what a busy supervisor does not take is not said."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as way:
            try:
                way.sendto("\n".join(words).encode(), self._address)
            except OSError as error:
                log.warning("supervisor not told", words=" ".join(words), error=reason(error))
