"""Daemon: what a service owes its supervisor: signals, readiness, logs."""

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import structlog
import trio


def notify(state: str) -> None:
    """Tells systemd `READY=1`, `STOPPING=1` or `WATCHDOG=1`; does nothing where no supervisor listens.

    The protocol is that of sd_notify(3): one datagram to the socket named by NOTIFY_SOCKET.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(
        socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    ) as supervisor:
        try:
            supervisor.sendto(state.encode(), address)
        except OSError as error:
            structlog.get_logger().warning("supervisor not told", state=state, reason=str(error))


async def stop_on_signals(stopping: trio.Event, whole: trio.CancelScope) -> None:
    """Sets `stopping` at the first SIGTERM or SIGINT; cancels `whole` at the second. Runs until cancelled."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            name = signal.Signals(number).name
            if stopping.is_set():
                structlog.get_logger().warning("stopping at once", signal=name)
                whole.cancel()
            else:
                structlog.get_logger().info("stopping", signal=name)
                stopping.set()


async def reload_on_hangup(reload: Callable[[], None]) -> None:
    """Calls `reload` at every SIGHUP. Runs until cancelled."""
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        async for _ in signals:
            reload()


async def cancel_on_end(whole: trio.CancelScope) -> None:
    """Cancels `whole` at SIGTERM, or when the terminal goes away (SIGHUP). Runs until cancelled."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
        await anext(signals)
        whole.cancel()


def spare_the_collector() -> None:
    """Takes what the start has made out of the collector's sight, and has it look seldom.

    Jobs and updates hold no cycles and are freed by count; what makes cycles is an error now and then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def set_up_logs(level: str = "info") -> None:
    """Log lines on standard error: JSON for a journal, readable on a terminal; `logging`'s go the same way."""
    terminal = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if not terminal else _as_it_is,
    ]
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    threshold = logging.getLevelName(level.upper())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def _as_it_is(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    return event
