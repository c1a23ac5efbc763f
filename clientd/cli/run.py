"""Run: `clientd run`, one job from its order to its exit code."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
import structlog

from clientd import app, daemon, logs
from clientd.actors.courier import Left
from clientd.cli import options, orders
from clientd.cli.lines import Lines
from clientd.cli.screen import Screen
from clientd.config import SENDER, Settings, TelemetrySettings, copy_settings
from clientd.core import progress
from clientd.core.order import Order
from clientd.disk import check
from clientd.disk.opening import SystemDisks
from clientd.environment import SystemEnvironment
from clientd.errors import printable, reason
from clientd.net.hub import HttpHub
from clientd.net.sna import HttpSna
from clientd.state.checkpoints import SqliteCheckpoints
from clientd.state.directory import state_directory
from schemas import codec

log = structlog.get_logger()


class DiskResult(msgspec.Struct, frozen=True):
    """One disk in the result, its bytes as counted apart: examined (read), transferred (completed at the target),
    durable (flushed since), and verified (read of the target again).

    The seconds are what its workers' time went into, summed over them: waiting for the source, waiting for the
    target, and moving bytes from and to their servers.
    """

    disk_index: int
    source: str
    target: str
    status: str
    bytes_transferred: int
    total_bytes: int | None
    error: str | None
    bottleneck: str | None
    bytes_examined: int
    bytes_durable: int
    bytes_verified: int
    read_seconds: float
    write_seconds: float
    network_seconds: float


class Result(msgspec.Struct, frozen=True):
    """What `--json` prints. `seconds` are the copy's own; `updates_sent` those that the hub acknowledged.

    `bottleneck` is what took most of the workers' time: `read`, `write` or `network`.
    """

    job_id: str
    status: str
    bytes_transferred: int
    total_bytes: int | None
    seconds: float
    updates_sent: int
    end_known: bool
    error: str | None
    attempt: int
    bottleneck: str | None
    disks: tuple[DiskResult, ...]


def run(arguments: argparse.Namespace) -> int:
    """The exit code. Raises UsageError, before anything is touched, for an order that cannot be carried out."""
    order = options.with_progress_id(orders.order(arguments, os.environ), os.environ)
    url = options.hub_url(arguments.hub, os.environ)
    token = options.token(arguments.token_file)
    legacy = options.legacy_url(os.environ) if order.progress_job_id else ""
    folder = state_directory(arguments.state_dir, os.environ, root=os.geteuid() == 0)
    check.check(order.disks)
    settings = Settings(
        copy=copy_settings(arguments.workers),
        telemetry=TelemetrySettings(final_wait=arguments.final_wait),
    )
    environment = SystemEnvironment()
    lines = Lines(sys.stderr.fileno())
    screen = Screen(lines)
    logs.configure(arguments.log_format, screen, environment)

    async def work(stops: app.Stops, ended: Callable[[app.Outcome], None]) -> None:
        telemetry = settings.telemetry
        async with AsyncExitStack() as opened:
            hub = await opened.enter_async_context(HttpHub(url, sender=SENDER, settings=telemetry, token=token))
            endpoint = (
                await opened.enter_async_context(
                    HttpSna(legacy, order.progress_job_id, sender=SENDER, settings=telemetry)
                )
                if legacy
                else None
            )
            checkpoints = opened.enter_context(SqliteCheckpoints(folder, order.job_id, environment))
            keeper = await opened.enter_async_context(
                app.open_keeper(folder, environment=environment, settings=telemetry)
            )
            attempt, outbox = await keeper.begin(order.job_id, order.job_type, arguments.attempt)
            await app.run_job(
                order,
                attempt,
                SystemDisks(settings.nbd),
                hub,
                stops,
                outbox=outbox,
                checkpoints=checkpoints,
                environment=environment,
                settings=settings,
                show=screen.show,
                ended=ended,
                legacy=endpoint,
                left=Left(keeper, telemetry, once=True),
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
        attempt=final.body.attempt or 1,
        bottleneck=progress.busy(final.counts).bottleneck,
        disks=tuple(
            DiskResult(
                disk_index=asked.index,
                source=printable(asked.name),
                target=printable(asked.target),
                status=disk.status,
                bytes_transferred=count.copied,
                total_bytes=disk.total_bytes,
                error=disk.error,
                bottleneck=count.busy.bottleneck,
                bytes_examined=count.examined,
                bytes_durable=count.durable,
                bytes_verified=count.verified,
                read_seconds=round(count.busy.read, 3),
                write_seconds=round(count.busy.write, 3),
                network_seconds=round(count.busy.network, 3),
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
