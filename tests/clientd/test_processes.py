"""Processes: the real `clientd run`, with real files, real signals and a hub on loopback."""

import json
import os
import signal
import subprocess
import sys

import pytest
import trio

from clientd.config import Settings
from schemas.telemetry import Acknowledgement
from tests.fakes.hub import HttpHub, Reply
from tests.waits import PATIENCE

MIB = 2**20
NOWHERE = "http://127.0.0.1:9"


class Ran:
    """A process that has ended."""

    def __init__(self, process: subprocess.CompletedProcess):
        self.code = process.returncode
        self.result = json.loads(process.stdout.splitlines()[-1]) if process.stdout else None
        self.log = [json.loads(line) for line in process.stderr.splitlines() if line.startswith(b"{")]
        self.stderr = process.stderr.decode()


def command(job_id: str, hub: str, pairs, *more: str) -> list[str]:
    disks = [f"--disk={source}={target}" for source, target in pairs]
    return [sys.executable, "-m", "clientd", "run", "--json", "--job-id", job_id, "--hub", hub, *disks, *more]


async def run(*arguments) -> Ran:
    with trio.fail_after(PATIENCE):
        return Ran(
            await trio.run_process(command(*arguments), capture_stdout=True, capture_stderr=True, check=False)
        )


class Running:
    """A process under way; `ended` has what it left."""

    def __init__(self, nursery: trio.Nursery, *arguments):
        self._arguments = arguments
        self.ended: Ran | None = None
        self._nursery = nursery
        self._over = trio.Event()

    async def start(self) -> "Running":
        async def wait(task_status):
            process = await trio.run_process(
                command(*self._arguments),
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                task_status=task_status,
            )
            self.ended = Ran(process)
            self._over.set()

        self.process = await self._nursery.start(wait)
        return self

    async def over(self) -> Ran:
        with trio.fail_after(PATIENCE):
            await self._over.wait()
        return self.ended


@pytest.fixture
async def hub(nursery):
    return await HttpHub.start(nursery)


@pytest.fixture
def dense(tmp_path):
    path = tmp_path / "dense"
    path.write_bytes(os.urandom(5 * MIB + 12345))
    return path


