"""Several hubs' writers on one PostgreSQL: verdicts fall once, beats and alarms are shared."""

from contextlib import asynccontextmanager

import trio

from sendensed.actors import reaper
from sendensed.config import Config, Reaper
from sendensed.store import bridge
from sendensed.store.postgres import PostgresStore
from tests.sendensed.actors.rig import Rig
from tests.waits import PATIENCE

QUICK = Config(reaper=Reaper(stall_after=1, fail_after=4, period=0.2, beat=0.2, mass_hold=5))
"""So far apart that a reaper that gets no time of the machine does not pass over the first."""


@asynccontextmanager
async def three_hubs(dsn: str):
    """Three hubs, each with its reaper, on one database."""
    async with bridge.open_pool(dsn, max_size=8) as pool, trio.open_nursery() as nursery:
        store = PostgresStore(pool)
        rigs = [Rig(QUICK, store, store, hub=name) for name in "abc"]
        for rig in rigs:
            nursery.start_soon(serve, rig)
        yield rigs
        nursery.cancel_scope.cancel()


async def serve(rig: Rig) -> None:
    async with rig.running():
        await reaper.run(rig.store, rig.intents, rig.hearing, rig.settings.reaper)


async def until(look) -> None:
    """Looks until the answer is true."""
    with trio.fail_after(PATIENCE):
        while not await look():
            await trio.sleep(0.05)


async def told(rig: Rig, job_id: str) -> list[str]:
    found = await rig.store.job(job_id)
    return [event.status for event in found[1] if event.said_by == "reaper" and event.kind == "state"]


async def test_three_hubs_judge_each_silent_job_once(postgres_dsn):
    async with three_hubs(postgres_dsn) as hubs:
        names = ["one", "two"]
        for name in names:
            await hubs[0].send(name, 1, total_bytes=10, bytes_transferred=5)

        async def all_failed() -> bool:
            return all([(await hubs[1].stored(name)).status == "failed" for name in names])

        await until(all_failed)
        for name in names:
            assert await told(hubs[2], name) == ["stalled", "failed"]


async def test_mass_silence_is_alarmed_once_for_all_hubs_and_ends_with_the_hold(postgres_dsn):
    async with three_hubs(postgres_dsn) as hubs:
        names = [f"job-{number}" for number in range(5)]
        for name in names:
            await hubs[0].send(name, 1)

        async def all_know() -> bool:
            return all(rig.hearing.pulse.alarms for rig in hubs)

        await until(all_know)
        assert len({rig.hearing.pulse.alarms for rig in hubs}) == 1

        async def all_failed() -> bool:
            return all([await told(hubs[0], name) == ["stalled", "failed"] for name in names])

        await until(all_failed)

        async def all_calm() -> bool:
            return not any(rig.hearing.pulse.alarms for rig in hubs)

        await until(all_calm)
