"""Silence, rule by rule: every sentence of the contract's section on the reaper, on a frozen clock."""

from contextlib import asynccontextmanager

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from sendensed.actors import reaper
from sendensed.config import Config, Reaper
from sendensed.store import StoreUnavailable
from sendensed.store.memory import MemoryStore
from tests.fakes.stores import FaultyStore
from tests.sendensed.actors.rig import NIGHT, Rig
from tests.sendensed.actors.test_reaper import pass_time


class Hubs:
    """Hubs on one store. A hub that is `ended` is gone without a word."""

    def __init__(self, names: str, settings: Config | None = None, store: MemoryStore | None = None) -> None:
        first = Rig(settings or Config(), hub=names[0])
        self.memory = first.memory
        self.rigs = {names[0]: first}
        for name in names[1:]:
            self.rigs[name] = Rig(settings or Config(), store, first.memory, hub=name)
        self._scopes: dict[str, trio.CancelScope] = {}

    def __getitem__(self, name: str) -> Rig:
        return self.rigs[name]

    @asynccontextmanager
    async def running(self):
        async with trio.open_nursery() as nursery:
            for name in self.rigs:
                nursery.start_soon(self._run, name)
            await wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()

    async def _run(self, name: str) -> None:
        rig = self.rigs[name]
        with trio.CancelScope() as self._scopes[name]:
            async with rig.running() as nursery:
                nursery.start_soon(reaper.run, rig.store, rig.intents, rig.hearing, rig.settings.reaper)
                await trio.sleep_forever()

    def end(self, name: str) -> None:
        self._scopes[name].cancel()

    async def status(self, job_id: str) -> str:
        return (await self.memory.job(job_id))[0].status

    async def verdicts(self, job_id: str) -> list[str]:
        _, events = await self.memory.job(job_id)
        return [event.status for event in events if event.said_by == "reaper" and event.kind == "state"]


@pytest.mark.parametrize("spoken", ["pending", "running"])
async def test_no_telemetry_for_60_s_is_stalled_and_for_300_s_failed(mock_clock, spoken):
    hubs = Hubs("a")
    async with hubs.running():
        await hubs["a"].send("job", 1, status=spoken)
        await pass_time(mock_clock, 58)
        assert await hubs.status("job") == spoken
        await pass_time(mock_clock, 7)
        assert await hubs.status("job") == "stalled"
        await pass_time(mock_clock, 230)
        assert await hubs.status("job") == "stalled"
        await pass_time(mock_clock, 10)
        assert await hubs.status("job") == "failed"


async def test_all_limits_are_configuration(mock_clock):
    hubs = Hubs("a", Config(reaper=Reaper(stall_after=10, fail_after=20, unmoved_after=30)))
    async with hubs.running():
        await hubs["a"].send("still", 0, bytes_transferred=1)
        await hubs["a"].send("silent", 0)
        for sequence in range(1, 8):
            await pass_time(mock_clock, 5)
            await hubs["a"].send("still", sequence, bytes_transferred=1)
        assert await hubs.verdicts("silent") == ["stalled", "failed"]
        assert (await hubs.memory.job("still"))[0].not_moving


async def test_a_jobs_next_deadline_is_slept_to_and_not_waited_for_blindly(mock_clock):
    hubs = Hubs("a", Config(reaper=Reaper(period=300)))
    async with hubs.running():
        await hubs["a"].send("job", 1)
        await pass_time(mock_clock, 61, step=1)
        assert await hubs.status("job") == "stalled"
        await pass_time(mock_clock, 240, step=1)
        assert await hubs.status("job") == "failed"


async def test_each_hub_writes_a_beat_every_5_s_through_the_writers_own_queue(mock_clock):
    hubs = Hubs("ab")
    async with hubs.running():
        await pass_time(mock_clock, 31, step=1)
        rows = hubs["a"].hearing.pulse.hubs
        assert set(rows) == {"a", "b"}
        assert all((hubs["a"].wall() - row.beat_at).total_seconds() <= 6 for row in rows.values())
        assert all(row.healthy_since == NIGHT for row in rows.values())


