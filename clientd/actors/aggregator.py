"""Aggregator: looks at the counters, hears what happens to the disks, and writes the updates for the hub.

It is the only one that numbers updates. It never waits for the sender, and the copy never waits for it.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import msgspec
import structlog
import trio

from clientd.config import TelemetrySettings
from clientd.core import job as state
from clientd.core import progress
from clientd.core.cadence import Cadence, Sent
from clientd.core.load import Load, Movement
from clientd.core.outbox import Outbox, Update
from clientd.core.progress import Count, Speed
from clientd.environment import Environment
from clientd.latest import Latest
from schemas import codec
from schemas.telemetry import TelemetryBody

log = structlog.get_logger()

Read = Callable[[], Sequence[Count]]
"""The counters of all disks, as of now."""
Show = Callable[[TelemetryBody], None]
"""Told at every look, for a terminal."""


class Final(msgspec.Struct, frozen=True):
    """How the job ended: its state, its counters, the last body, and the seconds it took."""

    job: state.Job
    counts: tuple[Count, ...]
    body: TelemetryBody
    seconds: float


async def run(
    identity: state.Identity,
    disks: int,
    verified: bool,
    read: Read,
    inbox: trio.MemoryReceiveChannel[state.Event],
    newest: Sequence[Latest[Update]],
    outbox: Outbox,
    *,
    environment: Environment,
    settings: TelemetrySettings,
    show: Show,
) -> Final:
    """Returns when the job has ended and its end is in the outbox; closes all of `newest`.

    Every update goes into each of `newest`; those that must arrive go into the outbox as well. Raises EndOfChannel
    where the job went away without an end. Cancellation loses what was not written yet.
    """
    cadence = Cadence(settings.beat, settings.points)
    job = state.begin(disks, verified=verified)
    counts: tuple[Count, ...] = (Count(),) * disks
    speed = Speed(settings.speed_window)
    load = Load(settings.speed_window)
    last: Sent | None = None
    sequence = 0
    began = trio.current_time()
    movement = Movement(began)
    with ExitStack() as closing:
        for mailbox in newest:
            closing.enter_context(mailbox)
        while True:
            now = trio.current_time()
            counts = progress.advance(counts, read())
            speed = speed.add(now, progress.copied(counts))
            load = load.add(now, counts)
            picture = state.picture(job, counts)
            movement = _moved(movement, movement.look(now, picture, counts), now, load, settings.unmoved)
            decision = cadence.decide(last, picture, now)
            body = state.body(
                identity,
                job,
                counts,
                speed=speed.bytes_per_second,
                sequence=sequence + 1,
                timestamp=codec.rfc3339(environment.wall()),
                bottlenecks=load.bottlenecks,
            )
            show(body)
            if decision.kind != "none":
                sequence += 1
                last = Sent(now, picture)
                update = Update(body, environment.moment())
                if decision.kind == "event":
                    outbox.add(update)
                    await environment.failpoint("outbox.added")
                for mailbox in newest:
                    mailbox.put(update)
            if job.ended:
                return Final(job, counts, body, now - began)
            with trio.move_on_at(min(now + settings.poll, decision.due)):
                event = await _next(inbox)
                job = state.apply(job, event)
                _log(event, job, counts, now - began)


async def _next(inbox: trio.MemoryReceiveChannel[state.Event]) -> state.Event:
    try:
        return await inbox.receive()
    except trio.EndOfChannel:
        await trio.lowlevel.checkpoint()  # a crash upstream cancels us here, so that it leaves alone
        raise


def _moved(before: Movement, after: Movement, now: float, load: Load, longest: float) -> Movement:
    """A job that is heard but does not move is worth a line, and so is its going on."""
    still = round(now - before.at)
    if after is not before:
        if before.told:
            log.info("the job moves again", seconds=still)
        return after
    if now - before.at < longest or before.told:
        return before
    likely = [f"disk {index}: {name}" for index, name in enumerate(load.bottlenecks) if name]
    log.warning("the job does not move", seconds=still, bottleneck=", ".join(likely) or None)
    return msgspec.structs.replace(before, told=True)


def _log(event: state.Event, job: state.Job, counts: Sequence[Count], seconds: float) -> None:
    match event:
        case state.DiskPlanned():
            log.info("disk planned", disk=event.index, total_bytes=event.total_bytes)
        case state.DiskCopied():
            total_bytes = job.disks[event.index].total_bytes
            log.info("disk copied", disk=event.index, total_bytes=total_bytes, seconds=round(seconds, 3))
        case state.DiskFailed():
            count = counts[event.index]
            known = {"examined": count.examined, "copied": count.copied, "durable": count.durable}
            log.error("disk failed", disk=event.index, error=event.message, **known)
        case state.JobEnded():
            say = log.info if job.status == "completed" else log.error
            say("job ended", status=job.status, error=job.error, seconds=round(seconds, 3))
        case state.DiskStarted() | state.DiskWritten():
            pass
