"""Replaying: the map of a replay: the hub's own addresses and page, over one job's run that is gone through again.

    steps of the run ── at their time ──▶ store in memory ──▶ notifier ──▶ fan-out ──▶ websocket
                                               └──▶ routes, by a clock of the run's own

Nothing is taken: there is no writer and no reaper, and every request that would change something is refused.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec
import trio
from msgspec.structs import replace

from schemas.bundle import Bundle
from schemas.reading import Replay
from sendensed import config
from sendensed.actors.asks import Ask
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.actors.measures import Measures
from sendensed.actors.notifier import Notifier
from sendensed.actors.receiver import Receiver
from sendensed.clock import Clock
from sendensed.core import replay
from sendensed.core.appliance import Appliance, split
from sendensed.core.board import Board
from sendensed.core.model import Job
from sendensed.core.replay import Step
from sendensed.core.samples import Found, Hole, Outage, Window
from sendensed.environment import Environment
from sendensed.intake import Intake
from sendensed.net.http import Request, Response, Upgrade, fault
from sendensed.net.routes import Routes
from sendensed.net.server import Server
from sendensed.net.ws import text_frame
from sendensed.store import Change
from sendensed.store.memory import MemoryStore
from sendensed.store.memory_archive import MemoryArchive
from sendensed.store.memory_tokens import MemoryTokens

_HEARTBEAT = 0.5
"""Seconds between two ticks: the page carries the clock on at its usual pace, and a replay may be faster."""
_BEAT = 2.0
"""Seconds between two signs that the hub is well."""


class Pace(msgspec.Struct, frozen=True):
    """How the run is gone through: so many times as fast, from so many seconds after its beginning."""

    speed: float = 1.0
    start: float = 0.0


class RunClock(Clock):
    """The time of the run: from `start` on, `speed` times as fast as trio's; it stands still at `end`."""

    def __init__(self, start: datetime, end: datetime, speed: float) -> None:
        super().__init__(start)
        self._began_at = trio.current_time()
        self._speed = speed
        self._start = min(start, end)
        self.end = end

    def now(self) -> datetime:
        """The run's present."""
        passed = (trio.current_time() - self._began_at) * self._speed
        return min(self._start + timedelta(seconds=passed), self.end)

    async def wait_for(self, moment: datetime) -> None:
        """Returns when the run has come to the moment."""
        await trio.sleep_until(self._began_at + (moment - self._start).total_seconds() / self._speed)


class _Archive(MemoryArchive):
    """Knows the holes of the chart as they were recorded: points of a long run lie far apart without one."""

    def __init__(self, store: MemoryStore, bundle: Bundle, clock: RunClock) -> None:
        super().__init__(store)
        self._bundle = bundle
        self._clock = clock

    async def samples(self, job_id: str, window: Window) -> Found:
        found = await super().samples(job_id, window)
        now = self._clock.now()
        holes = tuple(
            Hole(gap.start, gap.end, attempts=gap.cause == "between_attempts")
            for gap in self._bundle.gaps
            if gap.end <= now
        )
        return replace(found, holes=holes)

    async def outages(self, start: datetime, end: datetime) -> list[Outage]:
        await trio.lowlevel.checkpoint()
        away = [Outage(gap.start, gap.end) for gap in self._bundle.gaps if gap.cause == "hub_away"]
        return [one for one in away if one.start < end and one.end > start]


async def run(
    bundle: Bundle,
    pace: Pace,
    listeners: Sequence[trio.SocketListener],
    environment: Environment,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves the replay until cancelled. Ready when it listens and shows the run as it stood at the start."""
    steps = replay.steps(bundle)
    clock = RunClock(steps[0].at + timedelta(seconds=pace.start), replay.end_of(bundle), pace.speed)
    settings = config.Config(open=True, feed=config.Feed(heartbeat=_HEARTBEAT))
    name = f"replay of {bundle.header.hub}"
    store = MemoryStore(clock.now)
    hearing = Hearing(clock, name, settings.reaper.limits, settings.reaper.mass)
    fanout = Fanout(Board(0), settings.feed.pace, text_frame)
    notifier = Notifier(store, fanout, hearing, settings.feed)
    archive = _Archive(store, bundle, clock)
    tokens = MemoryTokens(clock.now)
    intake: Intake[Ask] = Intake(settings.writer.room)
    receiver = Receiver(intake, hearing, settings.answer_deadline)
    routes = Routes(
        receiver=receiver,
        store=store,
        archive=archive,
        fanout=fanout,
        notifier=notifier,
        hearing=hearing,
        measures=Measures(hearing, fanout, receiver),
        settings=settings,
        environment=environment,
        tokens=tokens,
        database=f"a bundle of {bundle.header.exported_at:%Y-%m-%d %H:%M:%S} UTC, {pace.speed:g} times as fast",
        replay=Replay(bundle.job.id, bundle.header.hub, clock.end, pace.speed, len(bundle.job.disks)),
    )
    server = Server(partial(_handle, routes), wall=environment.wall, make_id=environment.new_id)
    player = _Player(store, archive, notifier, clock)
    await player.beat(hearing)
    ahead = [step for step in steps if step.at > clock.now()]
    for step in steps[: len(steps) - len(ahead)]:
        await player.take(step)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(player.play, ahead)
        nursery.start_soon(player.keep_beating, hearing)
        await nursery.start(trio.serve_listeners, server.serve_connection, listeners)
        task_status.started()


async def _handle(routes: Routes, request: Request) -> Response | Upgrade:
    if request.method not in ("GET", "HEAD"):
        return fault(403, "replay", "this is a replay: what happened cannot be changed, and nothing is sent on")
    return await routes.handle(request)


class _Player:
    """Goes through the steps."""

    def __init__(self, store: MemoryStore, archive: MemoryArchive, notifier: Notifier, clock: RunClock) -> None:
        self._store = store
        self._archive = archive
        self._notifier = notifier
        self._clock = clock
        self._before: Job | None = None

    async def play(self, steps: Sequence[Step]) -> None:
        """Takes each when its time has come."""
        for step in steps:
            await self._clock.wait_for(step.at)
            await self.take(step)

    async def take(self, step: Step) -> None:
        """What the step says is what the page shows from now on."""
        revision, told = (self._before.revision, self._before.event_count) if self._before else (0, 0)
        job = replace(step.job, revision=revision, event_count=told + len(step.events))
        await self._store.save([Change(job, self._before, step.events, sample=step.is_sampled)])
        self._before = replace(job, revision=revision + 1)
        if job.last_telemetry_at is not None and (name := job.appliance or split(job.sender)[0]):
            version = split(job.sender)[1]
            await self._archive.note([Appliance(name, version, job.last_telemetry_at, None, 0, 0.0)])
        await self._notifier.refresh()

    async def beat(self, hearing: Hearing) -> None:
        """A sign that the hub is well."""
        hearing.take(await self._store.beat(hearing.hub, hearing.limits.gap, restart=False), trio.current_time())

    async def keep_beating(self, hearing: Hearing) -> None:
        """One after the other, until cancelled."""
        while True:
            await trio.sleep(_BEAT)
            await self.beat(hearing)
