"""Jobs: the queue takes jobs durably, begins them, survives their failures, and stops with none lost."""

import threading
from contextlib import suppress

import pytest
import trio
from msgspec.structs import replace
from trio.testing import wait_all_tasks_blocked

from clientd.actors.jobs import Jobs
from clientd.config import ServeSettings
from clientd.core.queue import Entry, Refused
from clientd.errors import SpoolUnavailable, UsageError
from tests.fakes import orders
from tests.fakes.daemon import FakeRunner, FaultyQueueStore
from tests.waits import PATIENCE

SETTINGS = ServeSettings(at_once=2, waiting=3, remembered=2, crashes=1)


def order(job_id: str):
    disk = orders.disk(source=f"/s-{job_id}", target=f"/t-{job_id}")
    return orders.order(job_id=job_id, disks=(disk,))


class Daemon:
    """Jobs over fakes; a further one over the same store is the same daemon after a restart."""

    def __init__(self, environment, store=None, runner=None, settings=SETTINGS) -> None:
        self.store = store or FaultyQueueStore()
        self.runner = runner or FakeRunner()
        self.signs: list[str] = []
        self.wrong: dict[str, str] = {}
        self.jobs = Jobs(
            self.runner.begin,
            self._check,
            self.store,
            environment=environment,
            settings=settings,
            beat=0.01,
            alive=self.signs.append,
        )

    async def _check(self, order) -> None:
        await trio.lowlevel.checkpoint()
        if order.job_id in self.wrong:
            raise UsageError(self.wrong[order.job_id])

    async def start(self, nursery) -> "Daemon":
        await self.jobs.load()
        nursery.start_soon(self.jobs.run)
        return self

    async def until(self, what) -> None:
        """Returns once it is true; the queue looks again by itself."""
        with trio.fail_after(PATIENCE):
            while not what():
                await trio.sleep(0.005)

    def states(self) -> dict[str, str]:
        return {view.job_id: view.state for view in self.jobs.listed()}

    def kept(self) -> dict[str, str]:
        return {entry.job_id: entry.state for entry in self.store.kept.values()}


@pytest.fixture
async def daemon(environment, nursery):
    return await Daemon(environment).start(nursery)


async def submitted(daemon: Daemon, *job_ids: str) -> None:
    for job_id in job_ids:
        await daemon.jobs.submit(order(job_id))


async def test_a_job_that_is_taken_is_in_the_store_before_the_answer(environment):
    daemon = Daemon(environment)
    await daemon.jobs.load()
    entry = await daemon.jobs.submit(order("a"))
    assert (entry.number, entry.state) == (1, "queued")
    assert daemon.kept() == {"a": "queued"}


async def test_two_jobs_run_at_once_and_the_third_follows(daemon):
    await submitted(daemon, "a", "b", "c")
    await daemon.until(lambda: daemon.runner.running == ["a", "b"])
    assert daemon.states() == {"a": "running", "b": "running", "c": "queued"}
    daemon.runner["a"].end("completed")
    await daemon.until(lambda: daemon.runner.running == ["b", "c"])
    assert daemon.kept() == {"a": "completed", "b": "running", "c": "running"}


async def test_one_job_s_failure_touches_no_other(daemon):
    await submitted(daemon, "a", "b")
    await daemon.until(lambda: len(daemon.runner.running) == 2)
    daemon.runner["a"].end("failed", "disk 0: ENOSPC")
    await daemon.until(lambda: daemon.kept()["a"] == "failed")
    assert daemon.runner.running == ["b"]
    shown = daemon.jobs.listed()[0]
    assert (shown.error, shown.bytes_transferred, shown.attempt) == ("disk 0: ENOSPC", 10, 1)
    assert shown.ended == "2026-11-23T02:14:07Z"


async def test_a_job_can_be_told_of_while_it_runs(daemon):
    await submitted(daemon, "a")
    await daemon.until(lambda: daemon.jobs.listed()[0].phase == "transferring")
    assert daemon.jobs.listed()[0].attempt == 1
    assert daemon.jobs.unfinished() == {"a"}


async def test_a_job_that_hangs_on_its_disks_has_ended_all_the_same(daemon):
    await submitted(daemon, "a")
    await daemon.until(lambda: daemon.runner.running == ["a"])
    daemon.runner["a"].hangs = True
    daemon.runner["a"].end("failed", "hung")
    await daemon.until(lambda: daemon.kept()["a"] == "failed")
    await submitted(daemon, "a")
    await daemon.until(lambda: daemon.runner["a"].number == 2)


