"""Endings: processes that end in time, with their exit code and their result, whatever hangs or is closed."""

import contextlib
import os
import signal
import subprocess
import sys
from itertools import takewhile

import pytest
import trio

from schemas.telemetry import Acknowledgement
from tests.clientd.test_processes import MIB, NOWHERE, Ran, Running, command, run, transferring
from tests.fakes.hub import HttpHub, Reply
from tests.waits import PATIENCE

HANGING = """
import os, sys, threading
from functools import partial
from clientd import __main__, config
from clientd.cli import run
from clientd.disk import file
from clientd.errors import DiskError

def read_into(disk, offset, view):
    if "broken" in disk.path:
        raise DiskError(disk.path, "reading", offset, "EIO")
    os.write(2, b"hangs\\n")  # whole: threads that print do so between each other's words and line ends
    threading.Event().wait()

file.FileDisk.read_into = read_into
run.CopySettings = partial(config.CopySettings, stop_patience=0.1)
sys.exit(__main__.main(sys.argv[1:]))
"""
"""A clientd with a disk that fails where its name says so, and hangs in the kernel elsewhere."""


@pytest.fixture
async def hub(nursery):
    return await HttpHub.start(nursery)


@pytest.fixture
def dense(tmp_path):
    path = tmp_path / "dense"
    path.write_bytes(os.urandom(5 * MIB + 12345))
    return path


def ended(arguments: list[str], **streams) -> subprocess.CompletedProcess:
    """The process after its end. Streams not named are captured."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(arguments, check=False, timeout=PATIENCE, **streams)


def full_pipe() -> tuple[int, int]:
    """Both ends of a pipe that takes nothing more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)
    return reading, writing


async def test_a_copy_that_is_complete_says_so_though_a_signal_ends_the_wait_for_the_hub(
    hub, dense, tmp_path, nursery
):
    hub.rule = lambda update: Reply(503) if update.status == "completed" else Acknowledgement()
    pairs = [(dense, tmp_path / "copy")]
    running = await Running(nursery, "backup-x", hub.url, pairs, "--final-wait", "3600").start()
    await hub.wait_until(lambda update: update.status == "completed")
    running.process.send_signal(signal.SIGTERM)
    running.process.send_signal(signal.SIGINT)
    ran = await running.over()
    assert ran.code == 0
    assert (ran.result["status"], ran.result["end_known"]) == ("completed", False)


async def test_a_disk_that_hangs_beside_one_that_failed_does_not_keep_the_process(hub, dense, tmp_path):
    broken = dense.with_name("broken")
    broken.write_bytes(b"x")
    disks = [(dense, tmp_path / "one"), (broken, tmp_path / "other")]
    arguments = [sys.executable, "-c", HANGING, *command("backup-x", hub.url, disks)[3:]]
    ran = Ran(await trio.to_thread.run_sync(ended, arguments))
    assert ran.code == 1
    assert ran.result["status"] == hub.told[-1].status == "failed"
    assert [disk["status"] for disk in ran.result["disks"]] == ["cancelled", "failed"]
    assert "a disk does not answer" in ran.stderr


async def test_a_disk_that_hangs_is_left_behind_by_a_signal_with_the_result(hub, dense, tmp_path):
    arguments = [sys.executable, "-c", HANGING, *command("backup-x", hub.url, [(dense, tmp_path / "copy")])[3:]]

    def stop_when_it_hangs() -> Ran:
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            said = b"".join(takewhile(b"hangs\n".__ne__, process.stderr))
            process.send_signal(signal.SIGTERM)
            result, rest = process.communicate(timeout=PATIENCE)
        return Ran(subprocess.CompletedProcess(arguments, process.returncode, result, said + rest))

    ran = await trio.to_thread.run_sync(stop_when_it_hangs)
    assert ran.code == 143
    assert ran.result["status"] == hub.told[-1].status == "cancelled"
    assert ran.result["end_known"]


async def test_a_log_that_nobody_reads_holds_up_neither_copy_nor_telemetry_nor_signals(hub, dense, tmp_path):
    reading, writing = full_pipe()
    arguments = command("backup-x", hub.url, [(dense, tmp_path / "copy")], "--max-rate", "1M")
    process = await trio.lowlevel.open_process(arguments, stdout=subprocess.DEVNULL, stderr=writing)
    with trio.fail_after(PATIENCE):
        await hub.wait_until(transferring)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 143
    os.close(reading)
    os.close(writing)
    assert hub.told[-1].status == "cancelled"


def test_a_result_that_nobody_can_read_does_not_undo_the_copy(dense, tmp_path):
    arguments = command("backup-x", NOWHERE, [(dense, tmp_path / "copy")], "--final-wait", "0")
    with open("/dev/full", "wb") as full:
        ran = ended(arguments, stdout=full)
    assert ran.returncode == 0, ran.stderr
    assert b"the result cannot be printed" in ran.stderr
    assert b"Traceback" not in ran.stderr
    reading, writing = os.pipe()
    os.close(reading)
    assert ended(arguments, stdout=writing).returncode == 0
    os.close(writing)


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_keep_a_copy_from_being_made(dense, tmp_path, closed):
    arguments = command("backup-x", NOWHERE, [(dense, tmp_path / "copy")], "--final-wait", "0")
    ran = ended(["sh", "-c", f'"$@" {closed}', "sh", *arguments])
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "copy").read_bytes() == dense.read_bytes()


def test_an_order_that_is_wrong_is_refused_on_closed_streams_too(dense):
    assert ended(["sh", "-c", '"$@" 2>&-', "sh", *command("x", "http://h:port", [(dense, "y")])]).returncode == 2


async def test_a_bad_hub_address_is_refused_before_a_target_is_touched(dense, tmp_path):
    target = tmp_path / "copy"
    target.write_bytes(b"old")
    ran = await run("backup-x", "http://a..b", [(dense, target)])
    assert ran.code == 2
    assert target.read_bytes() == b"old"
