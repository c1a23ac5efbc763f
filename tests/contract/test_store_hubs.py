"""What every Store promises to several hubs on it: beats, alarms, and who stands still."""

from datetime import timedelta

import trio
from msgspec.structs import replace

from sendensed.core.alarm import MASS_SILENCE, Alarm
from sendensed.core.health import HubBeat
from sendensed.store import Change, StoreUnavailable, bridge
from sendensed.store.postgres import PostgresStore
from tests.contract.test_clock_steps import put_beat
from tests.fakes.jobs import EARLY, a_job
from tests.fakes.stores import saved
from tests.waits import PATIENCE

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


async def test_a_hub_that_has_been_gone_for_a_day_is_forgotten_and_the_others_are_not(store):
    now = (await store.beat("a", GAP, restart=False)).now
    for hub, hours in (("gone", 25), ("silent", 23)):
        await store.beat(hub, GAP, restart=False)
        await put_beat(store, HubBeat(hub, now, now - timedelta(hours=hours)))
    await store.beat("a", GAP, restart=False)
    assert set((await store.beat("a", GAP, restart=False)).hubs) == {"a", "silent"}


async def test_a_hub_that_comes_back_after_a_day_is_healthy_since_now(store):
    now = (await store.beat("a", GAP, restart=False)).now
    await put_beat(store, HubBeat("a", now, now - timedelta(hours=25)))
    pulse = await store.beat("a", GAP, restart=False)
    assert pulse.hubs == {"a": HubBeat("a", pulse.now, pulse.now)}
    assert (await store.beat("b", GAP, restart=False)).hubs["a"] == pulse.hubs["a"]


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


async def test_a_job_stands_still_since_it_last_moved_however_often_it_is_heard(store):
    def at(seconds: float):
        return EARLY + timedelta(seconds=seconds)

    job = await saved(store, a_job(status="running", created_at=at(0)))
    for heard, moved in [(0, 0), (5, 5), (10, 5), (33, 5), (34, 34), (40, 5), (45, 40), (80, 40), (115, 115)]:
        after = replace(job, last_telemetry_at=at(heard), last_moved_at=at(moved))
        await store.save([Change(after, job)])
        job = replace(after, revision=after.revision + 1)
        assert await store.unmoved(at(moved)) == []
        assert await store.unmoved(at(moved + 1)) == [job]


async def test_what_was_committed_since_a_position_is_told_once_the_position_has_gone_by(store):
    start = (await store.changes(0)).position
    first = await saved(store, a_job("first", status="running"))
    second = await saved(store, a_job("second", status="running"))
    changes = await store.changes(start)
    assert {(row.id, row.revision) for row in changes.rows} == {("first", 1), ("second", 1)}
    assert all(start <= row.changed < changes.position for row in changes.rows)
    assert (await store.changes(changes.position)).rows == ()
    await store.save([Change(replace(first, status="completed", completed_at=EARLY), first)])
    later = await store.changes(changes.position)
    assert [(row.id, row.revision) for row in later.rows] == [("first", 2)]
    await store.save([Change(second, second)])
    assert {row.id for row in (await store.changes(changes.position)).rows} == {"first", "second"}


async def test_of_the_jobs_that_ended_the_first_so_many_are_told(store):
    start = (await store.changes(0)).position
    await saved(store, a_job("running", status="running"))
    for name in "cab":
        await saved(store, a_job(name, status="failed", completed_at=EARLY))
    assert [row.id for row in (await store.changes(start, 2)).rows] == ["running", "c", "a"]


async def test_a_revived_job_is_told_as_one_that_runs(store):
    job = await saved(store, a_job("a", status="failed", completed_at=EARLY))
    position = (await store.changes(0)).position
    await store.save([Change(replace(job, status="running", completed_at=None), job)])
    assert [(row.id, row.revision) for row in (await store.changes(position)).rows] == [("a", 2)]


async def test_a_hint_reaches_who_listens(store):
    heard = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.hints, heard.set)
        with trio.fail_after(PATIENCE):
            while not heard.is_set():
                await store.hint()
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()


async def test_a_commit_that_is_late_holds_the_position_back_until_it_can_be_seen(postgres_dsn):
    async with bridge.open_pool(postgres_dsn) as pool:
        store = PostgresStore(pool)
        late, early = await saved(store, a_job("late")), await saved(store, a_job("early"))
        start = (await store.changes(0)).position
        async with pool.connection() as slow:
            await slow.execute("BEGIN")
            await slow.execute(
                "UPDATE backup_jobs SET revision = 2, changed = pg_current_xact_id() WHERE id = 'late'"
            )
            await store.save([Change(early, early)])  # a later number, committed first
            meanwhile = await store.changes(start)
            assert [row.id for row in meanwhile.rows] == ["early"]
            await slow.execute("COMMIT")
        assert meanwhile.position <= meanwhile.rows[0].changed
        assert "late" in [row.id for row in (await store.changes(meanwhile.position)).rows]
        assert late.revision == 1


async def test_positions_that_another_servers_dump_brought_along_are_told_to_nobody(postgres_dsn):
    async with bridge.open_pool(postgres_dsn) as pool:
        store = PostgresStore(pool)
        await saved(store, a_job("active", status="running"))
        await saved(store, a_job("ended", status="failed", completed_at=EARLY))
        beyond = (await store.changes(0)).position + 1_000_000
        for column, job_id in (("changed", "active"), ("ended_in", "ended")):
            await pool.execute(f"UPDATE backup_jobs SET {column} = '{beyond}' WHERE id = '{job_id}'")
        assert (await store.changes(0)).rows == ()


async def test_a_connection_that_listens_and_is_cut_says_so(postgres_dsn):
    async with bridge.open_pool(postgres_dsn) as pool:
        store = PostgresStore(pool)
        outcome: list[StoreUnavailable] = []

        async def listen() -> None:
            try:
                await store.hints(lambda: None)
            except StoreUnavailable as error:
                outcome.append(error)

        cut = """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE query LIKE 'LISTEN%' AND datname = current_database()"""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            with trio.fail_after(PATIENCE):
                while not await pool.fetchval(cut):
                    await trio.sleep(0.02)
        assert outcome
        assert await store.active() == 0