@pytest.fixture
def sparse(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
        for at in (0, 9, 10, 40):
            file.seek(at * MIB)
            file.write(os.urandom(MIB))
        file.seek(20 * MIB)
        file.write(bytes(4 * MIB))
    return path


@pytest.fixture
def small(tmp_path):
    """A folder too small for `dense`, and what must stand before a command to make it so.

    A small tmpfs where one may be mounted; elsewhere a limit on the size of files.
    """
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        print("no tmpfs may be mounted here: a file size limit stands in for a full disk", file=sys.stderr)
        yield folder, ["prlimit", f"--fsize={2 * MIB}"]
        return
    yield folder, []
    subprocess.run(["umount", str(folder)], check=True)


def transferring(update) -> bool:
    return update.current_phase == "transferring" and update.bytes_transferred > 0


async def test_dense_and_sparse_files_are_copied_and_the_hub_is_told_the_truth(hub, dense, sparse, tmp_path):
    pairs = [(dense, tmp_path / "d=1"), (sparse, tmp_path / "s")]
    ran = await run("backup-web 01/ä-20261123-021407", hub.url, pairs, "--vm-name", "web 01")
    assert ran.code == 0, ran.stderr
    for source, target in pairs:
        assert target.read_bytes() == source.read_bytes()
        assert target.stat().st_blocks <= source.stat().st_blocks + 64
        assert target.stat().st_mode & 0o777 == 0o600
    assert sparse.stat().st_blocks - pairs[1][1].stat().st_blocks >= 4 * MIB / 512 - 64
    first, end = hub.told[0], hub.told[-1]
    assert (first.status, first.current_phase) == ("running", "starting")
    assert (end.status, end.current_phase, end.progress_percent) == ("completed", "finalizing", 100)
    assert end.bytes_transferred == end.total_bytes == dense.stat().st_size + 8 * MIB
    assert [disk.status for disk in end.disks] == ["completed", "completed"]
    assert end.vm_name == "web 01"
    assert end.sender.startswith("clientd/")
    assert end.total_kind == "allocated"
    result = ran.result
    assert (result["status"], result["updates_sent"], result["end_known"]) == ("completed", len(hub.told), True)
    assert result["bytes_transferred"] == result["total_bytes"] == end.total_bytes
    assert [disk["status"] for disk in result["disks"]] == ["completed", "completed"]
    for disk in result["disks"]:
        counted = [disk[f"bytes_{name}"] for name in ("examined", "transferred", "durable", "verified")]
        assert counted == [disk["total_bytes"]] * 3 + [0]
        assert min(disk["read_seconds"], disk["write_seconds"]) >= 0 == disk["network_seconds"]
    said = [line["event"] for line in ran.log]
    assert said[0] == "job started"
    assert said.count("disk copied") == 2
    assert said[-1] == "job ended"


async def test_an_unreachable_hub_changes_nothing_but_a_line_on_stderr(dense, tmp_path):
    ran = await run("backup-x", NOWHERE, [(dense, tmp_path / "copy")], "--final-wait", "0")
    assert ran.code == 0
    assert (tmp_path / "copy").read_bytes() == dense.read_bytes()
    assert (ran.result["status"], ran.result["end_known"]) == ("completed", False)
    assert ran.log[-1]["event"] == "the hub does not know the end of this job"


async def test_a_hub_that_never_answers_does_not_hold_up_the_copy(hub, dense, tmp_path):
    hub.replies.extend([Reply(silent=True)] * 9)
    ran = await run("backup-x", hub.url, [(dense, tmp_path / "copy")], "--final-wait", "0.1")
    assert ran.code == 0
    assert ran.result["seconds"] < 10  # a push alone would wait as long for its answer


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_signal_stops_the_copy_and_the_hub_hears_it(hub, dense, tmp_path, nursery, number, code):
    pairs = [(dense, tmp_path / "copy")]
    running = await Running(nursery, "backup-x", hub.url, pairs, "--max-rate", "1M").start()
    await hub.wait_until(transferring)
    running.process.send_signal(number)
    ran = await running.over()
    assert ran.code == code
    assert ran.result["status"] == "cancelled"
    assert (hub.told[-1].status, hub.told[-1].error) == ("cancelled", f"stopped by {number.name}")
    assert hub.told[-1].bytes_transferred < hub.told[-1].total_bytes
    assert hub.told[-1].disks[0].status == "cancelled"


async def test_a_second_signal_does_not_wait_for_the_hub(hub, dense, tmp_path, nursery):
    pairs = [(dense, tmp_path / "copy")]
    running = await Running(nursery, "backup-x", hub.url, pairs, "--max-rate", "1M").start()
    await hub.wait_until(transferring)
    hub.rule = lambda update: Reply(503, headers={"retry-after": "60"})
    running.process.send_signal(signal.SIGTERM)
    await hub.wait_until(lambda update: update.status == "cancelled")
    running.process.send_signal(signal.SIGTERM)
    again = trio.current_time()
    ran = await running.over()
    assert trio.current_time() - again < Settings().stop_grace / 3
    assert ran.code == 143
    assert (ran.result["status"], ran.result["end_known"]) == ("cancelled", False)


@pytest.mark.parametrize("order", ["cancel", "superseded"])
async def test_the_hub_can_end_a_job(hub, dense, tmp_path, order):
    hub.rule = lambda update: Acknowledgement(command=order if transferring(update) else "continue")
    ran = await run("backup-x", hub.url, [(dense, tmp_path / "copy")], "--max-rate", "1M")
    assert ran.code == 1
    assert ran.result["status"] == "cancelled"
    if order == "cancel":
        assert (hub.told[-1].status, hub.told[-1].error) == ("cancelled", "cancelled at the hub")
    else:
        assert hub.told[-1].status == "running"


async def test_a_source_cut_short_under_way_fails_and_names_the_offset(hub, dense, tmp_path, nursery):
    pairs = [(dense, tmp_path / "copy")]
    running = await Running(nursery, "backup-x", hub.url, pairs, "--max-rate", "1M", "--workers", "1").start()
    await hub.wait_until(transferring)
    os.truncate(dense, MIB)
    ran = await running.over()
    assert ran.code == 1
    assert ran.result["status"] == "failed"
    assert f"disk 0: reading {dense} at offset " in hub.told[-1].error
    assert "it ends there, though it had" in hub.told[-1].error
    assert hub.told[-1].disks[0].status == "failed"


async def test_a_source_that_grows_under_way_fails_and_says_so(hub, dense, tmp_path, nursery):
    size = dense.stat().st_size
    running = await Running(nursery, "backup-x", hub.url, [(dense, tmp_path / "copy")], "--max-rate", "1M").start()
    await hub.wait_until(transferring)
    with dense.open("ab") as file:
        file.write(b"more")
    ran = await running.over()
    assert ran.code == 1
    sentence = f"reading {dense} at offset {size} failed: it has {size + 4} bytes now, though it had {size}"
    assert sentence in hub.told[-1].error


async def test_a_full_target_fails_and_names_disk_and_offset(hub, dense, sparse, small):
    folder, prefix = small
    pairs = [(sparse, dense.with_name("s")), (dense, folder / "copy")]
    with trio.fail_after(PATIENCE):
        ran = Ran(
            await trio.run_process(
                [*prefix, *command("backup-x", hub.url, pairs)],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
        )
    assert ran.code == 1
    end = hub.told[-1]
    assert (end.status, end.disks[1].status if not prefix else "failed") == ("failed", "failed")
    assert end.current_phase != "finalizing"
    assert ran.result["error"] == end.error
    if prefix:
        assert "EFBIG" in end.error
    else:
        assert f"disk 1: writing {folder / 'copy'} at offset " in end.error
        assert "ENOSPC (No space left on device)" in end.error
        assert end.disks[1].bytes_transferred <= 2 * MIB


async def test_a_copy_that_is_through_is_not_undone_by_a_signal(hub, dense, tmp_path, nursery):
    hub.rule = lambda update: Reply(503) if update.status == "completed" else Acknowledgement()
    running = await Running(nursery, "backup-x", hub.url, [(dense, tmp_path / "copy")]).start()
    await hub.wait_until(lambda update: update.status == "completed")
    running.process.send_signal(signal.SIGTERM)
    hub.rule = lambda update: Acknowledgement()
    ran = await running.over()
    assert ran.code == 0
    assert ran.result["end_known"]
    assert hub.told[-1].status == ran.result["status"] == "completed"


async def test_a_job_file_is_carried_out(hub, dense, tmp_path):
    file = tmp_path / "job.toml"
    file.write_text(
        'job_id = "restore-web01"\nvm_name = "web 01"\n[[disk]]\nindex = 3\nsource = "dense"\ntarget = "copy"\n'
    )
    process = [sys.executable, "-m", "clientd", "run", str(file), "--json", "--hub", hub.url]
    with trio.fail_after(PATIENCE):
        ran = Ran(await trio.run_process(process, capture_stdout=True, capture_stderr=True, check=False))
    assert ran.code == 0, ran.stderr
    assert (tmp_path / "copy").read_bytes() == dense.read_bytes()
    end = hub.told[-1]
    assert (end.job_type, end.vm_name, end.status, end.disks[0].index) == ("restore", "web 01", "completed", 3)
