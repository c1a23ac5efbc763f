"""App: the map of the hub. Every channel with its size and its word for a full buffer, every nursery.

    http connections ◀─ pump: reads the sockets
    http connections ──┐ intake: a filling queue conflates, a full one is answered 503 at the door
    reaper ── Block ───┴──▶ writer ──▶ committed, Latest ──▶ fan-out ──▶ mailbox per viewer, Latest ──▶ websocket
    store: what other hubs committed ──▶ notifier ──▶ fan-out
    keeper ──▶ archive: appliances, and the days of the history
    measures: every 0.5 s this hub's row of the scoreboard; a scrape, whichever hub it meets, adds up all rows
    past ◀── archive: how near earlier estimates came; the writer's ranges rest on it

Stopping: the sources end first (listener, reaper, keeper, idle connections) and viewers are told `bye`, then the
writer commits what it holds and answers it; all within `writer.drain` seconds. The store closes last. A viewer
that comes back sees what was committed after its `bye`.
"""

from collections.abc import Callable
from functools import partial

import trio

from schemas.job import ACTIVE
from sendensed import config
from sendensed.actors import keeper, past, reaper
from sendensed.actors.asks import Ask
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.actors.measures import Measures
from sendensed.actors.notifier import Notifier
from sendensed.actors.receiver import Receiver
from sendensed.actors.writer import Writer
from sendensed.clock import Clock
from sendensed.core import auth
from sendensed.core.board import FINISHED_KEPT, Board
from sendensed.core.model import Job
from sendensed.environment import Environment
from sendensed.errors import SendensedError
from sendensed.intake import Intake
from sendensed.mailbox import Mailbox
from sendensed.net import telemetry
from sendensed.net.limits import Heartbeat
from sendensed.net.pump import Pump
from sendensed.net.route import spread
from sendensed.net.routes import Routes
from sendensed.net.server import Server
from sendensed.net.tls import Listening
from sendensed.net.ws import text_frame
from sendensed.scoreboard import Place
from sendensed.store import Store, StoreUnavailable
from sendensed.store.archive import Archive
from sendensed.store.tokens import Tokens

_FUTURE = 2**62
"""A position that nothing has been committed at yet: asks for the present one alone."""
_BOARD_MOST = 100_000
"""Active jobs that a hub shows: far more than it is built for."""


async def run(
    settings: config.Config,
    environment: Environment,
    store: Store,
    archive: Archive,
    tokens: Tokens,
    database: str,
    listening: Listening,
    *,
    stopping: trio.Event,
    place: Place | None = None,
    alive: Callable[[], None] = lambda: None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until `stopping` is set and everything taken is committed, or the drain time is over.

    Ready (`task_status`) when it listens and its board is filled. `alive` is called every few seconds, as long as
    the writer works; `place` is where it measures among the workers of its host. Cancelled, it leaves requests
    under way unanswered; what was acknowledged is committed. The listeners are closed in every case.
    """
    hub = settings.hub or environment.new_id()
    hearing, board = await _first_look(store, hub, settings, place)
    fanout = Fanout(board, settings.feed.pace, text_frame)
    notifier = Notifier(store, fanout, hearing, settings.feed)
    committed: Mailbox[str, Job] = Mailbox()
    intake: Intake[Ask] = Intake(settings.writer.room)
    writer = Writer(store, hearing, committed, settings, environment, alive)
    receiver = Receiver(
        intake, hearing, settings.answer_deadline, pace=settings.access.pace, lag=settings.writer.lag
    )
    measures = Measures(hearing, fanout, receiver)
    routes = Routes(
        receiver=receiver,
        store=store,
        archive=archive,
        fanout=fanout,
        notifier=notifier,
        hearing=hearing,
        measures=measures,
        settings=settings,
        environment=environment,
        tokens=tokens,
        database=database,
        certificate=listening.certificate,
    )
    pump = Pump()
    make = partial(
        Server,
        wall=environment.wall,
        make_id=environment.new_id,
        heartbeat=Heartbeat(write=settings.feed.write_deadline, unsent=settings.feed.unsent),
        body_limit=telemetry.body_limit,
        pump=pump,
        retry_after=partial(spread, environment),
    )
    server = make(routes.handle, quick=routes.quick)
    anyone = auth.legacy(settings.legacy_appliance)
    legacy = make(partial(routes.handle, caller=anyone), quick=partial(routes.quick, caller=anyone))
    async with trio.open_nursery() as actors:
        actors.start_soon(writer.run, intake)
        actors.start_soon(fanout.run, committed)
        actors.start_soon(receiver.run)
        actors.start_soon(pump.run)
        with intake, pump:
            async with trio.open_nursery() as connections, trio.open_nursery() as sources:
                serve = partial(trio.serve_listeners, handler_nursery=connections)
                await sources.start(serve, server.serve_connection, listening.listeners)
                if listening.legacy:
                    await sources.start(serve, legacy.serve_connection, listening.legacy)
                sources.start_soon(reaper.run, store, intake, hearing, settings.reaper)
                sources.start_soon(notifier.run)
                sources.start_soon(measures.run)
                sources.start_soon(past.run, archive, board, hearing.past)
                sources.start_soon(keeper.run, archive, hearing.appliances, settings.history)
                task_status.started()
                await stopping.wait()
                routes.draining = True
                actors.cancel_scope.deadline = trio.current_time() + settings.writer.drain
                sources.cancel_scope.cancel()
                server.drain()
                legacy.drain()
                receiver.drain()
                fanout.close()


async def _first_look(
    store: Store, hub: str, settings: config.Config, place: Place | None
) -> tuple[Hearing, Board]:
    """The store's clock, and a board with the jobs that it holds. Raises SendensedError."""
    try:
        hearing = Hearing(Clock(await store.now()), hub, settings.reaper.limits, settings.reaper.mass, place)
        began = trio.current_time()
        hearing.take(await store.beat(hub, settings.reaper.gap, restart=True), began)
        position = (await store.changes(_FUTURE)).position
        active = await store.jobs(limit=_BOARD_MOST, status=ACTIVE)
        recent = await store.ended(limit=FINISHED_KEPT)
        changes = await store.changes(position)
    except StoreUnavailable as error:
        raise SendensedError(f"the database does not answer: {error}; is it running?") from error
    board = Board(position)
    board.publish(reversed([*active, *recent]), changed=position - 1)
    board.settle(position, ((row.id, row.revision, row.changed) for row in changes.rows))
    return hearing, board
