"""What every Store promises to several hubs on it: beats, alarms, and who stands still."""

from datetime import timedelta

import trio

from sendensed.core.alarm import MASS_SILENCE, Alarm
from tests.fakes.jobs import EARLY, a_job
from tests.fakes.stores import saved

GAP = 15.0


async def test_a_first_beat_makes_the_hubs_row_healthy_since_now(store):
    pulse = await store.beat("a", GAP, restart=False)
    row = pulse.hubs["a"]
    assert (row.hub, row.healthy_since, row.beat_at) == ("a", pulse.now, pulse.now)
    assert (list(pulse.hubs), pulse.alarms) == (["a"], ())


async def test_further_beats_leave_the_hub_healthy_and_show_it_to_the_others(store):
    first = await store.beat("a", GAP, restart=False)
    second = await store.beat("a", GAP, restart=False)
    seen = (await store.beat("b", GAP, restart=False)).hubs["a"]
    assert seen == second.hubs["a"]
    assert (seen.healthy_since, seen.beat_at) == (first.now, second.now)


async def test_a_gap_between_beats_starts_the_health_anew_whatever_the_hub_believes(store):
    await store.beat("a", GAP, restart=False)
    await trio.sleep(0.01)
    pulse = await store.beat("a", 0.001, restart=False)
    assert pulse.hubs["a"].healthy_since == pulse.now


async def test_a_hub_that_knows_of_its_own_trouble_starts_its_health_anew(store):
    await store.beat("a", GAP, restart=False)
    pulse = await store.beat("a", GAP, restart=True)
    assert pulse.hubs["a"].healthy_since == pulse.now


async def test_of_many_hubs_that_raise_an_alarm_one_does_and_all_know_it(store):
    opened = []

    async def raise_one(hub: str) -> None:
        opened.append(await store.raise_alarm(Alarm(MASS_SILENCE, EARLY, hub, f"says {hub}")))

    async with trio.open_nursery() as nursery:
        for hub in "abcdef":
            nursery.start_soon(raise_one, hub)
    assert len(opened) == 6
    assert len(set(opened)) == 1
    assert (await store.beat("z", GAP, restart=False)).alarms == (opened[0],)


async def test_of_many_hubs_that_clear_an_alarm_one_does_and_the_next_is_another(store):
    first = await store.raise_alarm(Alarm(MASS_SILENCE, EARLY, "a", "first"))
    cleared = [await store.clear_alarm(first, EARLY + timedelta(seconds=n)) for n in range(3)]
    assert cleared == [True, False, False]
    assert (await store.beat("a", GAP, restart=False)).alarms == ()
    second = Alarm(MASS_SILENCE, EARLY + timedelta(minutes=5), "b", "second")
    assert await store.raise_alarm(second) == second
    assert await store.clear_alarm(first, EARLY) is False
    assert (await store.beat("a", GAP, restart=False)).alarms == (second,)


async def test_jobs_that_stand_still_are_running_not_yet_marked_and_come_longest_first(store):
    def at(seconds: float):
        return EARLY + timedelta(seconds=seconds)

    for name, fields in {
        "never moved": {"created_at": at(2), "status": "running"},
        "moved early": {"last_moved_at": at(1), "status": "running"},
        "moved since": {"last_moved_at": at(11), "status": "running"},
        "marked": {"last_moved_at": at(1), "status": "running", "not_moving": True},
        "waiting": {"last_moved_at": at(1), "status": "pending"},
        "silent": {"last_moved_at": at(1), "status": "stalled"},
        "done": {"last_moved_at": at(1), "status": "completed"},
    }.items():
        await saved(store, a_job(name, **fields))
    assert [job.id for job in await store.unmoved(at(10))] == ["moved early", "never moved"]
    assert await store.active() == 6
