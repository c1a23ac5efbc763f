"""Doctor: `clientd doctor [FILE]`: looks at what a job needs, and says what to do."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

import trio

from clientd import app, files, logs
from clientd.cli import options
from clientd.config import Settings
from clientd.core import doctor
from clientd.core.doctor import Finding
from clientd.core.order import Order
from clientd.disk import looking
from clientd.disk.opening import SystemDisks
from clientd.environment import SystemEnvironment
from clientd.errors import SpoolUnavailable, UsageError, printable
from clientd.net import probe
from clientd.state.directory import state_directory
from schemas import codec, words

_PATIENCE = 120.0
"""Seconds for all disks: more than a server's silence may last."""


def run(arguments: argparse.Namespace) -> int:
    """0 if all is well, 1 if something has to be done. Raises UsageError for a wrong command line."""
    url = options.hub_url(arguments.hub, os.environ)
    folder = state_directory(arguments.state_dir, os.environ, root=os.geteuid() == 0)
    logs.configure(arguments.log_format, _Silence(), SystemEnvironment())
    findings: list[Finding] = []
    order = _order(arguments.file, findings)
    token = _token(arguments.token_file, findings)
    trio.run(_examine, url, token, folder, order, findings)
    for finding in findings:
        print(codec.encode(finding).decode() if arguments.json else line(finding))
    return 0 if doctor.is_well(findings) else 1


def line(finding: Finding) -> str:
    """For people."""
    return f"{finding.verdict:8} {finding.check}: {finding.sentence}"


async def _examine(
    url: str, token: str | None, folder: Path, order: Order | None, findings: list[Finding]
) -> None:
    settings, environment = Settings(), SystemEnvironment()
    needed = order is not None and any(disk.source_command for disk in order.disks)
    version = await trio.to_thread.run_sync(looking.nbdkit, abandon_on_cancel=True)
    findings.append(doctor.nbdkit(version, needed=needed))
    hub = await probe.ask(url, token, environment=environment, settings=settings.telemetry)
    findings.extend(doctor.hub(hub))
    findings.append(await _state(folder, environment, settings))
    if order is not None:
        findings.extend(await _disks(order, settings))


async def _state(folder: Path, environment: SystemEnvironment, settings: Settings) -> Finding:
    name = printable(str(folder))
    try:
        async with app.open_keeper(folder, environment=environment, settings=settings.telemetry) as keeper:
            return doctor.spool(name, await keeper.holding())
    except* SpoolUnavailable as errors:
        error = str(errors.exceptions[0])
    return doctor.spool(name, None, printable(error))


async def _disks(order: Order, settings: Settings) -> list[Finding]:
    look = partial(looking.look, order, SystemDisks(settings.nbd))
    try:
        with trio.fail_after(_PATIENCE):
            return doctor.disks(await trio.to_thread.run_sync(look, abandon_on_cancel=True))
    except trio.TooSlowError:
        return [
            Finding("disks", "wrong", f"the disks do not answer within {_PATIENCE:g} s: look at where they lie")
        ]


def _order(path: str | None, findings: list[Finding]) -> Order | None:
    if path is None:
        return None
    try:
        order = files.read(Path(path))
    except UsageError as error:
        findings.append(Finding("job file", "wrong", str(error)))
        return None
    findings.append(
        Finding(
            "job file",
            "ok",
            f"it says the job '{printable(order.job_id)}', {words.count(len(order.disks), 'disk')}",
        )
    )
    return order


def _token(path: str | None, findings: list[Finding]) -> str | None:
    try:
        return options.token(path)
    except UsageError as error:
        findings.append(Finding("token file", "wrong", str(error)))
        return None


class _Silence:
    """Takes log lines: what matters of them is in the findings."""

    def write(self, text: str, /) -> int:
        return len(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return False