async def test_a_blocked_writer_stops_the_beat_and_the_gap_restarts_healthy_since(mock_clock):
    class Stuck(MemoryStore):
        blocked = False

        async def save(self, changes):
            if self.blocked:
                await trio.sleep_forever()
            return await super().save(changes)

    rig = Rig(Config())
    store = Stuck(rig.wall)
    hubs = Hubs("a")
    hubs.rigs["a"] = Rig(Config(), store, store, hub="a")
    hubs.memory = store
    async with hubs.running():
        names = [f"job-{number}" for number in range(8)]
        for job_id in names:
            await hubs["a"].send(job_id, 1)
        store.blocked = True
        for sequence in range(2, 8):
            for job_id in names:  # every lane of the writer hangs in its commit
                hubs["a"].post(job_id, sequence)
                await wait_all_tasks_blocked()
            await pass_time(mock_clock, 5)
        assert hubs["a"].hearing.health.beat_at == 0
        assert not hubs["a"].hearing.is_ready
        store.blocked = False
        await pass_time(mock_clock, 60)
        assert hubs["a"].hearing.is_ready
        assert hubs["a"].hearing.health.healthy_since > NIGHT


async def test_a_job_is_failed_only_300_s_after_the_hub_that_heard_it_became_healthy(mock_clock):
    hubs = Hubs("ab")
    faulty = FaultyStore(hubs.memory)
    hubs.rigs["b"] = Rig(Config(), faulty, hubs.memory, hub="b")
    async with hubs.running():
        await hubs["b"].send("job", 1)
        faulty.fail("beat", StoreUnavailable("b is cut off"), times=10_000)
        await pass_time(mock_clock, 250)
        faulty.mend()
        await pass_time(mock_clock, 290)  # the job is silent for 540 s, and b healthy for less than 300 s
        assert await hubs.status("job") == "stalled"
        await pass_time(mock_clock, 20)
        assert await hubs.verdicts("job") == ["stalled", "failed"]


async def test_a_job_whose_hub_has_died_is_failed_after_15_min_of_the_judges_healthy_time(mock_clock):
    hubs = Hubs("ab")
    async with hubs.running():
        await hubs["b"].send("job", 1)
        await pass_time(mock_clock, 10)
        hubs.end("b")
        await pass_time(mock_clock, 885)
        assert await hubs.status("job") == "stalled"
        await pass_time(mock_clock, 40)
        assert await hubs.status("job") == "failed"
        _, events = await hubs.memory.job("job")
        assert "heard by hub b" in events[-1].detail


async def test_a_job_that_moves_to_another_hub_is_judged_by_that_ones_health(mock_clock):
    hubs = Hubs("ab")
    async with hubs.running():
        await hubs["b"].send("job", 1)
        hubs.end("b")
        await hubs["a"].send("job", 2)
        await pass_time(mock_clock, 310)
        assert await hubs.verdicts("job") == ["stalled", "failed"]


async def test_of_several_hubs_that_judge_one_job_at_once_one_does(mock_clock):
    hubs = Hubs("abcd")
    async with hubs.running():
        for name in "abcd":
            await hubs[name].send(f"of-{name}", 1)
        for name in "abcd":  # so that silence is nobody's mass
            await hubs[name].send(f"alive-{name}", 0)
        for sequence in range(1, 65):
            for name in "abcd":
                hubs[name].post(f"alive-{name}", sequence)
            await pass_time(mock_clock, 5)
        for name in "abcd":
            assert await hubs.verdicts(f"of-{name}") == ["stalled", "failed"]
            assert await hubs.verdicts(f"alive-{name}") == []


async def test_when_over_half_of_the_jobs_fall_silent_together_they_are_stalled_with_one_alarm_and_none_is_failed(
    mock_clock,
):
    hubs = Hubs("abc")
    with capture_logs() as logs:
        async with hubs.running():
            for number in range(4):
                await hubs["a"].send(f"silent-{number}", 1)
            for sequence in range(160):
                hubs["b"].post("alive", sequence, bytes_transferred=sequence)
                await pass_time(mock_clock, 5)
            assert [await hubs.verdicts(f"silent-{number}") for number in range(4)] == [["stalled"]] * 4
            assert await hubs.status("alive") == "running"
            [alarm] = hubs["c"].hearing.pulse.alarms
            assert (alarm.kind, alarm.detail[:29]) == ("mass_silence", "4 of 5 active jobs are silent")
    assert [line["kind"] for line in logs if line["event"] == "alarm raised"] == ["mass_silence"]


