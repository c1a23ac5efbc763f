"""Orders: what `clientd run` is to do, as a job file or the options say it."""

import argparse
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from clientd import files
from clientd.cli import options
from clientd.core.order import DiskOrder, Order
from clientd.errors import UsageError, printable

_OF_THE_FILE = (
    "disk",
    "source_command",
    "target",
    "source_secret",
    "job_id",
    "job_type",
    "vm_name",
    "verify",
    "max_rate",
)


def order(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Order:
    """The order of the command line. Raises UsageError for one that is wrong, or said in two ways at once."""
    if arguments.file is None:
        return _of_options(arguments, environment)
    for name in _OF_THE_FILE:
        if getattr(arguments, name):
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} is the job file's to say: write it there, or give no job file")
    return files.read(Path(arguments.file))


def _of_options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Order:
    job_id = options.job_id(arguments.job_id, environment)
    disks = tuple(_commanded(arguments)) or tuple(
        DiskOrder(index=index, source=source, target=target)
        for index, (source, target) in enumerate(options.pairs(arguments.disk))
    )
    return Order(
        job_id=job_id,
        job_type=options.job_type(arguments.job_type, job_id),
        vm_name=options.vm_name(arguments.vm_name),
        verify=arguments.verify,
        max_rate=arguments.max_rate,
        disks=disks,
    )


def _commanded(arguments: argparse.Namespace) -> list[DiskOrder]:
    """The one disk of a --source-command; none without one."""
    given, target, secret = arguments.source_command, arguments.target, arguments.source_secret
    if given is None and target is None and secret is None:
        return []
    if arguments.disk or not given or not target:
        raise UsageError("--source-command and --target go together, without --disk: more disks need a job file")
    try:
        command = tuple(shlex.split(given))
    except ValueError as error:
        said = f"the source command '{printable(given)}' cannot be parted into words: {error}"
        raise UsageError(f"{said}: quote it as for a shell") from None
    if not command or bool(secret) != any("{secret}" in word for word in command):
        said = "--source-secret goes together with {secret} in the words of --source-command"
        raise UsageError(f"{said}: give both or none")
    return [
        DiskOrder(
            index=0,
            source_command=command,
            source_secret=os.path.abspath(secret) if secret else "",
            target=target,
        )
    ]
