"""Told: that each part of what is read is the true one, and not one that happens to be like it."""

import json
from datetime import timedelta

import msgspec
import trio

from schemas import __version__
from schemas.job import JobList
from schemas.reading import ApplianceList, Health, Samples
from tests.sendensed.actors.rig import NIGHT
from tests.sendensed.test_reading import got
from tests.sendensed.test_routes import Hub

MIB = 2**20


async def test_jobs_are_of_the_kind_and_in_the_order_asked_for(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for job_id, job_type, done in (("a", "backup", 5), ("b", "restore", 9), ("c", "backup", 1)):
            await hub.rig.send(job_id, 1, job_type=job_type, bytes_transferred=done)
            await trio.sleep(1)

        async def ids(query: str) -> str:
            return "".join(job.id for job in (await got(hub, f"/api/v1/jobs?{query}", JobList)).jobs)

        assert await ids("") == "cba"
        assert await ids("type=backup") == "ca"
        assert await ids("sort=bytes") == "bac"
        assert await ids("sort=bytes&order=asc&type=backup") == "ca"
        first = await got(hub, "/api/v1/jobs?sort=bytes&limit=1", JobList)
        assert await ids(f"sort=bytes&cursor={first.next}") == "ac"


async def test_a_point_of_a_chart_has_its_time_bytes_speed_and_phase(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for number in range(7):
            phase = "transferring" if number < 5 else "verifying"
            await hub.rig.send("a", number, bytes_transferred=number * 50 * MIB, current_phase=phase)
            await trio.sleep(5)
        chart = await got(hub, "/api/v1/jobs/a/samples?points=1000", Samples)
    assert [one.at for one in chart.samples] == [NIGHT + timedelta(seconds=5 * number) for number in range(7)]
    assert [one.bytes_transferred for one in chart.samples] == [number * 50 * MIB for number in range(7)]
    assert {one.current_phase for one in chart.samples[:5]} == {"transferring"}
    assert {one.current_phase for one in chart.samples[5:]} == {"verifying"}
    assert chart.samples[4].transfer_speed_bps == 10 * MIB


async def test_a_gap_in_which_no_hub_could_hear_says_so(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await hub.rig.send("a", 1)
        await hub.rig.archive.note([])
        await trio.sleep(100)
        await hub.rig.archive.note([])
        await hub.rig.send("a", 2)
        [gap] = (await got(hub, "/api/v1/jobs/a/samples?points=1000", Samples)).gaps
    assert (gap.cause, gap.start, gap.end) == ("hub_away", NIGHT, NIGHT + timedelta(seconds=100))


async def test_an_appliance_was_heard_when_it_was_and_has_its_own_active_jobs(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await hub.rig.send("a", 1, sender="east/1.2")
        await trio.sleep(10)
        for job_id in ("b", "c"):
            await hub.rig.send(job_id, 1, sender="west/2")
        await hub.rig.send("a", 2, sender="east/1.2", status="completed")
        await trio.sleep(10)
        await hub.rig.archive.note(hub.rig.hearing.appliances.news())
        east, west = (await got(hub, "/api/v1/appliances", ApplianceList)).appliances
    assert (east.name, east.active, west.name, west.active) == ("east", 0, "west", 2)
    assert east.last_heard_at == west.last_heard_at == NIGHT + timedelta(seconds=10)


class Certificate:
    """One that is over soon."""

    def warnings(self, now) -> tuple[str, ...]:
        return (f"expires soon after {now:%H:%M}",)


async def test_a_hubs_health_tells_who_it_is_what_time_it_has_and_what_will_go_wrong(autojump_clock):
    hub = Hub()
    await trio.sleep(10)
    health = await got(hub, "/api/v1/health", Health)
    assert (health.hub, health.version, health.workers, health.warnings) == ("hub", __version__, 1, ())
    assert health.time == NIGHT + timedelta(seconds=10)
    hub.rig.hearing.is_refusing = True
    [warning] = (await got(hub, "/api/v1/health", Health)).warnings
    assert "more telemetry comes in than the hub can take" in warning
    guarded = Hub(certificate=Certificate())
    assert (await got(guarded, "/api/v1/health", Health)).warnings == ("expires soon after 02:00",)


async def test_what_the_hub_does_not_know_is_null_and_not_a_number(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await hub.rig.send("a", 1, vm_name="web")
        answer = await hub.ask("GET", "/api/v1/machines/web")
    told = json.loads(answer.body)["machine"]
    unknown = ("success_percent", "mean_bytes", "mean_seconds", "last_bytes", "last_success_at", "within_percent")
    assert {name for name, value in told.items() if value is None} == set(unknown)
    assert msgspec.json.decode(answer.body)["runs"][0]["completed_at"] is None
