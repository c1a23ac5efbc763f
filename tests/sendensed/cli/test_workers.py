"""Workers: the parent's care for its processes, at moments that a run under load seldom meets."""

import os
import signal

import trio

from sendensed import config
from sendensed.cli.workers import Workers
from tests.ports import free_port
from tests.waits import PATIENCE


async def test_a_worker_that_was_being_started_again_while_all_others_stopped_is_ended(
    postgres_dsn, tmp_path, monkeypatch
):
    opening, others_stopped, processes = trio.Event(), trio.Event(), []
    open_process = trio.lowlevel.open_process

    async def open_late(*arguments, **options):
        if processes:
            opening.set()
            await others_stopped.wait()
        processes.append(await open_process(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(trio.lowlevel, "open_process", open_late)
    listen = f"127.0.0.1:{free_port()}"
    settings = config.Config(listen=listen, database=postgres_dsn, hub="here", open=True, workers=1)
    workers = Workers(settings, tmp_path, "warning")
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(workers.run)
            os.kill(processes[0].pid, signal.SIGKILL)
            await opening.wait()
            await workers.stop()
            others_stopped.set()
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2
