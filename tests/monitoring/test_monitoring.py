"""Monitoring: the scrape, the alert rules and the dashboard, held against Prometheus' own tools."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from sendensed.core.gauges import Gauges
from sendensed.core.tally import counters
from sendensed.net import metrics
from sendensed.scoreboard import Scoreboard
from sendensed.store import StoreUnavailable
from sendensed.store.memory_archive import MemoryArchive
from tests.sendensed.test_routes import Hub
from tests.waits import PATIENCE

SHIPPED = Path(__file__).parents[2] / "deploy/monitoring"
RULES_TEST = Path(__file__).with_name("alerts_test.yml")


def promtool(*arguments: str, given: bytes = b"", folder: Path | None = None) -> str:
    """Runs promtool; returns what it says. It must be content."""
    done = subprocess.run(["promtool", *arguments], input=given, cwd=folder, capture_output=True, timeout=PATIENCE)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


async def scrape(hub: Hub, accept: str = "") -> bytes:
    answer = await hub.ask("GET", "/metrics", **({"accept": accept} if accept else {}))
    assert answer.status == 200
    return answer.body


async def busy(hub: Hub) -> None:
    """A run completed, one running, one of a machine with a strange name."""
    for number, name in enumerate(["web", 'a "b"\\ü', ""]):
        await hub.rig.send(f"job-{number}", 1, vm_name=name, bytes_transferred=1000)
        await hub.rig.send(f"job-{number}", 2, vm_name=name, bytes_transferred=5000)
    await hub.rig.send("job-0", 3, status="completed", bytes_transferred=5000)
    await hub.rig.send("job-1", 3, status="completed", bytes_transferred=5000)


async def test_promtool_takes_the_scrape_of_a_hub_at_rest_and_at_work(autojump_clock):
    hub = Hub()
    assert not promtool("check", "metrics", given=await scrape(hub))
    async with hub.rig.running():
        await busy(hub)
        assert not promtool("check", "metrics", given=await scrape(hub))


async def test_the_scrape_tells_what_happened(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await busy(hub)
        text = (await scrape(hub, "application/openmetrics-text; version=1.0.0")).decode()
        found = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    assert found["sendensed_jobs", ("state", "running")] == 1
    assert found["sendensed_jobs_ended_24h", ("state", "completed")] == 2
    assert found["sendensed_copied_bytes_total",] == 15_000
    assert found["sendensed_state_changes_total", ("said_by", "sender"), ("state", "completed")] == 2
    assert found["sendensed_telemetry_delay_seconds_count",] == 8
    assert found["sendensed_batched_jobs_total",] == 8
    assert found["sendensed_ready",] == 1
    success = found["sendensed_machine_last_success_timestamp_seconds", ("machine", 'a "b"\\ü')]
    assert success == hub.rig.wall().timestamp()
    assert not [name for name, *labels in found if any("job" in label for label, _ in labels)]


async def test_the_scrape_says_how_many_machines_it_leaves_out(autojump_clock, monkeypatch):
    hub = Hub()
    async with hub.rig.running():
        await busy(hub)
        assert b"\nsendensed_machines_left_out 0\n" in await scrape(hub)
        monkeypatch.setattr(metrics, "MACHINES", 1)
        text = await scrape(hub)
    assert b"\nsendensed_machines_left_out 1\n" in text
    assert text.count(b"\nsendensed_machine_last_success_timestamp_seconds{") == 1


async def test_with_several_workers_sums_have_no_label_and_how_each_stands_has_its_number(autojump_clock):
    hub, board = Hub(), Scoreboard(3)
    other = Gauges(0.0)
    other.answered(0.0, [0.5])
    board.place(3).count(counters(other))
    hub.rig.hearing.place = board.place(2)
    async with hub.rig.running():
        await busy(hub)
        text = await scrape(hub)
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in plain_families(text.decode())
        for sample in family.samples
    }
    assert told["sendensed_telemetry_delay_seconds_count",] == 8 + 1
    assert told["sendensed_viewers",] == 0
    assert [told["sendensed_ready", number] for number in "123"] == [0, 1, 0]
    assert [told["sendensed_queue_limit", number] for number in "123"] == [0, 4096, 0]
    assert not promtool("check", "metrics", given=text)


async def test_a_hub_whose_database_is_away_still_tells_of_itself(autojump_clock, monkeypatch):
    async def away(archive: MemoryArchive):
        raise StoreUnavailable("away")

    monkeypatch.setattr(MemoryArchive, "summary", away)
    names = {family.name for family in plain_families((await scrape(Hub())).decode())}
    assert "sendensed_ready" in names
    assert "sendensed_jobs" not in names


def test_promtool_takes_the_alert_rules_and_they_fire_when_they_should(tmp_path):
    assert "8 rules found" in promtool("check", "rules", str(SHIPPED / "alerts.yml"))
    for file in (SHIPPED / "alerts.yml", RULES_TEST):
        shutil.copy(file, tmp_path)
    assert "SUCCESS" in promtool("test", "rules", RULES_TEST.name, folder=tmp_path)


async def test_rules_and_dashboard_ask_only_for_metrics_that_there_are(autojump_clock):
    hub = Hub()
    async with hub.rig.running():
        await busy(hub)
        text = (await scrape(hub)).decode()
    told = {sample.name for family in plain_families(text) for sample in family.samples}
    dashboard = json.loads((SHIPPED / "dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) > 10
    asked = set(re.findall(r"sendensed_\w+", " ".join(expressions) + (SHIPPED / "alerts.yml").read_text()))
    assert asked
    assert asked <= told


def test_promtool_takes_every_expression_of_the_dashboard(tmp_path):
    dashboard = json.loads((SHIPPED / "dashboard.json").read_text())
    rules = [
        {
            "record": f"panel:{panel['id']}:{target['refId']}",
            "expr": target["expr"].replace("$__rate_interval", "5m"),
        }
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]
    file = tmp_path / "dashboard.yml"  # JSON is YAML
    file.write_bytes(msgspec.json.encode({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))
