"""Fan-out, viewer, mailbox, receiver: from a commit to what a viewer reads."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
import trio
from msgspec.structs import replace
from trio.testing import wait_all_tasks_blocked

from schemas import fault, feed
from schemas.telemetry import Acknowledgement
from sendensed.actors import receiver, viewer
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.clock import Clock
from sendensed.config import Config, Writer
from sendensed.core.board import Board
from sendensed.core.model import Job
from sendensed.core.view import Filter
from sendensed.mailbox import Mailbox
from sendensed.receipt import Receipt
from tests.sendensed.actors.rig import NIGHT, Rig

SETTINGS = Config().feed


class Gone(Exception):
    """The connection is gone."""


class Wire:
    """A viewer's websocket: what it got, in order. With `stuck` it takes no bytes."""

    def __init__(self) -> None:
        self.frames: list[feed.Frame] = []
        self.closed: int | None = None
        self.stuck = False
        self.direct = 0
        self.hung_up = trio.Event()

    async def receive(self) -> str:
        await self.hung_up.wait()
        raise Gone

    async def send(self, payload: bytes) -> None:
        if self.stuck:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        self.frames.append(feed.decode(payload))

    def try_send(self, frame: bytes) -> bool:
        if not self.stuck:
            self.frames.append(feed.decode(frame))
            self.direct += 1
        return not self.stuck

    async def close(self, code: int, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        self.closed = code

    def of(self, kind: type) -> list:
        return [frame for frame in self.frames if isinstance(frame, kind)]


class Stage:
    """A fan-out with its mailbox, and viewers on demand."""

    def __init__(self, nursery: trio.Nursery, sequence: int = 1_000) -> None:
        self.nursery = nursery
        self.hearing = Hearing(Clock(NIGHT))
        self.fanout = Fanout(Board(sequence), SETTINGS.pace)
        self.committed: Mailbox[str, Job] = Mailbox()
        self.kept: list[Job] = []
        self.gone: list[Job] | None = []
        self.refreshed = 0
        nursery.start_soon(self.fanout.run, self.committed)

    def watch(self, wanted: Filter | None = None, since: int | None = None) -> Wire:
        wire = Wire()
        self.nursery.start_soon(
            viewer.run, wire, self.fanout, wanted or Filter(), since, self.hearing, "hub-1", SETTINGS, self
        )
        return wire

    async def refresh(self) -> None:
        await trio.lowlevel.checkpoint()
        self.refreshed += 1

    async def left(self, since: int) -> list[Job] | None:
        await trio.lowlevel.checkpoint()
        return self.gone

    async def look_up(self, job_ids: list[str]) -> list[Job]:
        await trio.lowlevel.checkpoint()
        return [one for one in self.kept if one.id in job_ids]

    async def commit(self, *jobs: Job) -> None:
        self.committed.put({job.id: job for job in jobs})
        await wait_all_tasks_blocked()

    def settle(self, *jobs: Job) -> int:
        """The store's word that these jobs were committed last, and nothing else is under way."""
        position = self.fanout.board.sequence
        self.fanout.settle(position + 1, [(job.id, job.revision, position) for job in jobs])
        return position + 1


def job(job_id: str = "a", revision: int = 1, **fields: object) -> Job:
    known = {"job_type": "backup", "created_at": NIGHT, "last_telemetry_at": NIGHT, "status": "running"}
    return Job(id=job_id, revision=revision, **{**known, **fields})


async def test_a_viewer_gets_hello_and_a_snapshot_then_what_is_committed(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        await stage.commit(job("a"))
        wire = stage.watch()
        await wait_all_tasks_blocked()
        hello, snapshot, tick = wire.frames
        assert hello == feed.Hello(hub="hub-1", heartbeat=5.0)
        assert ([seen.id for seen in snapshot.jobs], snapshot.sequence) == (["a"], 1_000)
        assert (tick.time, tick.ready) == (NIGHT, True)
        mock_clock.jump(1)
        await stage.commit(job("a", 2, status="completed"))
        [changes] = wire.of(feed.Changes)
        assert [(seen.id, seen.status) for seen in changes.jobs] == [("a", "completed")]
        assert wire.direct == 1
        nursery.cancel_scope.cancel()


async def test_ticks_come_every_heartbeat_with_the_hubs_time(mock_clock):
    async with trio.open_nursery() as nursery:
        wire = Stage(nursery).watch()
        for _ in range(4):
            await wait_all_tasks_blocked()
            mock_clock.jump(5)
        await wait_all_tasks_blocked()
        ticks = wire.of(feed.Tick)
        assert [tick.time for tick in ticks] == [NIGHT + timedelta(seconds=5 * n) for n in range(5)]
        assert [tick.ready for tick in ticks] == [True, True, True, True, False]
        nursery.cancel_scope.cancel()


async def test_rounds_keep_their_pace_and_skip_what_came_between(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        wire = stage.watch()
        await wait_all_tasks_blocked()
        for revision in range(1, 10):
            await stage.commit(job("a", revision))
        mock_clock.jump(SETTINGS.pace)
        await wait_all_tasks_blocked()
        assert [[seen.revision for seen in frame.jobs] for frame in wire.of(feed.Changes)] == [[1], [9]]
        nursery.cancel_scope.cancel()


async def test_a_viewer_sees_only_what_it_asked_for_and_the_state_that_leaves_it(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        wire = stage.watch(Filter(statuses=frozenset({"running"})))
        for revision, status in ((1, "running"), (2, "completed"), (3, "completed")):
            mock_clock.jump(1)
            await wait_all_tasks_blocked()
            await stage.commit(job("a", revision, status=status), job("b", revision, status="failed"))
        seen = [[(one.id, one.status) for one in frame.jobs] for frame in wire.of(feed.Changes)]
        assert seen == [[("a", "running")], [("a", "completed")]]
        nursery.cancel_scope.cancel()


async def test_a_viewer_that_comes_back_gets_only_what_it_missed(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        await stage.commit(job("a"), job("b"))
        mark = stage.settle(job("a"), job("b"))
        mock_clock.jump(1)
        await stage.commit(job("b", 2, status="completed"))
        early = stage.watch(since=mark)
        await wait_all_tasks_blocked()
        late = stage.settle(job("b", 2))
        wire, idle = stage.watch(since=mark), stage.watch(since=late)
        await wait_all_tasks_blocked()
        for seen in (early, wire):
            assert [[one.id for one in frame.jobs] for frame in seen.of(feed.Changes)] == [["b"]]
            assert seen.of(feed.Snapshot) == []
        assert [(frame.sequence, frame.jobs) for frame in idle.of(feed.Changes)] == [(late, ())]
        assert stage.refreshed == 3
        nursery.cancel_scope.cancel()


async def test_a_viewer_of_running_jobs_that_comes_back_learns_that_one_has_ended(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        await stage.commit(job("a"), job("b"))
        mark = stage.settle(job("a"), job("b"))
        mock_clock.jump(1)
        await stage.commit(job("b", 2, status="completed"))
        stage.settle(job("b", 2))
        wire = stage.watch(Filter(statuses=frozenset({"running"})), since=mark)
        await wait_all_tasks_blocked()
        [missed] = wire.of(feed.Changes)
        assert [(one.id, one.status) for one in missed.jobs] == [("b", "completed")]
        nursery.cancel_scope.cancel()


async def test_a_lost_position_is_answered_with_resync_and_a_snapshot(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        wire = stage.watch(since=2_000)  # of another database, or of one that was set back
        await wait_all_tasks_blocked()
        assert [type(frame) for frame in wire.frames[:3]] == [feed.Hello, feed.Resync, feed.Snapshot]
        nursery.cancel_scope.cancel()


async def test_a_viewer_that_does_not_read_is_closed_after_the_write_deadline_and_slows_nobody(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        slow, quick = stage.watch(), stage.watch()
        await wait_all_tasks_blocked()
        slow.stuck = True
        for revision in range(1, 30):
            mock_clock.jump(0.5)
            await wait_all_tasks_blocked()
            await stage.commit(job("a", revision))
        assert quick.of(feed.Changes)[-1].jobs[0].revision == 29
        assert slow.closed == viewer.TRY_AGAIN_LATER
        assert stage.fanout.viewers == 1
        nursery.cancel_scope.cancel()


async def test_a_viewer_that_hangs_up_is_forgotten(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        wire = Wire()
        with pytest.RaisesGroup(Gone, flatten_subgroups=True):
            async with trio.open_nursery() as inner:
                watching = (wire, stage.fanout, Filter(), None, stage.hearing, "hub-1", SETTINGS, stage)
                inner.start_soon(viewer.run, *watching)
                await wait_all_tasks_blocked()
                assert stage.fanout.viewers == 1
                wire.hung_up.set()
        assert stage.fanout.viewers == 0
        nursery.cancel_scope.cancel()


async def test_at_the_hubs_end_every_viewer_gets_what_is_left_then_bye(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        wire = stage.watch()
        await wait_all_tasks_blocked()
        stage.committed.put({"a": job("a", 7, status="completed")})
        stage.committed.close()
        await wait_all_tasks_blocked()
        mock_clock.jump(1)
        await wait_all_tasks_blocked()
        assert [type(frame) for frame in wire.frames[-2:]] == [feed.Changes, feed.Bye]
        assert wire.closed == viewer.GOING_AWAY


async def test_a_mailbox_keeps_the_newest_of_each_key(autojump_clock):
    box: Mailbox[str, int] = Mailbox()
    box.put({"a": 1, "b": 1})
    box.put({"a": 2})
    box.put({})
    assert await box.take() == {"a": 2, "b": 1}
    with trio.move_on_after(1) as scope:
        await box.take()
    assert scope.cancelled_caught
    box.put({"c": 3})
    box.close()
    assert len(box) == 1
    assert await box.take() == {"c": 3}
    with pytest.raises(trio.EndOfChannel):
        await box.take()


async def test_a_receipt_is_settled_once_and_may_be_settled_before_anybody_waits(autojump_clock):
    receipt = Receipt()
    first, second = Acknowledgement(), Acknowledgement(applied=False)
    receipt.settle(first)
    receipt.settle(second)
    assert await receipt.wait() is first


async def test_a_receipt_given_up_may_still_be_settled(autojump_clock):
    receipt = Receipt()
    with trio.move_on_after(1):
        await receipt.wait()
    receipt.settle(Acknowledgement())
    assert (await receipt.wait()).applied


async def test_the_receiver_waits_for_the_commit(autojump_clock):
    rig = Rig(Config())
    door = receiver.Receiver(rig.intents, rig.hearing, 8.5)
    async with rig.running():
        answer = await door.accept("backup", "a", b'{"status":"running","sequence":1}')
        assert answer.applied
        assert (await rig.stored("a")).status == "running"


async def test_a_body_outside_the_contract_is_refused_before_anything_is_queued(autojump_clock):
    rig = Rig(Config())
    door = receiver.Receiver(rig.intents, rig.hearing, 8.5)
    with pytest.raises(fault.Invalid):
        await door.accept("backup", "a", b'{"bytes_transferred":-1}')
    with pytest.raises(trio.WouldBlock):
        rig.inbox.receive_nowait()


async def test_a_full_queue_a_slow_commit_and_a_stopping_hub_are_refused_with_503(autojump_clock):
    rig = Rig(Config(writer=Writer(queue=1)))
    door = receiver.Receiver(rig.intents, rig.hearing, 8.5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.run)
        before = trio.current_time()
        assert await door.accept("backup", "a", b"{}") == receiver.SLOW
        assert 8.5 <= trio.current_time() - before < 9
        door.drain()
    assert await door.accept("backup", "a", b"{}") == receiver.FULL
    rig.intents.close()
    assert await door.accept("backup", "a", b"{}") == receiver.DRAINING
    assert {refusal.status for refusal in (receiver.SLOW, receiver.FULL, receiver.DRAINING)} == {503}


async def test_only_those_who_have_waited_too_long_are_told_so(autojump_clock):
    rig = Rig(Config())
    door = receiver.Receiver(rig.intents, rig.hearing, 8.5)
    told: dict[str, object] = {}

    async def wait(job_id: str) -> None:
        told[job_id] = await door.accept("backup", job_id, b"{}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.run)
        nursery.start_soon(wait, "first")
        await trio.sleep(5)
        nursery.start_soon(wait, "second")
        await trio.sleep(4)
        assert told == {"first": receiver.SLOW}
        door.drain()
        with rig.intents:
            nursery.start_soon(rig.writer.run, rig.inbox)
    assert told["second"].applied


async def test_a_clock_follows_the_store_and_tells_its_steps(mock_clock):
    clock = Clock(NIGHT)
    mock_clock.jump(10)
    assert clock.now() == NIGHT + timedelta(seconds=10)
    assert clock.sync(NIGHT + timedelta(seconds=13)) == pytest.approx(3)
    mock_clock.jump(1)
    assert clock.now() == NIGHT + timedelta(seconds=14)


async def test_a_clock_writes_its_time_out_once_a_second_and_anew_when_the_store_steps(mock_clock):
    clock = Clock(NIGHT + timedelta(milliseconds=400))
    first = clock.stamp()
    assert first == "2026-11-23T02:00:00Z"
    mock_clock.jump(0.5)
    assert clock.stamp() is first
    mock_clock.jump(0.2)
    assert clock.stamp() == "2026-11-23T02:00:01Z"
    clock.sync(NIGHT + timedelta(seconds=30))
    assert clock.stamp() == "2026-11-23T02:00:30Z"


def test_an_old_revision_offered_again_is_not_news():
    board = Board(0)
    board.publish([job("a", 2)])
    assert board.publish([replace(job("a"), revision=1)]) == {}


def test_a_frame_is_made_once_for_all_viewers_of_a_filter():
    wrapped: list[bytes] = []

    def wrap(message: bytes) -> bytes:
        wrapped.append(bytes(bytearray(message)))
        return wrapped[-1]

    fanout = Fanout(Board(0), SETTINGS.pace, wrap)
    got: list[tuple[int, bytes]] = []
    with ExitStack() as watching:
        for number in range(100):
            ids = frozenset({"ab"[number % 2]})
            seen = watching.enter_context(fanout.viewer(Filter(ids=ids)))
            seen.direct = lambda frame, kind=number % 2: got.append((kind, frame)) is None
        fanout.publish([job("a"), job("b")])
    assert (len(got), len(wrapped)) == (100, 2)
    for kind in (0, 1):
        assert len({id(frame) for one, frame in got if one == kind}) == 1


def test_a_snapshot_is_made_once_for_all_who_ask_before_the_next_change():
    fanout = Fanout(Board(0), SETTINGS.pace)
    running = frozenset({"running"})
    fanout.publish([job("a")])
    first = fanout.snapshot(Filter(statuses=running))
    assert fanout.snapshot(Filter(statuses=frozenset(running | {"running"}))) is first
    assert fanout.snapshot(Filter(ids=frozenset({"b"}))) is not first
    fanout.publish([job("b")])
    second = fanout.snapshot(Filter(statuses=running))
    assert [one.id for one in feed.decode(second).jobs] == ["a", "b"]
    fanout.settle(7, [])
    assert feed.decode(fanout.snapshot(Filter(statuses=running))).sequence == 7


async def test_what_a_snapshot_holds_is_not_sent_again_and_sequences_never_go_back(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        wire = stage.watch()
        stage.committed.put({"a": job("a")})
        await wait_all_tasks_blocked()
        mock_clock.jump(1)
        await stage.commit(job("b"))
        sequences = [frame.sequence for frame in wire.frames if isinstance(frame, feed.Snapshot | feed.Changes)]
        assert sequences == sorted(sequences)
        shown = [
            one.id
            for frame in wire.frames
            if isinstance(frame, feed.Snapshot | feed.Changes)
            for one in frame.jobs
        ]
        assert shown == ["a", "b"]
        nursery.cancel_scope.cancel()


async def test_a_job_asked_for_by_id_is_shown_though_it_left_the_board_long_ago(mock_clock):
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        await stage.commit(job("new"))
        stage.kept = [
            job("old", status="completed"),
            job("other", status="completed"),
            job("new", status="pending"),
        ]
        wire = stage.watch(Filter(ids=frozenset({"old", "new"})))
        await wait_all_tasks_blocked()
        [snapshot] = wire.of(feed.Snapshot)
        assert {(one.id, one.status) for one in snapshot.jobs} == {("old", "completed"), ("new", "running")}
        nursery.cancel_scope.cancel()
