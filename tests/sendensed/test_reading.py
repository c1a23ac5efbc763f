"""Reading: pages, charts, machines, appliances and the summary, over the hub's own addresses."""

from urllib.parse import quote

import msgspec
import pytest
import trio

from schemas.fault import Invalid
from schemas.job import JobDetail, JobList
from schemas.reading import ApplianceList, Calendar, DiskBytes, MachineDetail, MachineList, Samples, Summary
from schemas.telemetry import Disk
from tests.sendensed.test_routes import Hub

MIB = 2**20


async def got(hub: Hub, target: str, kind):
    answer = await hub.ask("GET", target)
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=kind)


async def test_the_list_is_walked_by_its_next_in_either_direction(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for number in range(5):
            await trio.sleep(1)
            await hub.rig.send(f"job-{number}", 1)
        for order, expected in (("desc", "43210"), ("asc", "01234")):
            walked, address = "", f"/api/v1/jobs?limit=2&order={order}"
            while True:
                page = await got(hub, address, JobList)
                walked += "".join(job.id[-1] for job in page.jobs)
                if page.next is None:
                    break
                address = f"/api/v1/jobs?limit=2&order={order}&cursor={page.next}"
            assert walked == expected


async def test_the_list_is_chosen_by_machine_text_and_time(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await hub.rig.send("backup-1", 1, vm_name="Größe/01", bytes_transferred=5)
        await trio.sleep(60)
        await hub.rig.send("restore-2", 1, vm_name="web", bytes_transferred=9)

        async def ids(query: str) -> list[str]:
            return [job.id for job in (await got(hub, f"/api/v1/jobs?{query}", JobList)).jobs]

        assert await ids(f"machine={quote('Größe/01')}") == ["backup-1"]
        assert await ids("q=STORE") == ["restore-2"]
        assert await ids("q=WEB") == ["restore-2"]
        assert await ids("from=2026-11-23T02:00:30Z") == ["restore-2"]
        assert await ids("to=2026-11-23T03:00:30%2B01:00") == ["backup-1"]
        assert await ids("sort=bytes") == ["restore-2", "backup-1"]
        assert await ids("appliance=none") == []
        assert await ids("unheard=of") == ["restore-2", "backup-1"]


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("/api/v1/jobs?sort=name", "sort"),
        ("/api/v1/jobs?order=up", "order"),
        ("/api/v1/jobs?cursor=x", "cursor"),
        ("/api/v1/jobs?from=yesterday", "from"),
        ("/api/v1/jobs?from=2026-11-23T02:00:30", "from"),
        ("/api/v1/jobs?q=%00", "q"),
        ("/api/v1/jobs?machine=" + 201 * "x", "machine"),
        ("/api/v1/jobs/a/samples?points=1", "points"),
        ("/api/v1/machines?limit=201", "limit"),
        ("/api/v1/machines?cursor=x", "cursor"),
        ("/api/v1/calendar?from=today", "from"),
        ("/api/v1/calendar?from=2026-11-24&to=2026-11-23", "from"),
        ("/api/v1/calendar?to=9999-12-31", "to"),
        ("/api/v1/calendar?zone=Europe", "zone"),
        ("/api/v1/calendar?zone=Europe/Nowhere", "zone"),
        ("/api/v1/calendar?zone=../../../etc/passwd", "zone"),
        ("/api/v1/calendar?zone=%00", "zone"),
        ("/api/v1/calendar?zone=", "zone"),
    ],
)
async def test_a_query_outside_the_contract_is_refused_naming_the_parameter(autojump_clock, target, field):
    hub = Hub()
    async with hub.rig.running():
        await hub.rig.send("a", 1)
        with pytest.raises(Invalid) as caught:
            await hub.ask("GET", target)
    assert (caught.value.field, caught.value.message.startswith(f"{field}: ")) == (field, True)


