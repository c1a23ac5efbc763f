"""The daemon and a real hub: what crashes, the hub's history shows; what the doctor finds well, is."""

import json
import signal
import subprocess
import sys

from tests.e2e.conftest import eventually
from tests.waits import PATIENCE

MIB = 2**20


def serve(hub, folder) -> subprocess.Popen[bytes]:
    options = ["--state-dir", folder / "client", "--socket", folder / "s", "--hub", hub.url]
    return subprocess.Popen([sys.executable, "-m", "clientd", "serve", *options], stderr=subprocess.DEVNULL)


def clientd(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clientd", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def written(folder, job_id: str, source, target, rate: str = "0"):
    path = folder / "job.toml"
    disk = f'[[disk]]\nsource = "{source}"\ntarget = "{target}"\n'
    path.write_text(f'job_id = "{job_id}"\nmax_rate = {rate}\n{disk}')
    return path


def test_a_daemon_killed_under_its_job_goes_on_and_the_hub_knows_both_attempts(make_hub, disk, tmp_path):
    hub = make_hub()
    source, target = disk("vm", 6 * MIB, 2 * MIB)
    daemon = serve(hub, tmp_path)
    try:
        job = written(tmp_path, "backup-vm", source, target, '"512K"')
        eventually("the job is taken", lambda: clientd("submit", job, "--socket", tmp_path / "s").returncode == 0)
        eventually(
            "the hub hears of bytes",
            lambda: (hub.job("backup-vm") or {"job": {"bytes_transferred": 0}})["job"]["bytes_transferred"],
        )
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(timeout=PATIENCE)
        daemon = serve(hub, tmp_path)
        eventually("the job is completed", lambda: hub.status("backup-vm") == "completed")
        job = hub.job("backup-vm")["job"]
        assert (job["attempt"], job["bytes_transferred"]) == (2, 6 * MIB)
        assert target.read_bytes() == source.read_bytes()
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=PATIENCE) == 0


def test_a_doctor_finds_all_well_with_a_hub_that_is(make_hub, disk, tmp_path):
    hub = make_hub()
    source, target = disk("vm", MIB)
    job = written(tmp_path, "backup-vm", source, target)
    said = clientd("doctor", job, "--json", "--hub", hub.url, "--state-dir", tmp_path / "client")
    findings = [json.loads(line) for line in said.stdout.splitlines()]
    assert [finding for finding in findings if finding["verdict"] != "ok"] == []
    assert said.returncode == 0
    assert {"job file", "nbdkit", "hub", "token", "clock", "state"} <= {finding["check"] for finding in findings}
    assert hub.job("backup-vm") is None
