"""Kills: whatever happens to processes, the ends of their jobs arrive and are seen once, and no copy suffers."""

import os
import signal
import subprocess
import sys

import pytest
import trio

from tests.clientd.test_processes import MIB, NOWHERE, Ran, Running, command, run
from tests.fakes.hub import HttpHub, Reply
from tests.fakes.judge import Judge
from tests.waits import PATIENCE

POINTS = (
    "job.begun",
    "outbox.added",
    "outbox.writing",
    "outbox.written",
    "update.sending",
    "update.acknowledged",
)
TIMES = 6
"""How often each point is let pass before the kill: a job has four events, and its end is among the last."""

KILLED = """
import os, signal, sys
from clientd import __main__, environment

point, left = sys.argv[1], int(sys.argv[2])

async def failpoint(self, name):
    global left
    left -= name == point
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

environment.SystemEnvironment.failpoint = failpoint
sys.exit(__main__.main(sys.argv[3:]))
"""
"""A clientd that is killed when it passes the point for the given time."""


@pytest.fixture
def judge():
    return Judge()


@pytest.fixture
async def hub(nursery, judge):
    hub = await HttpHub.start(nursery)
    hub.rule = judge.rule
    return hub


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(MIB // 2))
    return path


async def ended(*arguments) -> Ran:
    with trio.fail_after(PATIENCE):
        return Ran(
            await trio.run_process(
                [sys.executable, *map(str, arguments)], capture_stdout=True, capture_stderr=True, check=False
            )
        )


async def flush(hub, *more) -> Ran:
    return await ended("-m", "clientd", "flush", "--json", "--hub", hub.url, *more)


def one(job_id, hub, disk, target, *more):
    return command(job_id, hub.url, [(disk, target)], "--final-wait", "20", *more)[3:]


@pytest.mark.parametrize("point", POINTS)
async def test_a_client_killed_at_any_point_loses_no_end_and_shows_it_once(hub, judge, disk, tmp_path, point):
    killed = []
    for times in range(1, TIMES + 1):
        job_id = f"backup-{times}"
        target = tmp_path / f"copy-{times}"
        ran = await ended("-c", KILLED, point, times, *one(job_id, hub, disk, target))
        assert ran.code in (0, -signal.SIGKILL), ran.stderr
        killed.append(ran.code != 0)
        flushed = await flush(hub)
        assert (flushed.code, flushed.result["waiting"]) == (0, 0), flushed.stderr
        [(attempt, status)] = judge.ends(job_id)
        assert attempt == 1
        assert status in ("completed", "failed")
        if status == "failed":
            assert judge.jobs[job_id].error_message.startswith("interrupted: ")
            assert killed[-1]
        else:
            assert target.read_bytes() == disk.read_bytes()
    assert killed[0]
    assert sum(killed) >= (1 if point == "job.begun" else 3)


async def test_a_killed_courier_loses_nothing_and_tells_nothing_twice(hub, judge, disk, tmp_path):
    for number in range(3):
        pairs = [(disk, tmp_path / "copy")]
        assert (await run(f"backup-{number}", NOWHERE, pairs, "--final-wait", "0")).code == 0
    kills = 0
    for point in ("update.sending", "update.acknowledged", "outbox.writing", "outbox.written"):
        for times in (1, 2):
            ran = await ended("-c", KILLED, point, times, "flush", "--hub", hub.url)
            kills += ran.code == -signal.SIGKILL
    assert kills >= 4
    assert (await flush(hub)).result["waiting"] == 0
    for number in range(3):
        assert judge.ends(f"backup-{number}") == [(1, "completed")]


async def test_an_end_that_no_hub_took_is_kept_and_the_next_run_of_another_job_delivers_it(
    hub, judge, disk, tmp_path
):
    first = await run("backup-first", NOWHERE, [(disk, tmp_path / "first")], "--final-wait", "0")
    assert (first.code, first.result["end_known"]) == (0, False)
    assert first.log[-1]["event"] == "the hub does not know the end of this job"
    assert "clientd flush" in first.log[-1]["then"]
    second = await run("backup-second", hub.url, [(disk, tmp_path / "second")])
    assert (second.code, second.result["end_known"]) == (0, True)
    assert judge.ends("backup-first") == [(1, "completed")]
    assert judge.ends("backup-second") == [(1, "completed")]
    assert judge.jobs["backup-first"].bytes_transferred == MIB // 2
    assert (await flush(hub)).result == {"delivered": 0, "waiting": 0, "aside": 0}


async def test_how_long_an_end_waited_is_told_though_another_process_tells_it(hub, disk, tmp_path):
    await run("backup-x", NOWHERE, [(disk, tmp_path / "copy")], "--final-wait", "0")
    began = trio.current_time()
    await trio.sleep(0.5)
    await flush(hub)
    waited = trio.current_time() - began
    assert 0.5 <= hub.told[-1].age <= waited + 10


async def test_the_same_job_again_is_the_next_attempt_and_what_it_left_goes_first(hub, judge, disk, tmp_path):
    pairs = [(disk, tmp_path / "copy")]
    first = await run("backup-x", NOWHERE, pairs, "--final-wait", "0")
    second = await run("backup-x", hub.url, pairs)
    third = await run("backup-x", hub.url, pairs, "--attempt", "7")
    assert [ran.result["attempt"] for ran in (first, second, third)] == [1, 2, 7]
    assert judge.ends("backup-x") == [(1, "completed"), (2, "completed"), (7, "completed")]
    assert next(update.sequence for update in hub.told if update.attempt == 2) == 1
    positions = [(update.attempt, update.sequence) for update in hub.told]
    assert positions == sorted(positions)


async def test_two_runs_at_once_share_the_spool_and_a_dead_one_s_end(hub, judge, disk, tmp_path, nursery):
    dead = await run("backup-dead", NOWHERE, [(disk, tmp_path / "dead")], "--final-wait", "0")
    assert not dead.result["end_known"]
    running = [
        await Running(nursery, f"backup-{number}", hub.url, [(disk, tmp_path / f"copy-{number}")]).start()
        for number in range(4)
    ]
    for each in running:
        ran = await each.over()
        assert (ran.code, ran.result["end_known"]) == (0, True), ran.stderr
        assert "locked" not in ran.stderr
    assert judge.ends("backup-dead") == [(1, "completed")]
    assert sum(update.job_id == "backup-dead" and update.status == "completed" for update in hub.told) == 1
    for number in range(4):
        assert judge.ends(f"backup-{number}") == [(1, "completed")]


async def test_what_the_hub_refuses_is_set_aside_counted_and_said_once(hub, judge, disk, tmp_path):
    hub.rule = lambda update: (
        Reply(400, b'{"error":{"code":"invalid","message":"phase: no"}}')
        if update.current_phase == "transferring"
        else judge.rule(update)
    )
    ran = await run("backup-x", hub.url, [(disk, tmp_path / "copy")])
    assert (ran.code, ran.result["end_known"]) == (0, True)
    refused = [line for line in ran.log if line["event"] == "update refused by the hub, set aside"]
    assert refused
    assert len({line["sequence"] for line in refused}) == len(refused)
    flushed = await flush(hub)
    assert flushed.code == 0
    assert (flushed.result["waiting"], flushed.result["aside"] > 0) == (0, True)
    assert "set aside" not in flushed.stderr


async def test_a_hub_that_denies_us_leaves_all_in_the_spool(hub, judge, disk, tmp_path):
    hub.rule = lambda update: Reply(401)
    ran = await run("backup-x", hub.url, [(disk, tmp_path / "copy")])
    assert (ran.code, ran.result["end_known"]) == (0, False)
    assert "hub denies us" in [line["event"] for line in ran.log]
    denied = await flush(hub)
    assert (denied.code, denied.result["delivered"]) == (1, 0)
    assert denied.result["waiting"] >= 2
    hub.rule = judge.rule
    assert (await flush(hub)).code == 0
    assert judge.ends("backup-x") == [(1, "completed")]


async def test_a_superseded_attempt_leaves_nothing(hub, judge, disk, tmp_path, nursery):
    pairs = [(disk, tmp_path / "copy")]
    running = await Running(nursery, "backup-x", hub.url, pairs, "--max-rate", "10K").start()
    await hub.wait_until(lambda update: update.current_phase == "transferring")
    newer = await run("backup-x", hub.url, [(disk, tmp_path / "other")])
    assert newer.result["attempt"] == 2
    older = await running.over()
    assert (older.code, older.result["status"], older.result["attempt"]) == (1, "cancelled", 1)
    assert judge.ends("backup-x") == [(2, "completed")]
    assert (await flush(hub)).result == {"delivered": 0, "waiting": 0, "aside": 0}


async def test_a_spool_that_cannot_be_used_costs_the_copy_nothing(hub, judge, disk, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    pairs = [(disk, tmp_path / "copy")]
    ran = await run("backup-x", hub.url, pairs, "--state-dir", str(tmp_path / "file"))
    assert (ran.code, ran.result["end_known"]) == (0, True)
    assert (tmp_path / "copy").read_bytes() == disk.read_bytes()
    assert [line["event"] for line in ran.log if line["level"] == "error"] == [
        "the spool cannot be used: what the hub does not get is lost at the end"
    ]
    again = await run("backup-x", hub.url, pairs, "--state-dir", str(tmp_path / "file"))
    assert (again.code, again.result["status"]) == (0, "completed")
    flushed = await flush(hub, "--state-dir", str(tmp_path / "file"))
    assert (flushed.code, flushed.result) == (1, None)
    assert "the spool cannot be used" in flushed.stderr


async def test_a_damaged_spool_is_set_aside_and_the_copy_goes_on(hub, judge, disk, tmp_path):
    state = tmp_path / "state"
    pairs = [(disk, tmp_path / "copy")]
    await run("backup-x", NOWHERE, pairs, "--final-wait", "0", "--state-dir", str(state))
    (state / "spool.db").write_bytes(b"\xff" * 4096)
    ran = await run("backup-x", hub.url, pairs, "--state-dir", str(state))
    assert (ran.code, ran.result["end_known"]) == (0, True)
    assert ran.result["attempt"] > 1000
    [said] = [line for line in ran.log if line["level"] == "error"]
    assert said["event"] == "a damaged file is set aside, a fresh one begun"
    assert said["file"] in [str(path) for path in state.iterdir()]


async def test_no_secret_is_in_the_spool(disk, tmp_path):
    state, token = tmp_path / "state", tmp_path / "token"
    token.write_text("sd1_secret_word")
    token.chmod(0o600)
    more = ["--final-wait", "0", "--state-dir", str(state), "--token-file", str(token)]
    await run("backup-x", NOWHERE, [(disk, tmp_path / "copy")], *more)
    kept = b"".join(path.read_bytes() for path in state.iterdir())
    assert b"backup-x" in kept
    assert b"secret" not in kept


def test_flush_says_it_for_people_and_ends_by_ctrl_c_quietly(disk, tmp_path):
    arguments = [sys.executable, "-m", "clientd", "flush", "--hub", NOWHERE, "--wait", "0"]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (said.returncode, said.stdout) == (0, "0 events delivered, 0 wait\n")
    copying = command("backup-x", NOWHERE, [(disk, tmp_path / "copy")], "--final-wait", "0")
    subprocess.run(copying, capture_output=True, timeout=PATIENCE, check=True)
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert said.returncode == 1
    assert said.stdout.endswith(" wait (of 1 job)\n")
    waiting = subprocess.Popen([*arguments[:-1], "50"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert b"not reachable" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    output, errors = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, errors) == (130, b"")
    assert output.endswith(b" wait (of 1 job)\n")