async def run(hub: Hub, job_id: str, seconds: int, pause: int = 0, **fields) -> None:
    """A run of `seconds`, heard every 5 s; at half of it a pause."""
    for moment in range(0, seconds + 1, 5):
        if moment == seconds // 2 // 5 * 5:
            await trio.sleep(pause)
        last = moment == seconds
        await hub.rig.send(
            job_id,
            moment + 1,
            bytes_transferred=moment * MIB,
            total_bytes=seconds * MIB,
            status="completed" if last else "running",
            **fields,
        )
        await trio.sleep(5)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/api/v1/jobs?status=running,done", "pending, running, stalled, completed, failed, cancelled"),
        ("/api/v1/jobs?order=up", "desc, asc"),
    ],
)
async def test_a_word_that_a_parameter_does_not_take_is_refused_with_those_that_it_does(
    autojump_clock, target, words
):
    with pytest.raises(Invalid, match=f"; it may be one of: {words}$"):
        await Hub().ask("GET", target)


async def test_a_chart_has_points_gaps_and_an_unknown_job_none(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await run(hub, "backup-a b", 100, pause=60)
        chart = await got(hub, "/api/v1/jobs/backup-a%20b/samples?points=1000", Samples)
        assert (chart.job_id, chart.step_seconds, len(chart.samples)) == ("backup-a b", 5, 21)
        [gap] = chart.gaps
        assert ((gap.end - gap.start).total_seconds(), gap.cause) == (65, "silent")
        few = await got(hub, "/api/v1/jobs/backup-a%20b/samples?points=4", Samples)
        assert len(few.samples) <= 5
        assert few.gaps == chart.gaps
        assert few.samples[-1] == chart.samples[-1] or few.samples[-1].at == chart.samples[-1].at
        assert await hub.refused("GET", "/api/v1/jobs/none/samples") == (404, "not_found")


async def test_a_chart_tells_the_disks_to_those_who_ask(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        disks = (Disk(0, 5, status="running"), Disk(1, 6, status="running"))
        await hub.rig.send("a", 1, status="running", disks=disks)
        asked = await got(hub, "/api/v1/jobs/a/samples?disks=true", Samples)
        plain = await got(hub, "/api/v1/jobs/a/samples", Samples)
    assert [one.disks for one in asked.samples] == [(DiskBytes(0, 5), DiskBytes(1, 6))]
    assert [one.disks for one in plain.samples] == [None]


async def test_a_job_tells_what_was_predicted_and_what_came_and_how_good_that_usually_is(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for number in range(5):
            await run(hub, f"backup-{number}", 400, vm_name="web")
        detail = await got(hub, "/api/v1/jobs/backup-4", JobDetail)
        assert detail.job.event_count == len(detail.events) == 2
        assert [one.percent for one in detail.predictions] == [25, 50, 75]
        for one in detail.predictions:
            assert one.low_seconds <= one.actual_seconds <= one.high_seconds
            assert one.predicted_seconds == pytest.approx(one.actual_seconds, rel=0.1)
        assert (detail.accuracy.of, detail.accuracy.runs) == ("machine", 5)
        assert detail.accuracy.within_percent < 10
        await hub.rig.send("other", 1)
        assert (await got(hub, "/api/v1/jobs/other", JobDetail)).accuracy.of == "all"


async def test_a_running_job_has_a_range_and_its_basis_and_loses_both_at_its_end(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for moment in range(0, 60, 5):
            await hub.rig.send("a", moment + 1, bytes_transferred=moment * MIB, total_bytes=200 * MIB)
            await trio.sleep(5)
        [job] = (await got(hub, "/api/v1/jobs", JobList)).jobs
        assert job.eta_low_seconds < job.eta_seconds < job.eta_high_seconds
        assert job.eta_basis == "run"
        summary = await got(hub, "/api/v1/summary", Summary)
        assert (summary.running, summary.without_estimate) == (1, 0)
        assert summary.finish_low_at < summary.finish_high_at
        await hub.rig.send("a", 999, status="completed")
        [job] = (await got(hub, "/api/v1/jobs", JobList)).jobs
        assert (job.eta_seconds, job.eta_low_seconds, job.eta_high_seconds, job.eta_basis) == (0, None, None, None)
        summary = await got(hub, "/api/v1/summary", Summary)
        assert (summary.running, summary.completed_24h, summary.finish_high_at) == (0, 1, None)


async def test_machines_are_named_in_any_script_and_walked_by_name(autojump_clock):
    hub = Hub()
    names = ["a b", "web/01", "Größe %2F", "数据库", "🦀"]
    async with hub.rig.running():
        for number, name in enumerate(names):
            await hub.rig.send(f"job-{number}", 1, vm_name=name)
            await hub.rig.send(f"job-{number}", 2, status="completed", bytes_transferred=number + 1)
        walked, address = [], "/api/v1/machines?limit=2"
        while True:
            page = await got(hub, address, MachineList)
            walked += [machine.name for machine in page.machines]
            if page.next is None:
                break
            address = f"/api/v1/machines?limit=2&cursor={page.next}"
        assert walked == sorted(names, key=str.encode)
        for number, name in enumerate(names):
            found = await got(hub, f"/api/v1/machines/{quote(name, safe='')}", MachineDetail)
            assert (found.machine.name, found.machine.last_bytes) == (name, number + 1)
            assert (found.machine.success_percent, len(found.runs), found.active) == (100.0, 1, ())
        for nobody in ("nobody", "%00", ""):
            assert await hub.refused("GET", f"/api/v1/machines/{nobody}") == (404, "not_found")


async def test_the_runs_of_a_machine_are_walked_newest_first_and_its_active_one_stands_apart(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        for number in range(3):
            await hub.rig.send(f"job-{number}", 1, vm_name="web", status="completed" if number < 2 else "running")
            await trio.sleep(1)
        first = await got(hub, "/api/v1/machines/web?limit=2", MachineDetail)
        assert [job.id for job in first.active] == ["job-2"]
        assert [job.id for job in first.runs] == ["job-2", "job-1"]
        rest = await got(hub, f"/api/v1/machines/web?limit=2&cursor={first.next}", MachineDetail)
        assert ([job.id for job in rest.runs], rest.next) == (["job-0"], None)


async def test_the_calendar_has_the_days_of_the_readers_zone_and_is_walked_by_name(autojump_clock):
    hub = Hub()
    names = ["a b", "web/01", "数据库"]
    async with hub.rig.running():
        for number, name in enumerate(names):
            await hub.rig.send(f"job-{number}", 1, vm_name=name, status="failed" if number else "completed")
        utc = await got(hub, "/api/v1/calendar", Calendar)
        assert (str(utc.first_day), str(utc.last_day), utc.zone) == ("2026-11-10", "2026-11-23", "UTC")
        assert [machine.name for machine in utc.machines] == names
        [day] = utc.machines[1].days
        assert (str(day.day), day.failed, day.last_id) == ("2026-11-23", 1, "job-1")
        west = await got(hub, "/api/v1/calendar?zone=America/Los_Angeles", Calendar)
        assert (str(west.today), str(west.machines[0].days[0].day)) == ("2026-11-22", "2026-11-22")
        before = await got(hub, "/api/v1/calendar?to=2026-11-22", Calendar)
        assert [(machine.name, machine.days) for machine in before.machines] == [(name, ()) for name in names]
        first = await got(hub, "/api/v1/calendar?limit=2", Calendar)
        rest = await got(hub, f"/api/v1/calendar?limit=2&cursor={first.next}", Calendar)
        assert ([machine.name for machine in rest.machines], rest.next) == (names[2:], None)


async def test_appliances_are_shown_with_what_their_telemetry_told(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await hub.rig.send("a", 1, sender="clientd/1.2", age=30.0, timestamp=hub.rig.wall())
        await hub.rig.archive.note(hub.rig.hearing.appliances.news())
        [one] = (await got(hub, "/api/v1/appliances", ApplianceList)).appliances
        assert (one.name, one.version, one.active) == ("clientd", "1.2", 1)
        assert (one.spool_depth, one.spool_age_seconds, one.clock_skew_seconds) == (1, 30, 30)
