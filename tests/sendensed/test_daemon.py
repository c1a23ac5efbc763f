"""Daemon: what a service owes its supervisor."""

import gc
import json
import logging
import os
import signal
import socket

import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from sendensed import daemon


def test_a_supervisor_is_told_by_datagram_and_nobody_else(monkeypatch, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(path)
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
        daemon.notify("READY=1")
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        daemon.notify("STOPPING=1")
        supervisor.setblocking(False)
        assert supervisor.recv(100) == b"STOPPING=1"


def test_an_abstract_supervisors_socket_is_understood(monkeypatch):
    name = f"sendense-test-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(f"\0{name}")
        supervisor.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        daemon.notify("READY=1")
        assert supervisor.recv(100) == b"READY=1"


def test_a_supervisor_that_is_gone_does_not_matter(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    daemon.notify("READY=1")


async def test_the_first_signal_asks_to_stop_and_the_second_insists():
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.stop_on_signals, stopping, nursery.cancel_scope)
        await wait_all_tasks_blocked()
        signal.raise_signal(signal.SIGTERM)
        with trio.fail_after(10):
            await stopping.wait()
        assert not nursery.cancel_scope.cancel_called
        signal.raise_signal(signal.SIGINT)
        with trio.move_on_after(10):
            await trio.sleep_forever()
    assert nursery.cancel_scope.cancelled_caught


def test_logs_off_a_terminal_are_json_and_the_standard_librarys_go_the_same_way(capsys):
    daemon.set_up_logs("info")
    structlog.get_logger().info("committed", jobs=3)
    structlog.get_logger().debug("not shown")
    logging.getLogger("library").warning("odd %s", "thing")
    logging.getLogger("library").info("not shown")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["event"], first["jobs"], first["level"]) == ("committed", 3, "info")
    assert (second["event"], second["level"]) == ("odd thing", "warning")


def test_what_the_start_has_made_is_out_of_the_collectors_sight():
    before = gc.get_threshold()
    try:
        daemon.spare_the_collector()
        assert gc.get_freeze_count() > 1_000
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
