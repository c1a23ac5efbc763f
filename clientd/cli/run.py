"""Run: `clientd run`, one job from its order to its exit code."""

import argparse
import os
import sys
from collections.abc import Callable

import msgspec
import structlog

from clientd import app, daemon, logs
from clientd.cli import options, orders
from clientd.cli.lines import Lines
from clientd.cli.screen import Screen
from clientd.config import SENDER, CopySettings, Settings, TelemetrySettings
from clientd.core.checkpoint import MemoryCheckpoints
from clientd.core.order import Order
from clientd.core.outbox import MemoryOutbox
from clientd.disk import check
from clientd.disk.file import FileDisks
from clientd.environment import SystemEnvironment
from clientd.errors import printable, reason
from clientd.net.hub import HttpHub
from schemas import codec

log = structlog.get_logger()


class DiskResult(msgspec.Struct, frozen=True):
    """One disk in the result. Bytes are those completed at the target."""

    disk_index: int
    source: str
    target: str
    status: str
    bytes_transferred: int
    total_bytes: int | None
    error: str | None


class Result(msgspec.Struct, frozen=True):
    """What `--json` prints. `seconds` are the copy's own; `updates_sent` those that the hub acknowledged."""

    job_id: str
    status: str
    bytes_transferred: int
    total_bytes: int | None
    seconds: float
    updates_sent: int
    end_known: bool
    error: str | None
    disks: tuple[DiskResult, ...]


def run(arguments: argparse.Namespace) -> int:
    """The exit code. Raises UsageError, before anything is touched, for an order that cannot be carried out."""
    order = orders.order(arguments, os.environ)
    url = options.hub_url(arguments.hub, os.environ)
    token = options.token(arguments.token_file)
    check.check(order.disks)
    settings = Settings(
        copy=CopySettings(workers=arguments.workers),
        telemetry=TelemetrySettings(final_wait=arguments.final_wait),
    )
    environment = SystemEnvironment()
    lines = Lines(sys.stderr.fileno())
    screen = Screen(lines)
    logs.configure(arguments.log_format, screen, environment)

    async def work(stops: app.Stops, ended: Callable[[app.Outcome], None]) -> None:
        async with HttpHub(url, sender=SENDER, settings=settings.telemetry, token=token) as hub:
            await app.run_job(
                order,
                arguments.attempt,
                FileDisks(),
                hub,
                stops,
                outbox=MemoryOutbox(),
                checkpoints=MemoryCheckpoints(),
                environment=environment,
                settings=settings,
                show=screen.show,
                ended=ended,
            )

    def say(ended: daemon.Ended[app.Outcome]) -> None:
        screen.done()
        if ended.outcome is not None and arguments.json:
            _print(codec.encode(_result(order, ended.outcome)).decode())
        lines.close()

    try:
        return daemon.run(work, grace=settings.stop_grace, say=say, code=_exit_code)
    finally:
        lines.close()


def _print(text: str) -> None:
    """On stdout. That nobody can read it there changes nothing about the job."""
    try:
        print(text, flush=True)
    except OSError as error:
        log.error("the result cannot be printed", error=reason(error))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter would try again at exit


def _result(order: Order, outcome: app.Outcome) -> Result:
    final = outcome.final
    return Result(
        job_id=order.job_id,
        status=final.job.status,
        bytes_transferred=final.body.bytes_transferred or 0,
        total_bytes=final.job.total_bytes,
        seconds=round(final.seconds, 3),
        updates_sent=outcome.updates_sent,
        end_known=outcome.end_known,
        error=final.job.error,
        disks=tuple(
            DiskResult(
                asked.index,
                printable(asked.name),
                printable(asked.target),
                disk.status,
                count.copied,
                disk.total_bytes,
                disk.error,
            )
            for asked, disk, count in zip(order.disks, final.job.disks, final.counts, strict=True)
        ),
    )


def _exit_code(ended: daemon.Ended[app.Outcome]) -> int:
    """A copy that is complete is a success, even if a signal cut the wait for the hub's word short."""
    status = ended.outcome.final.job.status if ended.outcome else "cancelled"
    if status == "completed":
        return 0
    if ended.signal is not None and status == "cancelled":
        return daemon.exit_code(ended.signal)
    return 1
