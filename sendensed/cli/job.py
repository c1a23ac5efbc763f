"""Job: one job whole: where it stands, its disks, its history, and how good its estimates were."""

import argparse
from collections.abc import Iterator
from datetime import datetime

from schemas.job import ACTIVE, JobDetail, JobView
from sendensed.cli import columns, hub, output, several, terminal, words
from sendensed.cli.columns import Told
from sendensed.cli.output import Kind


def run(options: argparse.Namespace) -> int:
    """Prints each job. Returns 0 where all are known. Raises SendensedError."""
    found: list[JobDetail] = []
    with hub.of(options) as asked:

        def show(job_id: str) -> None:
            detail = asked.job(job_id)
            if options.output == "json":
                found.append(detail)
            elif options.output == "ndjson":
                print(output.json(detail))
            elif options.output == "name":
                print(words.plain(detail.job.id))
            else:
                wide, headers = options.output == "wide", not options.no_headers
                lines = shown(detail, asked.now, wide=wide, headers=headers)
                print("\n".join(lines), end="\n\n" if len(options.id) > 1 else "\n")

        try:
            return several.each(options.id, show, "shown")
        finally:
            if found:
                print(output.json_pretty(found[0] if len(options.id) == 1 else found))


def shown(detail: JobDetail, now: datetime | None, *, wide: bool = False, headers: bool = True) -> Iterator[str]:
    """The lines for people."""
    facts = [(name, value) for name, value in _facts(detail, now) if value]
    for name, value in facts:
        yield f"{terminal.paint(name.ljust(10), 'dim')} {value}"
    job = detail.job
    if job.disks:
        yield ""
        yield from output.table(columns.DISKS, job.disks, now, headers=headers)
    if detail.events:
        rows = [columns.told(job.id, event) for event in detail.events]
        yield ""
        yield from output.table(_HISTORY, rows, now, wide=wide, headers=headers)


_HISTORY: Kind[Told] = columns.EVENTS._replace(
    columns=tuple(column for column in columns.EVENTS.columns if column.name != "JOB")
)


def _facts(detail: JobDetail, now: datetime | None) -> Iterator[tuple[str, str]]:
    job = detail.job
    attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
    yield "job", words.plain(job.id)
    yield "machine", words.plain(job.vm_name)
    yield "type", ", ".join(words.plain(part) for part in (job.job_type, job.backup_type) if part)
    yield "state", terminal.paint(words.state(job), job.status) + _verdict(job) + attempt
    yield "error", words.error(job)
    yield "phase", words.phase(job)
    yield "progress", f"{words.bar(job.progress_percent)} {words.percent(job.progress_percent)}"
    yield "bytes", words.of_total(job.bytes_transferred, job.total_bytes) + words.kind(job)
    yield "verified", words.verified(job)
    yield "speed", words.speed(job) + ("" if job.status in ACTIVE else " at the end")
    if job.status in ACTIVE:
        yield "left", "; ".join(part for part in (words.time_left(job), words.finish(job, now)) if part)
    yield "took", words.took(job)
    for name, moment in (("created", job.created_at), ("started", job.started_at), ("ended", job.completed_at)):
        yield name, "" if moment is None else f"{words.stamp(moment)} ({words.age(moment, now)})"
    yield "heard", words.age(job.last_telemetry_at, now)
    yield "moved", words.age(job.last_moved_at, now)
    yield "appliance", ", ".join(words.plain(part) for part in (job.appliance, job.sender) if part)
    if job.cancel_requested_at is not None and job.status in ACTIVE:
        yield "cancel", f"asked for {words.age(job.cancel_requested_at, now)}; the sender has still to say so"
    for one in detail.predictions:
        said = f"at {one.percent} %: {words.duration(one.predicted_seconds)} left"
        yield (
            "estimate",
            said + ("" if one.actual_seconds is None else f", were {words.duration(one.actual_seconds)}"),
        )
    if detail.accuracy is not None:
        good, of = detail.accuracy, "this machine's" if detail.accuracy.of == "machine" else "all machines'"
        within = f"within {good.within_percent:g} % ({words.count(good.runs, 'run')})"
        yield "accuracy", f"four of five of {of} estimates were {within}"


def _verdict(job: JobView) -> str:
    if job.closed_by is None:
        return ""
    return {"sender": "", "reaper": ", by the hub: it fell silent", "operator": ", by an operator"}[job.closed_by]
