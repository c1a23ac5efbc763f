"""Export: writes all that the hub knows of a job into one file, line by line JSON; `replay` shows it again."""

import argparse
import os
import sys
from contextlib import suppress

from schemas import bundle
from sendensed.cli import hub, output, words
from sendensed.errors import SendensedError

_POINTS = 2_000
"""Points of the chart: the most that a hub gives."""


def run(options: argparse.Namespace) -> int:
    """Returns 0 when it is written. Raises SendensedError, also for a file that is there already."""
    with hub.of(options) as asked:
        detail = asked.job(options.id)
        chart = asked.samples(options.id, _POINTS)
        health = asked.health()
    written = bundle.write(detail, chart, hub=health.hub, version=health.version, now=health.time)
    content = b"".join(line + b"\n" for line in written)
    if options.file is None:
        sys.stdout.buffer.write(content)
        return 0
    path = options.file
    try:
        with open(path, "xb") as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    os.unlink(path)
                raise
    except FileExistsError:
        raise SendensedError(f"{path} is there already, and stays as it is; name a new file with --file") from None
    except OSError as error:
        raise SendensedError(
            f"the bundle cannot be written to {path}: {error.strerror}; name a new file where there is room"
        ) from None
    samples, events = words.count(len(chart.samples), "sample"), words.count(len(detail.events), "event")
    figures = f"{samples}, {events}, {words.size(len(content))}"
    output.say(f"exported: {figures}; see it again: sendensed replay {path}")
    return 0
