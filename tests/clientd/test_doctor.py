"""Doctor: the real command, with real disks, a fake hub and a real one."""

import json
import os
import subprocess
import sys

import pytest
import trio

from tests.fakes.hub import HttpHub, Reply
from tests.waits import PATIENCE

MIB = 2**20
HEALTH = {"live": True, "version": "1.0", "ready": True, "reasons": [], "warnings": []}


async def examined(folder, *arguments: str) -> tuple[int, dict[str, dict]]:
    command = [
        sys.executable,
        "-m",
        "clientd",
        "doctor",
        "--json",
        "--state-dir",
        str(folder / "state"),
        *arguments,
    ]
    with trio.fail_after(PATIENCE):
        said = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert b"Traceback" not in said.stderr, said.stderr
    return said.returncode, {each["check"]: each for each in map(json.loads, said.stdout.splitlines())}


def verdicts(found: dict[str, dict]) -> dict[str, str]:
    return {check: finding["verdict"] for check, finding in found.items()}


@pytest.fixture
async def hub(nursery):
    return await HttpHub.start(nursery)


def replies(hub, push: int = 200, status: int = 200, **changed: object) -> None:
    hub.replies.append(Reply(status, json.dumps({**HEALTH, **changed}).encode()))
    hub.replies.append(Reply(push, b'{"results":[]}'))


def job(folder, target: str = "copy", **disk: str):
    text = "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in {"source": "source", **disk}.items() if value
    )
    (folder / "source").write_bytes(os.urandom(MIB))
    (folder / "job.toml").write_text(f'job_id = "backup-x"\n[[disk]]\ntarget = "{target}"\n{text}')
    return str(folder / "job.toml")


async def test_a_machine_that_is_well_exits_0_and_nothing_is_touched(hub, tmp_path):
    replies(hub)
    token = tmp_path / "token"
    token.write_text("sd1_x")
    token.chmod(0o600)
    code, found = await examined(tmp_path, job(tmp_path), "--hub", hub.url, "--token-file", str(token))
    assert verdicts(found) == {
        "job file": "ok",
        "nbdkit": "ok",
        "hub": "ok",
        "token": "ok",
        "clock": "warning",
        "state": "ok",
        "disk[0].source": "ok",
        "disk[0].target": "ok",
    }
    assert code == 1  # the hub told no time
    assert not (tmp_path / "copy").exists()
    assert "authorization: Bearer sd1_x" in hub.heads[0]
    assert hub.paths == ["/api/v1/health", "/api/v1/telemetry"]


async def test_a_hub_that_is_away_is_named_and_the_rest_is_looked_at(tmp_path):
    code, found = await examined(tmp_path, "--hub", "http://127.0.0.1:9")
    assert code == 1
    assert verdicts(found) == {"nbdkit": "ok", "hub": "wrong", "state": "ok"}
    assert "http://127.0.0.1:9 does not answer" in found["hub"]["sentence"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_refused_is_said(hub, tmp_path, status):
    replies(hub, push=status)
    token = tmp_path / "token"
    token.write_text("sd1_x")
    token.chmod(0o600)
    _, found = await examined(tmp_path, "--hub", hub.url, "--token-file", str(token))
    assert found["token"]["verdict"] == "wrong"
    assert found["token"]["sentence"].startswith(f"token refused ({status})")


async def test_a_clock_that_is_off_is_said_with_how_far(hub, tmp_path):
    replies(hub, time="2020-01-01T00:00:00Z")
    _, found = await examined(tmp_path, "--hub", hub.url)
    assert found["clock"]["verdict"] == "warning"
    assert " h behind ours: set both by NTP" in found["clock"]["sentence"]


async def test_a_hub_that_cannot_work_says_why(hub, tmp_path):
    replies(hub, status=503, ready=False, reasons=["the database is away"], push=503)
    _, found = await examined(tmp_path, "--hub", hub.url)
    assert "the database is away" in found["hub"]["sentence"]


async def test_what_is_no_hub_is_said(hub, tmp_path):
    hub.replies.append(Reply(200, b"<html>" + b"x" * 200_000))
    _, found = await examined(tmp_path, "--hub", hub.url)
    assert verdicts(found)["hub"] == "wrong"
    assert "is no hub" in found["hub"]["sentence"]


@pytest.mark.parametrize(
    ("changed", "check", "words"),
    [
        ({"source": "none"}, "disk[0].source", "ENOENT"),
        ({"target": "none/copy"}, "disk[0].target", "has no directory to lie in"),
        ({"target": "source"}, "disk[0].target", "is the source"),
        ({"target": "nbd+unix:///x?socket=/none"}, "disk[0].target", "look at the server"),
        ({"source": "nbd+unix:///x?socket=/none"}, "disk[0].source", "look at the source"),
    ],
)
async def test_a_disk_that_cannot_be_used_is_named(tmp_path, changed, check, words):
    code, found = await examined(tmp_path, job(tmp_path, **changed), "--hub", "http://127.0.0.1:9")
    assert code == 1
    assert found[check]["verdict"] == "wrong"
    assert words in found[check]["sentence"]
    wrong = [name for name, verdict in verdicts(found).items() if name.startswith("disk[") and verdict == "wrong"]
    assert wrong == [check]  # the other end is not blamed for it


async def test_a_source_command_is_started_looked_at_and_stopped(tmp_path):
    file = tmp_path / "job.json"
    disk = {"source_command": ["nbdkit", "null", "size=1M"], "target": "copy"}
    file.write_text(json.dumps({"job_id": "backup-x", "disk": [disk]}))
    _, found = await examined(tmp_path, str(file), "--hub", "http://127.0.0.1:9")
    assert found["disk[0].source"]["sentence"] == "'nbdkit' can be read, 1.0 MiB"


async def test_a_wrong_job_file_and_a_token_file_open_to_others_are_findings(tmp_path):
    (tmp_path / "job.toml").write_text("job_id = 5")
    (tmp_path / "token").write_text("sd1_x")
    (tmp_path / "token").chmod(0o644)
    arguments = [
        str(tmp_path / "job.toml"),
        "--token-file",
        str(tmp_path / "token"),
        "--hub",
        "http://127.0.0.1:9",
    ]
    _, found = await examined(tmp_path, *arguments)
    assert "job_id: must be text" in found["job file"]["sentence"]
    assert "run chmod 600" in found["token file"]["sentence"]


async def test_a_state_directory_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "state").write_text("a file")
    _, found = await examined(tmp_path, "--hub", "http://127.0.0.1:9")
    assert found["state"]["verdict"] == "wrong"
    assert "cannot be used" in found["state"]["sentence"]


def test_people_get_a_line_for_each_finding(tmp_path):
    command = [
        sys.executable,
        "-m",
        "clientd",
        "doctor",
        "--state-dir",
        str(tmp_path),
        "--hub",
        "http://127.0.0.1:9",
    ]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert said.returncode == 1
    assert said.stdout.splitlines()[0].startswith("ok       nbdkit: nbdkit ")
