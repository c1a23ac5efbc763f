"""The merge, the states and the reaper's verdicts against a simpler model: two hubs on one store, in any order.

Hubs are the product's writers, with their caches, batches and guarded saves, on the memory store and on
PostgreSQL. Between the steps time passes, hubs are lost and come back, commits fail or succeed unnoticed.
"""

import threading
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count

import pytest
import trio
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from schemas import telemetry
from sendensed.config import Config
from sendensed.core.batch import Silence
from sendensed.store import StoreUnavailable
from tests.contract.conftest import memory_store, postgres_store
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import NIGHT, Rig
from tests.simulation.model import ModelJob

_examples = count(1)

hubs = st.integers(0, 1)
jobs = st.sampled_from("abc")
steps = st.tuples(st.sampled_from([0, 0, 0, 0, 1, -1]), st.sampled_from([1, 1, 0, 2, -1]))
"""From a job's position to an update's: attempts, and updates within one."""
statuses = st.sampled_from(["pending", "running", "running", "running", "completed", "failed", "cancelled"])
disks = st.dictionaries(st.integers(0, 2), st.integers(0, 1000), max_size=3)
faults = st.sampled_from([[], [], [], ["fail"], ["fail_after"], ["fail", "fail_after"]])


class Hands:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.time = NIGHT

    def now(self) -> datetime:
        return self.time


class Ground:
    """A trio run in a thread of its own, with a store open in it: where the steps of a machine take place."""

    def __init__(self, open_store) -> None:
        self._open_store = open_store
        self._ready: Future = Future()

    @contextmanager
    def open(self):
        thread = threading.Thread(target=trio.run, args=(self._main,))
        thread.start()
        try:
            self._token = self._ready.result()
            yield self
        finally:
            self.do(self._stop.set)
            thread.join()

    async def _main(self) -> None:
        async with self._open_store() as self.store, trio.open_nursery() as self.nursery:
            self._stop = trio.Event()
            self._ready.set_result(trio.lowlevel.current_trio_token())
            await self._stop.wait()
            self.nursery.cancel_scope.cancel()

    def do(self, work, *arguments):
        """Runs it there, and returns what it returns."""
        run = trio.from_thread.run if trio_coloured(work) else trio.from_thread.run_sync
        return run(work, *arguments, trio_token=self._token)


def trio_coloured(work) -> bool:
    while isinstance(work, partial):
        work = work.func
    return bool(work.__code__.co_flags & 0x80)


