"""The merge, the states and the reaper's verdicts against a simpler model: two hubs on one store, in any order.

Hubs are the product's writers, with their caches, batches, guarded saves and beats, on the memory store and on
PostgreSQL. Between the steps time passes, in which one hub beats, or both, or none; hubs are lost and come back,
commits fail or succeed unnoticed.
"""

from functools import partial
from itertools import count

import pytest
import trio
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from schemas import telemetry
from sendensed.actors.asks import Beat
from sendensed.config import Config
from sendensed.core.batch import Silence
from sendensed.store import StoreUnavailable
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import Rig
from tests.simulation import ground
from tests.simulation.model import ModelHub, ModelJob

_examples = count(1)

hubs = st.integers(0, 1)
jobs = st.sampled_from("abc")
steps = st.tuples(st.sampled_from([0, 0, 0, 0, 1, -1]), st.sampled_from([1, 1, 0, 2, -1]))
"""From a job's position to an update's: attempts, and updates within one."""
statuses = st.sampled_from(["pending", "running", "running", "running", "completed", "failed", "cancelled"])
disks = st.dictionaries(st.integers(0, 2), st.integers(0, 1000), max_size=3)
ears = st.sampled_from([(0, 1), (0, 1), (0,), (1,), ()])
"""Those of the hubs that beat while time passes."""
waits = st.sampled_from([60, 240, 300])
faults = st.sampled_from([[], [], [], ["fail"], ["fail_after"], ["fail", "fail_after"]])


class Jobs(RuleBasedStateMachine):
    """Three jobs, two hubs."""

    ground: ground.Ground

    def __init__(self) -> None:
        super().__init__()
        self.mark = next(_examples)
        self.model = {name: ModelJob() for name in "abc"}
        rows = {}
        self.hubs = [ModelHub(f"hub-{self.mark}-{number}", rows) for number in (0, 1)]
        self.store = FaultyStore(self.ground.store)
        self.scopes = [trio.CancelScope(), trio.CancelScope()]
        self.rigs = [self.ground.do(self.start, number) for number in (0, 1)]

    async def start(self, number: int) -> Rig:
        """A hub that has just come up: it knows no job, and has been healthy since now."""
        self.hubs[number].beat(self.ground.now, starts=True)
        rig = Rig(Config(), self.store, self.ground.store, self.hubs[number].name)
        rig.environment.random = lambda: -1.0  # no pauses between two tries: time stands
        pulse = await self.store.beat(rig.hearing.hub, rig.settings.reaper.gap, restart=True)
        rig.hearing.clock.sync(pulse.now)
        rig.hearing.take(pulse, trio.current_time())
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
        applied = self.model[name].hear(position, status, said, self.ground.now, self.hubs[hub].name)
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
        """Whoever commits first, the greater position stands. Either may be the last that proved life."""
        positions = [self.position(name, step) for step in both]
        for position, hub in sorted(zip(positions, self.hubs, strict=True), key=lambda said: said[0]):
            self.model[name].hear(position, "running", {0: 100 * position[1]}, self.ground.now, hub.name)
        self.ground.do(self.send_both, name, positions)
        if self.model[name].heard == self.ground.now:
            stored, _ = self.ground.do(self.ground.store.job, self.id_of(name))
            self.model[name].ear = stored.heard_by

    async def send_both(self, name, positions) -> None:
        receipts = [
            self.post(hub, name, position, "running", {0: 100 * position[1]})
            for hub, position in enumerate(positions)
        ]
        for receipt in receipts:
            await receipt.wait()

    @rule(seconds=st.sampled_from([1, 15, 30, 60, 100, 240, 300, 900, 1000]), beating=ears)
    def time_passes(self, seconds, beating) -> None:
        """Who beats does so as seldom as still counts as one healthy stretch."""
        self.ground.do(self.wait, seconds, beating)

    async def wait(self, seconds, beating) -> None:
        while seconds:
            step = min(seconds, 15)
            seconds -= step
            await self.ground.wait(step)
            for hub in beating:
                self.hubs[hub].beat(self.ground.now)
                await self.beat(self.rigs[hub])

    async def beat(self, rig) -> None:
        before = rig.signs
        await rig.intents.send(Beat())
        while rig.signs == before:
            await trio.lowlevel.checkpoint()

    @rule(hub=hubs)
    def a_reaper_looks(self, hub) -> None:
        """It asks about every job, silent or not: the writer judges."""
        for job in self.model.values():
            job.fall_silent(self.ground.now, self.hubs[hub])
        self.ground.do(self.ask, hub)

    async def ask(self, hub) -> None:
        rig = self.rigs[hub]
        for name in self.model:
            await rig.intents.send(Silence(self.id_of(name)))
        await rig.post(f"last-{self.mark}", 0).wait()  # taken behind the questions, but perhaps by another lane
        while rig.writer._busy or rig.writer._held:
            await trio.lowlevel.checkpoint()

    @rule(ear=hubs, judge=hubs, name=jobs, broken=faults, deaf=st.sampled_from([0, 15, 30, 240]), well=waits)
    def a_hub_hears_a_job_and_may_miss_what_comes_next(self, ear, judge, name, broken, deaf, well) -> None:
        """What either makes of a silence that began before the one that heard the job was well again."""
        self.an_update_comes(ear, name, (0, 1), "running", {}, broken)
        self.time_passes(deaf, (1 - ear,))
        self.time_passes(well, (0, 1))
        self.a_reaper_looks(judge)

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
            assert (stored.status, stored.last_telemetry_at, stored.heard_by) == (job.state, job.heard, job.ear)
            assert {disk.index: disk.bytes_transferred for disk in stored.disks} == job.disks
            assert stored.bytes_transferred == job.bytes
            assert stored.closed_by == (job.voice if job.state in ("completed", "failed", "cancelled") else None)
            assert [(row.status, row.said_by) for row in events if row.kind == "state"] == job.history

    def teardown(self) -> None:
        for scope in self.scopes:
            self.ground.do(scope.cancel)


@pytest.mark.parametrize(("kind", "examples"), [("memory", 100), ("postgres", 12)])
def test_jobs_are_what_the_simple_model_says_whatever_happens_in_whatever_order(kind, examples, request):
    real = kind == "postgres"
    open_store = partial(ground.postgres, request.getfixturevalue("postgres_dsn")) if real else ground.memory
    with ground.Ground(open_store).open() as opened:
        machine = type("JobsHere", (Jobs,), {"ground": opened})
        run_state_machine_as_test(
            machine, settings=settings(max_examples=examples, stateful_step_count=30, phases=[Phase.generate])
        )
