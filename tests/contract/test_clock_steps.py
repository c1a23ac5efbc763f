"""A clock step, of the store or between it and the hub, starts the hub's health anew: on every Store."""

from datetime import timedelta

import pytest
import trio
import trio.lowlevel

from sendensed.actors.asks import Beat
from sendensed.config import Config
from sendensed.core.health import HubBeat
from sendensed.store.postgres import PostgresStore
from tests.sendensed.actors.rig import Rig

GAP = 15.0


async def test_a_clock_that_steps_back_starts_the_health_anew(store):
    first = await store.beat("a", GAP, restart=False)
    ahead = first.now + timedelta(seconds=10)
    await put_beat(store, HubBeat("a", first.now, ahead))
    pulse = await store.beat("a", GAP, restart=False)
    row = pulse.hubs["a"]
    assert (row.healthy_since, row.beat_at) == (pulse.now, pulse.now)
    assert pulse.now < ahead


async def put_beat(store, row: HubBeat) -> None:
    """The hub's row as a beat by another clock left it."""
    if isinstance(store, PostgresStore):
        await store._pool.execute("UPDATE hubs SET beat_at = $2 WHERE id = $1", row.hub, row.beat_at)
    else:
        store._hubs[row.hub] = row


@pytest.mark.parametrize(("step", "is_anew"), [(6, True), (-6, True), (4, False), (-4, False)])
async def test_a_beat_that_finds_the_stores_clock_stepped_starts_the_health_anew(
    mock_clock, store, step: float, is_anew: bool
):
    """By more than 5 s against the hub's own clock, while the store itself finds nothing wrong with the beat."""
    rig = Rig(Config(), store, store)
    async with rig.running():
        before = rig.hearing.health.healthy_since
        rig.hearing.clock.sync(rig.hearing.clock.now() - timedelta(seconds=step))
        await beaten(rig)
        assert (rig.hearing.health.healthy_since > before) == is_anew


async def test_a_hub_whose_own_clock_tells_a_gap_starts_its_health_anew(mock_clock, store):
    """The store's clock, which stood still meanwhile, tells none: to the store the beat is in time."""
    rig = Rig(Config(), store, store)
    async with rig.running():
        before = rig.hearing.health.healthy_since
        now = rig.hearing.clock.now()
        mock_clock.jump(16)
        rig.hearing.clock.sync(now)
        assert not rig.hearing.is_ready
        await beaten(rig)
        assert rig.hearing.is_ready
        assert rig.hearing.health.healthy_since > before


async def beaten(rig: Rig) -> None:
    """One beat through the writer's queue; returns when the writer is done with it."""
    await rig.intents.send(Beat())
    while not rig.signs:
        await trio.lowlevel.checkpoint()