class Jobs(RuleBasedStateMachine):
    """Three jobs, two hubs."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.mark = next(_examples)
        self.clock = Hands()
        self.model = {name: ModelJob() for name in "abc"}
        self.store = FaultyStore(self.ground.store)
        self.scopes = [trio.CancelScope(), trio.CancelScope()]
        self.rigs = [self.ground.do(self.start, number) for number in (0, 1)]

    async def start(self, number: int) -> Rig:
        """A hub that has just come up: it knows no job, and has been healthy since now."""
        rig = Rig(Config(), self.store, self.ground.store)
        rig.environment.random = lambda: -0.99  # pauses between two tries shrink to next to nothing
        rig.hearing.clock = self.clock
        rig.hearing.health = replace(rig.hearing.health, healthy_since=self.clock.now())
        self.scopes[number] = trio.CancelScope()
        self.ground.nursery.start_soon(self.run, rig, self.scopes[number])
        return rig

    async def run(self, rig: Rig, scope: trio.CancelScope) -> None:
        with scope:
            await rig.writer.run(rig.inbox)

    def id_of(self, name: str) -> str:
        return f"job-{self.mark}-{name}"

    @rule(hub=hubs, name=jobs, step=steps, status=statuses, said=disks, broken=faults)
    def an_update_comes(self, hub, name, step, status, said, broken) -> None:
        """An applied update may meet commits that fail, before or after they have landed."""
        position = self.position(name, step)
        before = (self.model[name].position, self.model[name].state)
        applied = self.model[name].hear(position, status, said, self.clock.now())
        if (self.model[name].position, self.model[name].state) != before:
            for how in broken:
                getattr(self.store, how)("save", StoreUnavailable("the connection was lost"))
        answer = self.ground.do(self.send, hub, name, position, status, said)
        self.store.mend()
        assert answer.applied == applied

    async def send(self, hub, name, position, status, said):
        return await self.post(hub, name, position, status, said).wait()

    def post(self, hub, name, position, status, said):
        told = tuple(telemetry.Disk(index, done) for index, done in sorted(said.items()))
        attempt, sequence = position
        return self.rigs[hub].post(self.id_of(name), sequence, status=status, attempt=attempt, disks=told)

    def position(self, name, step) -> tuple[int, int]:
        attempt, sequence = self.model[name].position
        return max(1, attempt + step[0]), max(0, sequence + step[1])

    @rule(name=jobs, both=st.tuples(steps, steps).filter(lambda both: both[0][0] == both[1][0]))
    def two_hubs_hear_of_a_job_at_once(self, name, both) -> None:
        """Whoever commits first, the greater position stands."""
        positions = [self.position(name, step) for step in both]
        for position in sorted(positions):
            self.model[name].hear(position, "running", {0: 100 * position[1]}, self.clock.now())
        self.ground.do(self.send_both, name, positions)

    async def send_both(self, name, positions) -> None:
        receipts = [
            self.post(hub, name, position, "running", {0: 100 * position[1]})
            for hub, position in enumerate(positions)
        ]
        for receipt in receipts:
            await receipt.wait()

    @rule(seconds=st.sampled_from([1, 30, 59, 60, 100, 250, 300, 1000]))
    def time_passes(self, seconds) -> None:
        self.clock.time += timedelta(seconds=seconds)

    @rule(hub=hubs)
    def a_reaper_looks(self, hub) -> None:
        """It asks about every job, silent or not: the writer judges."""
        healthy_since = self.rigs[hub].hearing.health.healthy_since
        for job in self.model.values():
            job.fall_silent(self.clock.now(), healthy_since)
        self.ground.do(self.ask, hub)

    async def ask(self, hub) -> None:
        rig = self.rigs[hub]
        for name in self.model:
            await rig.intents.send(Silence(self.id_of(name)))
        done = rig.post(f"last-{self.mark}", 0)  # behind the questions, and so are their answers
        await done.wait()
        await trio.testing.wait_all_tasks_blocked()

    @rule(hub=hubs)
    def a_hub_is_lost_and_another_comes(self, hub) -> None:
        self.ground.do(self.scopes[hub].cancel)
        self.rigs[hub] = self.ground.do(self.start, hub)

    @invariant()
    def the_store_holds_what_the_model_says(self) -> None:
        for name, job in self.model.items():
            found = self.ground.do(self.ground.store.job, self.id_of(name))
            if found is None:
                assert job.heard is None
                continue
            stored, events = found
            assert (stored.attempt, stored.sequence) == job.position
            assert (stored.status, stored.last_telemetry_at) == (job.state, job.heard)
            assert {disk.index: disk.bytes_transferred for disk in stored.disks} == job.disks
            assert stored.bytes_transferred == job.bytes
            assert stored.closed_by == (job.voice if job.state in ("completed", "failed", "cancelled") else None)
            assert [(row.status, row.said_by) for row in events if row.kind == "state"] == job.history

    def teardown(self) -> None:
        for scope in self.scopes:
            self.ground.do(scope.cancel)


@pytest.mark.parametrize(("kind", "examples"), [("memory", 200), ("postgres", 40)])
def test_jobs_are_what_the_simple_model_says_whatever_happens_in_whatever_order(kind, examples, request):
    real = kind == "postgres"
    open_store = partial(postgres_store, request.getfixturevalue("postgres_dsn")) if real else memory_store
    with Ground(open_store).open() as ground:
        machine = type("JobsHere", (Jobs,), {"ground": ground})
        run_state_machine_as_test(
            machine, settings=settings(max_examples=examples, stateful_step_count=30, phases=[Phase.generate])
        )