async def test_a_job_that_is_there_or_wrong_or_too_much_is_refused(daemon):
    daemon.wrong["w"] = "the source '/x' cannot be read"
    await submitted(daemon, "a", "b")
    await daemon.until(lambda: len(daemon.runner.running) == 2)
    await submitted(daemon, "c", "d", "e")
    for job_id, sentence in (
        ("a", "running already"),
        ("c", "in the queue already"),
        ("f", "3 jobs wait already"),
    ):
        with pytest.raises(Refused, match=sentence):
            await submitted(daemon, job_id)
    daemon.runner["a"].end("completed")
    await daemon.until(lambda: daemon.states()["c"] == "running")
    with pytest.raises(UsageError, match="cannot be read"):
        await submitted(daemon, "w")
    assert "w" not in daemon.kept()


async def test_the_same_job_from_two_sides_at_once_is_taken_once(environment):
    daemon = Daemon(environment)
    await daemon.jobs.load()
    answers = []

    async def one() -> None:
        try:
            answers.append((await daemon.jobs.submit(order("a"))).number)
        except Refused as error:
            answers.append(error.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert sorted(answers, key=str) == [1, "duplicate"]


async def test_a_file_that_comes_again_is_the_job_that_is_there(daemon):
    first = await daemon.jobs.submit(order("a"), "file:1")
    assert (await daemon.jobs.submit(order("a"), "file:1")).number == first.number
    with pytest.raises(Refused):
        await daemon.jobs.submit(order("a"), "file:2")


async def test_what_cannot_be_kept_is_not_taken(environment, nursery):
    daemon = await Daemon(environment).start(nursery)
    daemon.store.failures = 1
    with pytest.raises(SpoolUnavailable):
        await submitted(daemon, "a")
    assert daemon.states() == daemon.kept() == {}
    with trio.fail_after(PATIENCE):
        while not daemon.states():
            with suppress(SpoolUnavailable):  # until it has found that the store works again
                await submitted(daemon, "a")
            await trio.sleep(0.005)
    assert daemon.states().keys() == {"a"}


async def test_a_store_that_fails_is_asked_once_a_look_however_many_jobs_end(environment, nursery):
    daemon = await Daemon(environment, settings=replace(SETTINGS, at_once=40, waiting=40)).start(nursery)
    names = [f"j{number}" for number in range(40)]
    await submitted(daemon, *names)
    await daemon.until(lambda: len(daemon.runner.running) == 40)
    daemon.store.failures = 1_000_000
    looks, left = len(daemon.signs), daemon.store.failures
    for name in names:
        daemon.runner[name].end("completed")
    await daemon.until(lambda: daemon.runner.running == [] and len(daemon.signs) > looks + 20)
    assert set(daemon.states().values()) == {"completed"}
    assert left - daemon.store.failures <= len(daemon.signs) - looks + 2
    with pytest.raises(SpoolUnavailable, match="ENOSPC"):
        await submitted(daemon, "further")
    daemon.store.failures = 0
    await daemon.until(lambda: set(daemon.kept().values()) == {"completed"})


async def test_what_was_kept_though_it_failed_is_taken_back(environment, nursery):
    daemon = await Daemon(environment).start(nursery)
    daemon.store.failures, daemon.store.after = 1, True
    with pytest.raises(SpoolUnavailable):
        await submitted(daemon, "a")
    await daemon.until(lambda: daemon.kept() == {})
    assert daemon.runner.begun == []


async def test_a_store_that_fails_stops_no_job_and_learns_of_it_later(environment, nursery, said):
    daemon = await Daemon(environment).start(nursery)
    await submitted(daemon, "a")
    await daemon.until(lambda: daemon.runner.running == ["a"])
    daemon.store.failures = 3
    daemon.runner["a"].end("completed")
    await daemon.until(lambda: daemon.store.failures == 0 and daemon.kept() == {"a": "completed"})
    assert [line["event"] for line in said].count("the queue cannot be saved, jobs go on without") == 1


async def test_a_store_that_cannot_be_read_keeps_the_daemon_from_starting(environment):
    daemon = Daemon(environment)
    daemon.store.failures = 1
    with pytest.raises(SpoolUnavailable):
        await daemon.jobs.load()


async def test_a_running_job_is_cancelled_with_the_operator_s_reason(daemon):
    await submitted(daemon, "a")
    await daemon.until(lambda: daemon.runner.running == ["a"])
    view = await daemon.jobs.cancel("a")
    assert (view.state, view.error) == ("running", "cancelled by an operator")
    await daemon.until(lambda: daemon.kept()["a"] == "cancelled")
    assert daemon.jobs.listed()[0].error == "cancelled by an operator"


async def test_a_waiting_job_that_never_began_is_cancelled_in_silence(daemon):
    await submitted(daemon, "a", "b", "c")
    await daemon.jobs.cancel("c")
    await daemon.until(lambda: daemon.kept()["c"] == "cancelled")
    assert {attempt.order.job_id for attempt in daemon.runner.begun} <= {"a", "b"}


async def test_a_job_that_is_not_there_cannot_be_cancelled(daemon):
    with pytest.raises(Refused, match="no job 'x' waits or runs: see clientd list") as refused:
        await daemon.jobs.cancel("x")
    assert refused.value.code == "unknown"


async def test_a_cancel_that_cannot_be_kept_is_none(daemon):
    await submitted(daemon, "a")
    await daemon.until(lambda: daemon.runner.running == ["a"])
    daemon.store.failures = 1
    with pytest.raises(SpoolUnavailable):
        await daemon.jobs.cancel("a")
    assert daemon.runner.running == ["a"]
    assert daemon.jobs.listed()[0].error is None


async def test_a_cancel_while_the_job_begins_reaches_it(environment, nursery):
    daemon = Daemon(environment)
    await daemon.jobs.load()
    await submitted(daemon, "a")
    await daemon.jobs.cancel("a")
    nursery.start_soon(daemon.jobs.run)
    await daemon.until(lambda: daemon.kept()["a"] == "cancelled")


async def test_an_order_that_has_become_wrong_fails_and_the_hub_hears_why(daemon):
    daemon.runner.fails["a"] = UsageError("the source '/s-a' cannot be read: ENOENT: check its path")
    await submitted(daemon, "a", "b")
    await daemon.until(lambda: daemon.kept()["a"] == "failed")
    assert daemon.runner["a"].told == ("failed", "the source '/s-a' cannot be read: ENOENT: check its path")
    assert daemon.runner.running == ["b"]


async def test_a_bug_in_a_job_ends_the_daemon_and_is_not_hidden(environment):
    daemon = Daemon(environment)
    await daemon.jobs.load()
    daemon.runner.fails["a"] = KeyError("bug")
    await submitted(daemon, "a")
    with pytest.raises(ExceptionGroup) as raised:
        await daemon.jobs.run()
    assert raised.group_contains(KeyError)
    assert daemon.kept() == {"a": "running"}


async def test_ended_jobs_are_forgotten_beyond_those_remembered(daemon):
    for job_id in ("a", "b", "c"):
        await submitted(daemon, job_id)
        await daemon.until(lambda job_id=job_id: daemon.runner.running == [job_id])
        daemon.runner[job_id].end("completed")
        await daemon.until(lambda job_id=job_id: daemon.kept()[job_id] == "completed")
    await daemon.until(lambda: len(daemon.kept()) == 2)
    assert len(daemon.jobs.listed()) == 2


async def test_a_stop_lets_jobs_wait_for_the_next_start(environment):
    daemon = Daemon(environment)
    async with trio.open_nursery() as nursery:
        await daemon.start(nursery)
        await submitted(daemon, "a", "b", "c")
        await daemon.until(lambda: len(daemon.runner.running) == 2)
        daemon.jobs.stop()
        with pytest.raises(Refused, match="clientd is stopping") as refused:
            await submitted(daemon, "d")
        assert refused.value.code == "stopping"
    assert daemon.kept() == {"a": "queued", "b": "queued", "c": "queued"}
    assert daemon.runner["a"].cancelled
    async with trio.open_nursery() as nursery:
        again = await Daemon(environment, daemon.store, daemon.runner).start(nursery)
        await again.until(lambda: again.runner.running == ["a", "b"])
        assert [again.runner[job_id].number for job_id in ("a", "b")] == [2, 2]
        assert [entry.crashes for entry in again.store.kept.values()] == [0, 0, 0]
        nursery.cancel_scope.cancel()


async def test_a_job_that_ends_while_the_daemon_stops_has_ended(environment):
    daemon = Daemon(environment)
    async with trio.open_nursery() as nursery:
        await daemon.start(nursery)
        await submitted(daemon, "a")
        await daemon.until(lambda: daemon.runner.running == ["a"])
        daemon.runner["a"].hangs = True
        daemon.runner["a"].end("completed")
        daemon.jobs.stop()
    assert daemon.kept() == {"a": "completed"}


async def test_a_hard_cancel_leaves_jobs_as_after_a_crash(environment):
    daemon = Daemon(environment)
    async with trio.open_nursery() as nursery:
        await daemon.start(nursery)
        await submitted(daemon, "a")
        await daemon.until(lambda: daemon.kept() == {"a": "running"})
        nursery.cancel_scope.cancel()
    assert daemon.kept() == {"a": "running"}


@pytest.fixture
def crashed(environment):
    """A store as a killed daemon leaves it: `a` ran, `b` was cancelled while it ran, `c` waits."""
    store = FaultyQueueStore()
    for entry in (
        Entry(number=1, order=order("a")).begun(1),
        Entry(number=2, order=order("b")).begun(1).to_end("cancelled", "cancelled by an operator"),
        Entry(number=3, order=order("c")),
    ):
        store.save(entry)
    return store


async def test_after_a_crash_jobs_go_on_in_their_next_attempt(environment, nursery, crashed):
    runner = FakeRunner()
    await runner.begin(order("a"))
    daemon = await Daemon(environment, crashed, runner).start(nursery)
    await daemon.until(lambda: daemon.runner.running == ["a", "c"])
    assert daemon.runner["a"].number == 2
    await daemon.until(lambda: daemon.kept() == {"a": "running", "b": "cancelled", "c": "running"})
    assert daemon.runner["b"].told == ("cancelled", "cancelled by an operator")
    assert daemon.store.kept[1].crashes == 1


async def test_a_job_that_crashed_too_often_fails_and_the_hub_hears_it(environment, nursery, crashed):
    crashed.save(replace(crashed.kept[1], crashes=1))
    daemon = await Daemon(environment, crashed).start(nursery)
    await daemon.until(lambda: daemon.kept()["a"] == "failed")
    status, error = daemon.runner["a"].told
    assert (status, error) == ("failed", "interrupted: clientd ended while it ran, 2 times in a row")


async def test_without_resuming_interrupted_jobs_fail_and_others_run(environment, nursery, crashed):
    settings = replace(SETTINGS, resume=False)
    daemon = await Daemon(environment, crashed, settings=settings).start(nursery)
    await daemon.until(lambda: daemon.kept() == {"a": "failed", "b": "cancelled", "c": "running"})
    assert daemon.runner["a"].told[0] == "failed"
    assert daemon.runner["a"].told[1].startswith("interrupted: ")


async def test_signs_of_life_come_from_the_queue_and_stop_with_it(environment):
    daemon = Daemon(environment)
    async with trio.open_nursery() as nursery:
        await daemon.start(nursery)
        await submitted(daemon, "a", "b", "c")
        await daemon.until(lambda: daemon.signs[-1:] == ["2 running, 1 waiting"])
        seen = len(daemon.signs)
        await daemon.until(lambda: len(daemon.signs) > seen + 2)
        daemon.jobs.stop()
    ended = len(daemon.signs)
    await wait_all_tasks_blocked()
    assert len(daemon.signs) == ended


async def test_a_store_that_hangs_holds_up_an_answer_and_no_job(environment, nursery):
    release = threading.Event()
    daemon = Daemon(environment, settings=replace(SETTINGS, store_answer=0.05))
    await daemon.start(nursery)
    await submitted(daemon, "a")
    await daemon.until(lambda: daemon.runner.running == ["a"])
    save = daemon.store.save
    daemon.store.save = lambda entry: (release.wait(30), save(entry))[1]
    with pytest.raises(SpoolUnavailable, match=r"no answer within 0\.05 s"):
        await submitted(daemon, "b")
    daemon.runner["a"].end("completed")
    await daemon.until(lambda: daemon.runner.running == [])
    release.set()
    await daemon.until(lambda: daemon.kept() == {"a": "completed"})
