"""The main job with real processes: clients copy disks, the hub commits on real PostgreSQL, viewers watch."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
from datetime import datetime

import pytest

from tests.e2e.conftest import Hub, eventually, processes_that_name
from tests.waits import PATIENCE

MIB = 2**20
QUICK = "[reaper]\nstall_after = 4\nfail_after = 8\nperiod = 1\n"
"""Thresholds that a test can wait for, and a sender that lives does not come to on a slow machine."""


def command(*arguments: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sendensed", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_the_demo_copies_two_real_disks_and_proves_it():
    demo = command("demo", "--once", "--json", "--size", "32M", "--listen", "127.0.0.1:0")
    assert demo.returncode == 0, demo.stderr
    outcome = json.loads(demo.stdout)
    assert outcome["jobs"] == 1
    assert outcome["verified"] is True
    assert outcome["bytes_transferred"] > 24 * MIB
    assert outcome["updates"] >= 3
    assert outcome["seconds"] > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_demo_that_is_ended_leaves_nothing_behind(open_directory, number: int):
    demo = subprocess.Popen(
        [sys.executable, "-m", "sendensed", "demo", "--size", "32M", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(open_directory)},
    )
    for line in demo.stdout:
        if "transferring" in line:
            break
    [folder] = open_directory.glob("sendense-demo-*")
    demo.send_signal(number)
    demo.communicate(timeout=PATIENCE)
    assert demo.returncode in (130, 143)
    assert not folder.exists()
    assert not processes_that_name(str(folder))


def test_a_copy_of_two_disks_ends_with_the_sum_of_their_bytes_in_the_database(make_hub, disk):
    hub = make_hub()
    first, second = disk("first", 3 * MIB, hole=5 * MIB), disk("second", 2 * MIB)
    client = hub.client("backup-web 01/ü-20261123-020000", dict([first, second]))
    output, errors = client.communicate(timeout=PATIENCE)
    assert client.returncode == 0, errors
    for source, target in (first, second):
        assert source.read_bytes() == target.read_bytes()
    detail = hub.job("backup-web 01/ü-20261123-020000")
    job = detail["job"]
    assert (job["status"], job["bytes_transferred"], job["total_bytes"]) == ("completed", 5 * MIB, 5 * MIB)
    assert (job["progress_percent"], job["eta_seconds"], job["vm_name"]) == (100, 0, "web 01/ü")
    assert [disk["bytes_transferred"] for disk in job["disks"]] == [3 * MIB, 2 * MIB]
    assert sum(disk["bytes_transferred"] for disk in job["disks"]) == job["bytes_transferred"]
    assert [disk["status"] for disk in job["disks"]] == ["completed", "completed"]
    states = [event["status"] for event in detail["events"] if event["kind"] == "state"]
    assert states == ["running", "completed"]
    assert json.loads(output)["bytes_transferred"] == 5 * MIB


def test_while_a_copy_runs_an_update_comes_every_five_seconds_and_every_disk_moves(make_hub, disk):
    hub = make_hub()
    disks = dict([disk("first", 8 * MIB), disk("second", 8 * MIB)])
    watch = subprocess.Popen(
        [sys.executable, "-m", "sendensed", "watch", "--json", "--hub", hub.url], stdout=subprocess.PIPE, text=True
    )
    client = hub.client("backup-steady-1", disks, "--max-rate", "1M")
    seen = []
    try:
        for line in watch.stdout:
            seen.append(json.loads(line))
            if seen[-1]["status"] == "completed":
                break
    finally:
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=PATIENCE) == 130
        watch.stdout.close()
    client.communicate(timeout=PATIENCE)
    assert client.returncode == 0
    heard = [datetime.fromisoformat(job["last_telemetry_at"]) for job in seen]
    gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(heard)]
    assert (heard[-1] - heard[0]).total_seconds() > 10
    assert max(gaps) < 10
    for number in (0, 1):
        moved = [job["disks"][number]["bytes_transferred"] for job in seen if len(job["disks"]) == 2]
        assert moved == sorted(moved)
        assert len(set(moved)) >= 3
    percents = [job["progress_percent"] or 0 for job in seen]
    assert percents == sorted(percents)
    assert all(job["bytes_transferred"] == sum(disk["bytes_transferred"] for disk in job["disks"]) for job in seen)


def test_a_client_killed_in_mid_copy_is_stalled_then_failed_with_the_evidence(make_hub, disk):
    hub = make_hub(QUICK)
    client = hub.client("backup-killed-1", dict([disk("only", 8 * MIB)]), "--max-rate", "2M")
    eventually(
        "bytes are reported",
        lambda: (hub.job("backup-killed-1") or {"job": {"bytes_transferred": 0}})["job"]["bytes_transferred"],
    )
    client.kill()
    client.communicate(timeout=PATIENCE)
    eventually("it is failed", lambda: hub.status("backup-killed-1") == "failed")
    detail = hub.job("backup-killed-1")
    assert detail["job"]["closed_by"] == "reaper"
    silence = re.match(r"no telemetry for (\d+)s \(last heard ", detail["job"]["error_message"])
    assert int(silence[1]) >= 8  # a busy machine's reaper comes later
    assert "phase transferring" in detail["job"]["error_message"]
    said = [(event["status"], event["said_by"]) for event in detail["events"] if event["kind"] == "state"]
    assert said == [("running", "sender"), ("stalled", "reaper"), ("failed", "reaper")]


def test_a_sender_without_telemetry_fields_and_one_that_never_speaks_again_go_stale_too(make_hub):
    hub = make_hub(QUICK)
    assert hub.post("quiet")["applied"] is True
    assert hub.status("quiet") == "pending"
    eventually("it is failed", lambda: hub.status("quiet") == "failed")
    assert "no telemetry for " in hub.job("quiet")["job"]["error_message"]
    assert hub.post("quiet", status="running", bytes_transferred=7)["applied"] is True
    job = hub.job("quiet")["job"]
    assert (job["status"], job["error_message"], job["bytes_transferred"]) == ("running", None, 7)


def test_the_plain_curl_of_the_originals_documentation_is_understood(make_hub):
    hub = make_hub()
    said = {
        "job_id": "backup-pgtest1-disk0-20251010-143522",
        "job_type": "backup",
        "status": "running",
        "current_phase": "transferring",
        "bytes_transferred": 52428800,
        "total_bytes": 107374182400,
        "transfer_speed_bps": 3145728,
        "eta_seconds": 34000,
        "progress_percent": 0.05,
        "timestamp": "2026-11-23T02:14:07Z",
    }
    address = f"{hub.url}/api/v1/telemetry/backup/{said['job_id']}"
    curl = subprocess.run(
        ["curl", "-sSi", "-X", "POST", address, "-H", "Content-Type: application/json", "-d", json.dumps(said)],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    head, _, body = curl.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    answer = json.loads(body)
    assert (answer["status"], answer["message"]) == ("success", "Telemetry received and processed")
    assert hub.job(said["job_id"])["job"]["vm_name"] == "pgtest1"


def test_a_hub_killed_and_started_again_holds_what_it_acknowledged_and_takes_over_its_database(make_hub):
    hub = make_hub()
    for sequence in range(20):
        assert hub.post("kept", status="running", sequence=sequence, bytes_transferred=sequence)["applied"]
    hub.stop(signal.SIGKILL)
    [left] = hub.database_processes()
    hub.start()
    assert hub.database_processes() == [left]
    job = hub.job("kept")["job"]
    assert (job["sequence"], job["bytes_transferred"]) == (19, 19)
    assert hub.post("kept", status="completed", sequence=20)["applied"]
    assert hub.stop() == 0
    assert hub.database_processes() == []


def test_a_hub_told_to_stop_says_bye_commits_what_it_holds_and_leaves_nothing_running(make_hub, disk):
    hub = make_hub()
    client = hub.client("backup-long-1", dict([disk("only", 8 * MIB)]), "--max-rate", "1M", "--final-wait", "60")
    eventually("the hub hears of it", lambda: hub.status("backup-long-1") == "running")
    assert hub.stop() == 0
    assert hub.database_processes() == []
    hub.start()
    client.communicate(timeout=PATIENCE)
    assert client.returncode == 0
    eventually("its end arrives", lambda: hub.status("backup-long-1") == "completed")
    assert hub.job("backup-long-1")["job"]["bytes_transferred"] == 8 * MIB


def test_a_second_hub_on_the_same_state_directory_is_refused_with_a_sentence(make_hub):
    hub = make_hub()
    second = command("serve", "--open", "--listen", "127.0.0.1:0", "--state-dir", str(hub.state))
    assert second.returncode == 1
    assert "another hub uses the state directory" in second.stderr
    assert second.stderr.count("\n") == 1
    taken = command("serve", "--open", "--listen", f"127.0.0.1:{hub.port}", "--state-dir", str(hub.state))
    assert taken.returncode == 1
    assert "choose another address with --listen" in taken.stderr


def test_any_postgresql_may_hold_the_jobs(make_hub, postgres_dsn):
    hub = make_hub(database=postgres_dsn)
    hub.post("elsewhere", status="completed", bytes_transferred=5)
    assert hub.job("elsewhere")["job"]["total_bytes"] == 5
    assert hub.database_processes() == []
    assert hub.stop() == 0
    gone = command(
        "serve", "--open", "--listen", "127.0.0.1:0", "--database", "postgresql://nobody@127.0.0.1:9/none"
    )
    assert gone.returncode == 1
    assert "cannot be reached" in gone.stderr
    assert "Traceback" not in gone.stderr


def test_the_operators_commands_show_what_the_hub_holds(make_hub):
    hub = make_hub()
    empty = command("jobs", "--hub", hub.url)
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "clientd run" in empty.stderr
    hub.post("one", status="running", bytes_transferred=512, total_bytes=1024, vm_name="db \u001b[31m1")
    hub.post("two", status="failed", error="no space left")
    table = command("jobs", "--hub", hub.url)
    assert "50.0 %" in table.stdout
    assert "\u001b" not in table.stdout
    lines = command("jobs", "--hub", hub.url, "--json", "--status", "failed").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["two"]
    failed = command("watch", "two", "--hub", hub.url)
    assert failed.returncode == 4
    assert "no space left" in failed.stdout
    reader = subprocess.Popen(
        [sys.executable, "-m", "sendensed", "watch", "--json", "--hub", hub.url], stdout=subprocess.PIPE
    )
    reader.stdout.readline()
    reader.stdout.close()
    hub.post("one", status="running", bytes_transferred=600)
    hub.post("one", status="running", bytes_transferred=700)
    assert reader.wait(timeout=PATIENCE) == 0
    nothing = command("jobs", "--hub", hub.url, "--status", "cancelled")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "no job matches\n")
    unknown = command("watch", "three", "--hub", hub.url)
    assert (unknown.returncode, unknown.stdout) == (6, "")
    assert "no job has the id 'three'" in unknown.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_client_that_is_told_to_stop_reports_its_job_as_cancelled(make_hub, disk, number: int):
    hub = make_hub()
    client = hub.client("backup-stopped-1", dict([disk("only", 8 * MIB)]), "--max-rate", "1M")
    eventually("it runs", lambda: hub.status("backup-stopped-1") == "running")
    client.send_signal(number)
    client.communicate(timeout=PATIENCE)
    assert client.returncode == 128 + number
    job = hub.job("backup-stopped-1")["job"]
    assert (job["status"], job["closed_by"]) == ("cancelled", "sender")
    assert signal.Signals(number).name in job["error_message"]


def reading(hub: Hub, job_id: str) -> dict | None:
    """The job, or None while the hub cannot read its database."""
    try:
        return hub.job(job_id)["job"]
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return None


def test_a_database_killed_under_the_hub_is_started_again_and_no_sender_notices_more_than_a_pause(make_hub):
    hub = make_hub()
    assert hub.post("steady", status="running", sequence=1, bytes_transferred=1)["applied"]
    [postmaster] = hub.database_processes()
    os.kill(postmaster, signal.SIGKILL)

    def committed() -> bool:
        try:
            return hub.push("steady", status="running", sequence=2, bytes_transferred=2)["status"] == "success"
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 503
                assert 1 <= int(error.headers["Retry-After"]) <= 5
            return False

    # A backend of the killed server may still commit; from here on it is the new one.
    eventually("another server runs", lambda: hub.database_processes() not in ([], [postmaster]))
    eventually("the hub has it again", lambda: hub.get("/api/v1/health")["ready"] and committed())
    job = eventually("the job is read", lambda: reading(hub, "steady"))
    assert (job["status"], job["sequence"], job["bytes_transferred"]) == ("running", 2, 2)
    assert hub.stop() == 0
    assert hub.database_processes() == []