async def test_failures_are_held_back_until_the_share_falls(mock_clock):
    hubs = Hubs("ab")
    with capture_logs() as logs:
        async with hubs.running():
            for number in range(4):
                await hubs["a"].send(f"job-{number}", 1)
            await pass_time(mock_clock, 400)
            assert [await hubs.status(f"job-{number}") for number in range(4)] == ["stalled"] * 4
            for number in (0, 1):  # two of four speak again: no longer over half
                await hubs["b"].send(f"job-{number}", 2)
            await pass_time(mock_clock, 15)
            found = [await hubs.status(f"job-{number}") for number in range(4)]
            assert found == ["running", "running", "failed", "failed"]
            await pass_time(mock_clock, 5)
            assert hubs["a"].hearing.pulse.alarms == hubs["b"].hearing.pulse.alarms == ()
    assert len([line for line in logs if line["event"] == "alarm cleared"]) == 1


async def test_failures_are_held_back_for_15_min_at_most(mock_clock):
    hubs = Hubs("a")
    async with hubs.running():
        for number in range(4):
            await hubs["a"].send(f"job-{number}", 1)
        await pass_time(mock_clock, 955)
        assert await hubs.status("job-0") == "stalled"
        await pass_time(mock_clock, 20)
        assert [await hubs.verdicts(f"job-{number}") for number in range(4)] == [["stalled", "failed"]] * 4
        await pass_time(mock_clock, 10)
        assert hubs["a"].hearing.pulse.alarms == ()


async def test_a_hub_that_starts_during_the_hold_neither_lengthens_nor_repeats_it(mock_clock):
    settings = Config(reaper=Reaper(mass_hold=600))
    hubs = Hubs("ab", settings)
    with capture_logs() as logs:
        async with hubs.running():
            for number in range(3):
                await hubs["a"].send(f"job-{number}", 1)
            await pass_time(mock_clock, 400)
            hubs.end("b")
            fresh = Hubs("c", settings)
            fresh.memory = hubs.memory
            fresh.rigs["c"] = Rig(settings, None, hubs.memory, hub="c")
            async with fresh.running():
                await pass_time(mock_clock, 300)
                assert [await hubs.status(f"job-{number}") for number in range(3)] == ["failed"] * 3
    assert len([line for line in logs if line["event"] == "alarm raised"]) == 1


async def test_two_silent_jobs_are_their_own_misfortune(mock_clock):
    hubs = Hubs("a")
    async with hubs.running():
        await hubs["a"].send("one", 1)
        await hubs["a"].send("two", 1)
        await pass_time(mock_clock, 310)
        assert [await hubs.status(name) for name in ("one", "two")] == ["failed", "failed"]


async def test_newer_telemetry_revives_a_job_that_the_reaper_closed_and_both_events_stay(mock_clock):
    hubs = Hubs("ab")
    async with hubs.running():
        await hubs["a"].send("job", 1)
        await pass_time(mock_clock, 310)
        assert await hubs.status("job") == "failed"
        assert (await hubs["b"].send("job", 2)).applied
        _, events = await hubs.memory.job("job")
        said = [(event.status, event.said_by) for event in events if event.kind == "state"]
        assert said == [("running", "sender"), ("stalled", "reaper"), ("failed", "reaper"), ("running", "sender")]


async def test_a_job_that_is_heard_but_has_not_moved_for_10_min_is_shown_and_alarmed_and_not_failed(mock_clock):
    hubs = Hubs("ab")
    with capture_logs() as logs:
        async with hubs.running():
            for sequence in range(240):
                hubs["a"].post("job", sequence, bytes_transferred=7, current_phase="transferring")
                await pass_time(mock_clock, 5)
                if sequence == 118:
                    assert not (await hubs.memory.job("job"))[0].not_moving
            job, events = await hubs.memory.job("job")
            assert (job.status, job.not_moving) == ("running", True)
            [alarm] = [event for event in events if event.kind == "alarm"]
            assert alarm.detail.startswith("heard, but not moved for 10m0")
            moved = hubs["b"].post("job", 240, bytes_transferred=8)
            await wait_all_tasks_blocked()  # where b has raised the alarm, it has an old row and merges again
            await pass_time(mock_clock, 1)
            assert (await moved.wait()).applied
            assert not (await hubs.memory.job("job"))[0].not_moving
    assert [line["kind"] for line in logs if line["event"] == "verdict"] == ["alarm"]
